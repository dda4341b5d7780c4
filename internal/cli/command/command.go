package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl command core show channels
  amictl command 'core show channels concise' | wc -l
  amictl command --all core show uptime     each line begins with its node
  amictl command -o json queue show
  amictl command --expect Running module show like chan_pjsip
  amictl command --reject 'No such' queue show support
  amictl command --all --batch 5 --pause 10s --max-fail 1 core reload
  amictl command -- core set verbose -1     -1 is no flag of amictl

Prints the text as "asterisk -rx" does; the exit status is 1 if the server answered Error.
Asterisk answers Success to many commands that did nothing: --expect and --reject check the text.`

// options are those of command.
type options struct {
	target.Fanout
	bus            target.Bus
	words          []string // of the command
	prefix         string
	expect, reject flags.List
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{prefix: "auto"}
	return r.Tell(&cli.Command{
		Name:        "command",
		Usage:       "run a command of Asterisk's own command line",
		ArgsUsage:   "WORD...",
		Description: help,
		Flags: slices.Concat([]cli.Flag{
			flags.Choice("prefix", "", "begin each line with the node's name: `WHEN` is auto, always or never", &o.prefix, "auto", "always", "never"),
			&cli.GenericFlag{Name: "expect", Usage: "fail unless the output matches `REGEXP` (RE2; ^ and $ match at line ends); may repeat", Value: &o.expect},
			&cli.GenericFlag{Name: "reject", Usage: "fail if the output matches `REGEXP`; may repeat", Value: &o.reject},
		}, o.Flags(), o.Rolling(), o.bus.Flags()),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.words = append(c.Args().Slice(), r.Rest...)
			return command(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.AnyWords}, Rest: run.Words{Kind: run.AnyWords}})
}

// action makes the action that runs the command.
func (o *options) action(r *run.Run) (ami.Action, error) {
	line := strings.Join(o.words, " ")
	if strings.TrimSpace(line) == "" {
		return ami.Action{}, fail.Usage("such as `amictl command core show channels`", "the command is missing")
	}
	action := ami.NewAction("Command", "Command", line)
	action.Timeout = r.Settings.Timeout
	if err := act.CheckAction(&action); err != nil {
		return action, err
	}
	switch o.prefix {
	case "auto", "always", "never":
		return action, nil
	}
	return action, fail.Usage("auto, always or never", "--prefix %q is not one of the choices", o.prefix)
}

// command sends the command to the nodes selected and prints its output.
func command(ctx context.Context, r *run.Run, o *options) error {
	action, err := o.action(r)
	if err != nil {
		return err
	}
	wanted, err := act.NewTextConditions(o.expect, o.reject)
	if err != nil {
		return err
	}
	nodes, done, err := act.Aim(ctx, r, &o.Fanout, &o.bus, &action)
	if err != nil || done {
		return err
	}
	several := len(nodes) > 1 && o.Route == ""
	p, err := r.Printer(run.CommandText, len(nodes) > 1, several)
	if err != nil {
		return err
	}
	named := o.prefix == "always" || o.prefix == "auto" && several
	origin := output.Origin{Action: action.Name}
	var t target.Tally
	var failed error
	ask := func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
		reply, err := c.Do(ctx, action)
		if err == nil {
			err = wanted.Check(c.Name(), reply)
		}
		return reply, err
	}
	target.Each(ctx, r, nodes, &o.Fanout, ask, func(e target.Ending) {
		if e.Reply != nil && p.Options().Format == output.Raw {
			failed = errors.Join(failed, commandOutput(r, p, e, named, several, &t), p.Flush())
			return
		}
		if e.Reply != nil && hasOutput(e.Reply) && !several { // the text of an Error is the answer
			t.Add(fail.Classify(e.Err).Exit)
			failed = errors.Join(failed, p.Reply(e.Reply, &origin))
			complainCondition(r, e.Err)
			return
		}
		failed = errors.Join(failed, target.Report(r, p, e, origin, several, &t))
	})
	if err := p.Close(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return t.Err()
}

// complainCondition tells what --expect or --reject found; the output does not say it.
func complainCondition(r *run.Run, err error) {
	if f := fail.Classify(err); f.Code == fail.CodeCondition {
		r.Complain(f)
	}
}

// commandOutput prints the text as it is. A server's Error comes with text as a rule: that is kept, and says enough.
func commandOutput(r *run.Run, p *output.Printer, e target.Ending, named, several bool, t *target.Tally) error {
	status := fail.Classify(e.Err).Exit
	if e.Err != nil && !hasOutput(e.Reply) {
		t.Add(status)
		if several {
			r.Complain(fail.Classify(e.Err))
			return nil
		}
		return e.Err
	}
	t.Add(status)
	complainCondition(r, e.Err)
	prefix := ""
	if named {
		prefix = output.Safe(e.Node) + "| "
	}
	if soleEmptyLine(e.Reply) {
		return nil
	}
	for line := range e.Reply.Output() {
		if err := p.Text(prefix, line); err != nil {
			return err
		}
	}
	return nil
}

func hasOutput(r *ami.Reply) bool {
	for range r.Output() {
		return true
	}
	return false
}

// soleEmptyLine tells the output of a command that printed nothing: Asterisk 14 and newer send one empty header.
func soleEmptyLine(r *ami.Reply) bool {
	n := 0
	for line := range r.Output() {
		if n++; n > 1 || line != "" {
			return false
		}
	}
	return n == 1 && !wire.EqualFold(r.Name(), "Follows")
}
