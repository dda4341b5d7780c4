package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/output"
)

// app is one run of the program: its streams, its environment and what the global flags said.
type app struct {
	args   []string
	rest   []string // behind the first `--`
	hasTo  bool     // there was a `--`
	stdin  io.Reader
	stdout *os.File
	stderr io.Writer
	env    func(string) (string, bool)

	flags    globalFlags
	settings *settings
	stdinFor string             // who reads standard input, "" nobody
	secret   ami.SecretProvider // of the flags or the environment, nil none

	stopped  <-chan struct{}   // closed when the run is to end: a signal, --deadline
	printers []*output.Printer // what may have left out columns, see noteLeft
	patience patience          // of whoever sent a signal

	dropped uint64 // events that tail or wait was too slow for

	hideOnce, logOnce sync.Once
	hide              *redact.Redactor // see redactor
	log               *slog.Logger     // see logger
}

func newApp(args []string, stdin io.Reader, stdout *os.File, stderr io.Writer, env func(string) (string, bool)) *app {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, env: env}
	a.args, a.rest, a.hasTo = splitAtDashes(args)
	return a
}

// run parses the arguments, runs the subcommand, reports its error and returns the exit status.
func (a *app) run(ctx context.Context) (status int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(a.stderr, "amictl: a bug: %s\nhint: please report it with the stack below\n%s", output.Safe(fmt.Sprint(p)), debug.Stack())
			status = exitBug
		}
	}()
	err := a.dispatch(ctx)
	for _, p := range a.printers {
		a.noteLeft(p)
	}
	if err == nil {
		return exitOK
	}
	f := classify(err)
	if bySignal(ctx) {
		return f.Exit // the signal says it all
	}
	if !f.Silent {
		a.complain(f)
		if a.wantsNagios() {
			_, _ = a.stdout.Write(nagiosFailure(f))
			return nagiosUnknown
		}
	}
	return f.Exit
}

// complain writes an error as one line, and a hint as another.
func (a *app) complain(f failure) {
	fmt.Fprintf(a.stderr, "amictl: %s\n", output.Safe(f.Message))
	if f.Hint != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", output.Safe(f.Hint))
	}
}

// complainAll writes what went wrong on several nodes; a hint that they share stands once, behind the last of them.
func (a *app) complainAll(failures []failure) {
	for i, f := range failures {
		if i+1 < len(failures) && failures[i+1].Hint == f.Hint {
			f.Hint = ""
		}
		a.complain(f)
	}
}

// note writes a line that is neither data nor an error, unless --quiet.
func (a *app) note(format string, args ...any) {
	if !a.flags.quiet {
		fmt.Fprintf(a.stderr, "amictl: %s\n", output.Safe(fmt.Sprintf(format, args...)))
	}
}

// dispatch finds the subcommand and runs it under --deadline.
func (a *app) dispatch(ctx context.Context) error {
	root := a.commands()
	line, err := arrange(root, a.args)
	if err != nil {
		return err
	}
	if line.help != nil {
		return a.help(root, line.help)
	}
	if a.hasTo && !takesRest(line.command) {
		return usageError("see `"+helpFor(line.command)+"`", "%s takes nothing behind `--`", line.command.UsageText)
	}
	err = root.Run(ctx, line.args)
	return flagError(line.command, err)
}

// commands is the whole command line.
func (a *app) commands() *cli.Command {
	root := &cli.Command{
		Name:            "amictl",
		Usage:           "drive Asterisk servers over the Manager Interface",
		Flags:           a.globalFlagList(),
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		ExitErrHandler:  func(context.Context, *cli.Command, error) {}, // run decides the status
		Writer:          a.stderr,                                      // only our own help goes to standard output
		ErrWriter:       a.stderr,
		Commands: []*cli.Command{
			a.sendCommand(),
			a.commandCommand(),
			a.originateCommand(),
			a.tailCommand(),
			a.waitCommand(),
			a.healthCommand(),
			a.checkCommand(),
			a.simCommand(),
			a.benchCommand(),
			a.contextCommand(),
			a.configCommand(),
			a.actionsCommand(),
			a.eventsCommand(),
			a.schemaCommand(),
			a.completionCommand(),
			a.versionCommand(),
		},
	}
	namePaths(root, "")
	_ = root.Walk(func(c *cli.Command) error { // urfave/cli inherits none of these
		c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err }
		c.DisableSliceFlagSeparator = true
		if action := c.Action; action != nil {
			c.Action = func(ctx context.Context, c *cli.Command) error { return a.prepared(ctx, c, action) }
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
func (a *app) prepared(ctx context.Context, c *cli.Command, action cli.ActionFunc) error {
	s, err := a.resolveSettings(c.Metadata["config"])
	if err != nil {
		return err
	}
	a.settings = s
	if d := a.flags.deadline.d; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	a.stopped = ctx.Done()
	return action(ctx, c)
}

// claimStdin makes sure that only one thing reads standard input.
func (a *app) claimStdin(who string) (io.Reader, error) {
	if a.stdinFor != "" {
		return nil, usageError("give one of them a file", "%s and %s both read standard input", a.stdinFor, who)
	}
	a.stdinFor = who
	return a.stdin, nil
}
