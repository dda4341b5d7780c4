package main

import (
	"context"
	"errors"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

const commandHelp = `Examples:
  amictl command core show channels
  amictl command 'core show channels concise' | wc -l
  amictl command --all core show uptime          each line begins with the node's name
  amictl command -o json queue show
  amictl command -- core set verbose -1          what is no flag of amictl goes behind --

Prints the text as "asterisk -rx" does; the exit status is 1 if the server answered Error.
Asterisk itself says Success to many a command that did nothing.`

func (a *app) commandCommand() *cli.Command {
	f := &fanout{}
	prefix := "auto"
	return &cli.Command{
		Name:        "command",
		Usage:       "run a command of Asterisk's own command line",
		ArgsUsage:   "WORD...",
		Description: commandHelp,
		Metadata:    map[string]any{"rest": true},
		Flags:       append(f.flags(), text("prefix", "", "begin each line with the node's name: `WHEN` is auto, always or never", &prefix)),
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
			return a.runCommand(ctx, f, action, prefix)
		},
	}
}

// runCommand sends a Command to the nodes selected and prints the output.
func (a *app) runCommand(ctx context.Context, f *fanout, action ami.Action, prefix string) error {
	nodes, err := a.targets()
	if err != nil {
		return err
	}
	if err := f.check(len(nodes)); err != nil {
		return err
	}
	switch prefix {
	case "auto", "always", "never":
	default:
		return usageError("auto, always or never", "--prefix %q is none of the choices", prefix)
	}
	several := len(nodes) > 1 && f.route == ""
	p, err := a.printer(commandText, len(nodes) > 1, several)
	if err != nil {
		return err
	}
	named := prefix == "always" || prefix == "auto" && several
	origin := output.Origin{Action: action.Name}
	var t tally
	var failed error
	ask := func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) { return c.Do(ctx, action) }
	a.each(ctx, nodes, f, ask, func(e ending) {
		if e.reply != nil && p.Options().Format == output.Raw {
			failed = errors.Join(failed, a.commandOutput(p, e, named, several, &t))
			return
		}
		if e.reply != nil && hasOutput(e.reply) && !several { // the text of an Error is the answer
			t.add(classifyStatus(e.err))
			failed = errors.Join(failed, p.Reply(e.reply, &origin))
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
	prefix := ""
	if named {
		prefix = output.Safe(e.node) + "| "
	}
	if soleEmptyLine(e.reply) {
		return nil
	}
	for line := range e.reply.OutputLines() {
		if err := p.Text(prefix, line); err != nil {
			return err
		}
	}
	return nil
}

func hasOutput(r *ami.Reply) bool {
	for range r.OutputLines() {
		return true
	}
	return false
}

// soleEmptyLine tells the output of a command that printed nothing: Asterisk 14 and newer send one empty header.
func soleEmptyLine(r *ami.Reply) bool {
	n := 0
	for line := range r.OutputLines() {
		if n++; n > 1 || line != "" {
			return false
		}
	}
	return n == 1 && !wire.EqualFold(r.Name(), "Follows")
}
