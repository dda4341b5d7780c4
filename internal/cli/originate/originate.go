package originate

import (
	"context"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
)

const help = `Examples:
  amictl originate --channel PJSIP/100 --exten 200 --context default
  amictl originate --channel PJSIP/100 --application Playback --data demo
  amictl originate -c PJSIP/100 -e 200@default --var CAMPAIGN=7 --ring 20s
  amictl originate -c PJSIP/100 -e 200@default --wait hangup
  amictl originate -c PJSIP/100 -e 200@default --async

After "originate", --context is the dialplan's context; use -C for a context of amictl.
Waits for OriginateResponse and exits 0 when the channel was answered, else 1 with the outcome: busy,
no-answer, congestion or failed. --async only waits for Asterisk to accept the request. --wait hangup follows
the channel to its end, for as long as it takes or --timeout allows, and prints an object of type "call" with
the cause; it exits 0 if the cause is a normal one: 16, 31, and 0, which a channel has whose application or dialplan came
to its end, for nobody hung it up with a cause. The reply's message and its time are those of the request ("successfully
queued"); how the call went is its outcome. Give further headers of the action as Key=Value.`

// options are those of originate.
type options struct {
	call.Options
	bus    target.Bus
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
		Flags: slices.Concat(o.CallFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "async", Usage: "do not wait for the outcome", Destination: &o.Async},
			flags.Choice("wait", "", "wait for `WHAT`: answer, or hangup (answer)", &o.Wait, "answer", "hangup"),
		}, o.Fanout.Flags(), o.Rolling(), o.bus.Flags()),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.fields = c.Args().Slice()
			return originate(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.Parameters, Action: "Originate"}, Aliases: call.Aliases})
}

// originate makes the call and prints how it ended.
func originate(ctx context.Context, r *run.Run, o *options) error {
	if err := o.SettleContext(r); err != nil {
		return err
	}
	action, err := call.Action(r, &o.Options, o.fields)
	if err != nil {
		return err
	}
	nodes, done, err := act.Aim(ctx, r, &o.Fanout, &o.bus, &action)
	if err != nil || done {
		return err
	}
	if o.Async {
		return call.Make(ctx, r, &o.Fanout, nodes, action, call.Queued)
	}
	until := call.Answered
	if o.Wait == "hangup" {
		if err := o.bus.NeedsServers("--wait hangup"); err != nil {
			return err
		}
		until = call.Over
	}
	return call.Make(ctx, r, &o.Fanout, nodes, action, until)
}
