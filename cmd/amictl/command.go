package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

const commandHelp = `Examples:
  amictl command core show channels
  amictl command 'core show channels concise' | wc -l
  amictl command --all core show uptime     each line begins with its node
  amictl command -o json queue show
  amictl command --expect Running module show like chan_pjsip
  amictl command --reject 'No such' queue show support
  amictl command --all --batch 5 --pause 10s --max-fail 1 core reload
  amictl command -- core set verbose -1     -1 is no flag of amictl

Prints the text as "asterisk -rx" does; the exit status is 1 if the server answered Error.
Asterisk itself says Success to many a command that did nothing: --expect and --reject look at the text.`

// commandFlags are those of command.
type commandFlags struct {
	fanout
	prefix         string
	expect, reject list
}

func (a *app) commandCommand() *cli.Command {
	f := &commandFlags{prefix: "auto"}
	return &cli.Command{
		Name:        "command",
		Usage:       "run a command of Asterisk's own command line",
		ArgsUsage:   "WORD...",
		Description: commandHelp,
		Metadata:    map[string]any{"rest": true},
		Flags: slices.Concat([]cli.Flag{
			text("prefix", "", "begin each line with the node's name: `WHEN` is auto, always or never", &f.prefix),
			&cli.GenericFlag{Name: "expect", Usage: "fail unless the output matches `REGEXP` (RE2, ^ and $ are a line's ends); may repeat", Value: &f.expect},
			&cli.GenericFlag{Name: "reject", Usage: "fail if the output matches `REGEXP`; may repeat", Value: &f.reject},
		}, f.flags(), f.rolling()),
		Action: func(ctx context.Context, c *cli.Command) error {
			line := strings.Join(append(c.Args().Slice(), a.rest...), " ")
			if strings.TrimSpace(line) == "" {
				return usageError("such as `amictl command core show channels`", "the command is missing")
			}
			action := ami.NewAction("Command", "Command", line)
			action.Timeout = a.timeout()
			if err := checkAction(&action); err != nil {
				return err
			}
			return a.runCommand(ctx, f, action)
		},
	}
}

// runCommand sends a Command to the nodes selected and prints the output.
func (a *app) runCommand(ctx context.Context, f *commandFlags, action ami.Action) error {
	switch f.prefix {
	case "auto", "always", "never":
	default:
		return usageError("auto, always or never", "--prefix %q is none of the choices", f.prefix)
	}
	wanted, err := newTextConditions(f.expect, f.reject)
	if err != nil {
		return err
	}
	nodes, done, err := a.aim(&f.fanout, &action)
	if err != nil || done {
		return err
	}
	several := len(nodes) > 1 && f.route == ""
	p, err := a.printer(commandText, len(nodes) > 1, several)
	if err != nil {
		return err
	}
	named := f.prefix == "always" || f.prefix == "auto" && several
	origin := output.Origin{Action: action.Name}
	var t tally
	var failed error
	ask := func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
		r, err := c.Do(ctx, action)
		if err == nil {
			err = wanted.check(c.Name(), r)
		}
		return r, err
	}
	a.each(ctx, nodes, &f.fanout, ask, func(e ending) {
		if e.reply != nil && p.Options().Format == output.Raw {
			failed = errors.Join(failed, a.commandOutput(p, e, named, several, &t), p.Flush())
			return
		}
		if e.reply != nil && hasOutput(e.reply) && !several { // the text of an Error is the answer
			t.add(classifyStatus(e.err))
			failed = errors.Join(failed, p.Reply(e.reply, &origin))
			a.complainCondition(e.err)
			return
		}
		failed = errors.Join(failed, a.report(p, e, origin, several, &t))
	})
	if err := p.Close(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return t.err()
}

// complainCondition tells what --expect or --reject found; the output does not say it.
func (a *app) complainCondition(err error) {
	if f := classifyNil(err); f.Code == codeCondition {
		a.complain(f)
	}
}

func classifyNil(err error) failure {
	if err == nil {
		return failure{}
	}
	return classify(err)
}

func classifyStatus(err error) int {
	if err == nil {
		return exitOK
	}
	return classify(err).Exit
}

// commandOutput prints the text as it is. A server's Error comes with text as a rule: that is kept, and says enough.
func (a *app) commandOutput(p *output.Printer, e ending, named, several bool, t *tally) error {
	status := classifyStatus(e.err)
	if e.err != nil && !hasOutput(e.reply) {
		t.add(status)
		if several {
			a.complain(classify(e.err))
			return nil
		}
		return e.err
	}
	t.add(status)
	a.complainCondition(e.err)
	prefix := ""
	if named {
		prefix = output.Safe(e.node) + "| "
	}
	if soleEmptyLine(e.reply) {
		return nil
	}
	for line := range e.reply.Output() {
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
