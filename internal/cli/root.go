package cli

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/bench"
	"github.com/apntalk/amictl/internal/cli/calls"
	"github.com/apntalk/amictl/internal/cli/catalog"
	"github.com/apntalk/amictl/internal/cli/check"
	"github.com/apntalk/amictl/internal/cli/command"
	"github.com/apntalk/amictl/internal/cli/completion"
	"github.com/apntalk/amictl/internal/cli/contexts"
	"github.com/apntalk/amictl/internal/cli/dial"
	"github.com/apntalk/amictl/internal/cli/drain"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/health"
	"github.com/apntalk/amictl/internal/cli/originate"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/schema"
	"github.com/apntalk/amictl/internal/cli/send"
	"github.com/apntalk/amictl/internal/cli/sim"
	"github.com/apntalk/amictl/internal/cli/state"
	"github.com/apntalk/amictl/internal/cli/tail"
	"github.com/apntalk/amictl/internal/cli/version"
	"github.com/apntalk/amictl/pkg/output"
)

// Execute parses the arguments, runs the subcommand, reports its error and returns the exit status. It is Main for a run with
// streams of the caller's.
func Execute(ctx context.Context, r *run.Run, more ...Subcommand) (status int) {
	return execute(ctx, r, func(ctx context.Context) context.Context { return ctx }, more)
}

// execute is Execute with a context of what can be interrupted.
func execute(ctx context.Context, r *run.Run, interruptible func(context.Context) context.Context, more []Subcommand) (status int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(r.Stderr, "amictl: a bug: %s\nhint: please report it with the stack below\n%s", output.Safe(fmt.Sprint(p)), debug.Stack())
			status = fail.ExitBug
		}
	}()
	line, err := read(r, more...)
	if err == nil {
		if !line.help && !r.About(line.command).Prints {
			ctx = interruptible(ctx)
		}
		err = dispatch(ctx, line)
	}
	r.NoteLeft()
	if err == nil {
		return fail.ExitOK
	}
	f := fail.Classify(err)
	if f.Exit == fail.ExitUsage && !f.Foreign && r.Sent() {
		f = fail.TooLate(f)
	}
	if run.BySignal(ctx) {
		return f.Exit // the signal says it all
	}
	if !f.Silent {
		r.Complain(f)
		if text, status := ownReport(line, f); text != nil {
			_, _ = r.Stdout.Write(text)
			return status
		}
	}
	return f.Exit
}

// read reads the command line. Most name a subcommand in their first word, and then nobody needs the others: to make them all takes
// longer than some of them run. Whatever that does not explain is read again with all there are.
func read(r *run.Run, more ...Subcommand) (*arranged, error) {
	own := made(r, more) // they are few, and the others may need what they bring
	if len(r.Args) > 0 {
		for i := range subcommands {
			s := &subcommands[i]
			if s.name != r.Args[0] {
				continue
			}
			c := named(own, s.name)
			if c == nil {
				c = s.command(r)
			}
			if line, err := arrange(r, assemble(r, c), r.Args); err == nil && !line.help {
				return line, nil
			}
		}
	}
	return arrange(r, whole(r, own), r.Args)
}

func made(r *run.Run, more []Subcommand) (all []*cli.Command) {
	for _, command := range more {
		all = append(all, command(r))
	}
	return all
}

func named(all []*cli.Command, name string) *cli.Command {
	for _, c := range all {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// dispatch runs the subcommand of a command line that was read.
func dispatch(ctx context.Context, line *arranged) error {
	if line.daemon {
		return line.run.RunDaemon(line.command.UsageText)
	}
	if line.help {
		return help(line.run, line.root, line.command)
	}
	if err := line.unwanted(); err != nil {
		return err
	}
	return flagError(line.command, line.root.Run(ctx, line.args()))
}

// subcommands are those of every program, in the order in which help lists them, under their names.
var subcommands = []struct {
	name    string
	command Subcommand
}{
	{"send", send.Command},
	{"command", command.Command},
	{"originate", originate.Command},
	{"dial", dial.Command},
	{"drain", drain.Command},
	{"tail", tail.Command},
	{"wait", tail.WaitCommand},
	{"state", state.Command},
	{"calls", calls.Command},
	{"health", health.Command},
	{"check", check.Command},
	{"sim", sim.Command},
	{"bench", bench.Command},
	{"context", contexts.Command},
	{"config", contexts.ConfigCommand},
	{"actions", catalog.ActionsCommand},
	{"events", catalog.EventsCommand},
	{"schema", schema.Command},
	{"version", version.Command},
}

// Commands is the whole command line, with more subcommands than all programs have. One of a name that all have takes its place.
func Commands(r *run.Run, more ...Subcommand) *cli.Command { return whole(r, made(r, more)) }

func whole(r *run.Run, own []*cli.Command) (root *cli.Command) {
	var all []*cli.Command
	for i := range subcommands {
		c := named(own, subcommands[i].name)
		if c == nil {
			c = subcommands[i].command(r)
		}
		all = append(all, c)
	}
	behind := slices.DeleteFunc(slices.Clone(own), func(c *cli.Command) bool { return slices.Contains(all, c) })
	behind = append(behind, completion.Command(r, func() *cli.Command { return root }))
	root = assemble(r, slices.Insert(all, len(all)-1, behind...)...) // version is the last
	return root
}

// assemble is the command line with some subcommands.
func assemble(r *run.Run, commands ...*cli.Command) *cli.Command {
	root := &cli.Command{
		Name:            "amictl",
		Usage:           "drive Asterisk servers over the Manager Interface",
		Flags:           r.GlobalFlagList(),
		Commands:        commands,
		HideHelp:        true,
		HideHelpCommand: true,
		ExitErrHandler:  func(context.Context, *cli.Command, error) {}, // Execute decides the status
		Writer:          r.Stderr,                                      // only our own help goes to standard output
		ErrWriter:       r.Stderr,
	}
	namePaths(root, "")
	_ = root.Walk(func(c *cli.Command) error { // urfave/cli inherits none of these
		c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error { return &argumentError{err} }
		if action := c.Action; action != nil {
			c.Action = func(ctx context.Context, c *cli.Command) error { return prepared(ctx, r, c, action) }
		}
		return nil
	})
	return root
}

// namePaths writes each command's whole name into its UsageText: FullName knows the parents only once it runs.
func namePaths(c *cli.Command, parent string) {
	c.UsageText = strings.TrimSpace(parent + " " + c.Name)
	for _, sub := range c.Commands {
		namePaths(sub, c.UsageText)
	}
}

// prepared runs a subcommand with its settings resolved and its deadline set.
func prepared(ctx context.Context, r *run.Run, c *cli.Command, action cli.ActionFunc) error {
	s, err := r.ResolveSettings(r.About(c).Config)
	if err != nil {
		return err
	}
	r.Settings = s
	if d := r.Flags.Deadline.Value; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	r.Stopped = ctx.Done()
	return action(ctx, c)
}

// ownReport is a failure in an output format of the subcommand's own, where one is asked for. The command line may be wrong,
// and the settings not resolved: Nagios would take the status of a usage error for CRITICAL.
func ownReport(line *arranged, f fail.Failure) (text []byte, status int) {
	report := line.run.About(line.command).Failed
	if report == nil {
		return nil, 0
	}
	env, _ := line.run.Env("AMICTL_OUTPUT")
	form := run.Output(cmp.Or(line.output, env))
	if form == "" && line.run.Settings != nil {
		form = line.run.Settings.Output
	}
	return report(form, f)
}
