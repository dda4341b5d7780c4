package originate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
)

const help = `Examples:
  amictl originate --channel PJSIP/100 --exten 200 --context default
  amictl originate --channel PJSIP/100 --application Playback --data demo
  amictl originate -c PJSIP/100 -e 200@default --var CAMPAIGN=7 --ring 20s
  amictl originate -c PJSIP/100 -e 200@default --wait hangup
  amictl originate -c PJSIP/100 -e 200@default --async

After "originate", --context is the dialplan's context; use -C for a context of amictl.
Waits for OriginateResponse and exits 0 when the channel was answered, else 1 with the outcome: busy,
no-answer, congestion or failed. --async only waits for Asterisk to take the request. --wait hangup follows
the channel to its end, for as long as it takes or --timeout allows, and prints an object of type "call" with
the cause; it exits 0 when that is a normal one. Further headers of the action go as Key=Value.`

// dialplanContext is the flag that --context stands for behind `originate`. Everywhere else, and as -C, it is amictl's
// own context. A value that could be either is refused: see settleContext.
const dialplanContext = "dialplan-context"

// options are those of originate.
type options struct {
	call.Options
	fields []string // Key=Value, further headers of the action
}

// newOptions returns the options of an originate that has no flags.
func newOptions() *options {
	return &options{Options: call.Options{Wait: "answer", Ring: flags.Duration{Value: 30 * time.Second}}}
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := newOptions()
	return r.Tell(&cli.Command{
		Name:        "originate",
		Usage:       "make a call and wait for its outcome",
		ArgsUsage:   "[Key=Value]...",
		Description: help,
		Flags: slices.Concat([]cli.Flag{
			flags.Text("channel", "c", "call this `CHANNEL`, such as PJSIP/100", &o.Channel),
			flags.Text("exten", "e", "connect it to this `EXTENSION`, or EXTENSION@CONTEXT", &o.Exten),
			flags.Text(dialplanContext, "", "`CONTEXT` of the extension (default); --context means the same behind originate", &o.Context),
			flags.Text("priority", "", "`PRIORITY` of the extension (1)", &o.Priority),
			flags.Text("application", "", "connect it to this `APPLICATION` instead", &o.Application),
			flags.Text("data", "", "`ARGUMENTS` of the application", &o.Data),
			flags.Text("caller-id", "", "`CALLERID`, such as 'Support <100>'", &o.CallerID),
			flags.Text("account", "", "`CODE` for the call records", &o.Account),
			&cli.GenericFlag{Name: "var", Usage: "set the channel variable `KEY=VALUE`; may repeat, the value goes as it is", Value: &o.Vars},
			&cli.GenericFlag{Name: "ring", Usage: "let it ring for `TIME` (30s)", Value: &o.Ring},
			&cli.BoolFlag{Name: "async", Usage: "do not wait for the outcome", Destination: &o.Async},
			flags.Choice("wait", "", "wait for `WHAT`: answer, or hangup (answer)", &o.Wait, "answer", "hangup"),
		}, o.Fanout.Flags(), o.Rolling()),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.fields = c.Args().Slice()
			return originate(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.Parameters, Action: "Originate"}, Aliases: map[string]string{"--context": "--" + dialplanContext}})
}

// settleContext decides the extension's context.
func (o *options) settleContext(r *run.Run) error {
	if r.Settings.Config.Contexts[o.Context] != nil && r.Flags.Context == "" {
		return fail.Usage("-C "+o.Context+" for amictl's context, --exten EXTENSION@"+o.Context+" for the dialplan's", "--context %s may be a context of amictl or of the dialplan", o.Context)
	}
	exten, context, found := strings.Cut(o.Exten, "@")
	if !found {
		return nil
	}
	if o.Context != "" {
		return fail.Usage("leave one of them out", "--exten %s and --context %s both name a context", o.Exten, o.Context)
	}
	o.Exten, o.Context = exten, context
	return nil
}

// originate makes the call and prints how it ended.
func originate(ctx context.Context, r *run.Run, o *options) error {
	if err := o.settleContext(r); err != nil {
		return err
	}
	action, err := call.Action(r, &o.Options, o.fields)
	if err != nil {
		return err
	}
	nodes, done, err := act.Aim(r, &o.Fanout, &action)
	if err != nil || done {
		return err
	}
	if o.Async {
		return call.Make(ctx, r, &o.Fanout, nodes, action, call.Queued)
	}
	until := call.Answered
	if o.Wait == "hangup" {
		until = call.Over
	}
	return call.Make(ctx, r, &o.Fanout, nodes, action, until)
}
