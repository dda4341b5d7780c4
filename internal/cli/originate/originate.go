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
	"github.com/apntalk/amictl/pkg/ami"
)

const help = `Examples:
  amictl originate --channel PJSIP/100 --exten 200 --context default
  amictl originate --channel PJSIP/100 --application Playback --data demo
  amictl originate -c PJSIP/100 -e 200@default --var CAMPAIGN=7 --ring 20s
  amictl originate -c PJSIP/100 -e 200@default --wait hangup
  amictl originate -c PJSIP/100 -e 200@default --async

Behind "originate" --context is the dialplan's context; the context of amictl goes with -C there.
Waits for OriginateResponse and exits 0 when the channel was answered, else 1 with the outcome: busy,
no-answer, congestion or failed. --async only waits for Asterisk to take the request. --wait hangup follows
the channel to its end, for as long as it takes or --timeout allows, and prints an object of type "call" with
the cause; it exits 0 when that is a normal one. Further headers of the action go as Key=Value.`

// dialplanContext is the flag that --context stands for behind `originate`. Everywhere else, and as -C, it is amictl's
// own context. A value that could be either is refused: see originateContext.
const dialplanContext = "dialplan-context"

func Command(r *run.Run) *cli.Command {
	f := &call.Options{Wait: "answer", Ring: flags.Duration{Value: 30 * time.Second}}
	return r.Tell(&cli.Command{
		Name:        "originate",
		Usage:       "make a call and wait for its outcome",
		ArgsUsage:   "[Key=Value]...",
		Description: help,
		Flags: slices.Concat([]cli.Flag{
			flags.Text("channel", "c", "call this `CHANNEL`, such as PJSIP/100", &f.Channel),
			flags.Text("exten", "e", "connect it to this `EXTENSION`, or EXTENSION@CONTEXT", &f.Exten),
			flags.Text(dialplanContext, "", "`CONTEXT` of the extension (default); --context means the same behind originate", &f.Context),
			flags.Text("priority", "", "`PRIORITY` of the extension (1)", &f.Priority),
			flags.Text("application", "", "connect it to this `APPLICATION` instead", &f.Application),
			flags.Text("data", "", "`ARGUMENTS` of the application", &f.Data),
			flags.Text("caller-id", "", "`CALLERID`, such as 'Support <100>'", &f.CallerID),
			flags.Text("account", "", "`CODE` for the call records", &f.Account),
			&cli.GenericFlag{Name: "var", Usage: "set the channel variable `KEY=VALUE`; may repeat, the value goes as it is", Value: &f.Vars},
			&cli.GenericFlag{Name: "ring", Usage: "let it ring for `TIME` (30s)", Value: &f.Ring},
			&cli.BoolFlag{Name: "async", Usage: "do not wait for the outcome", Destination: &f.Async},
			flags.Text("wait", "", "wait for `WHAT`: answer, or hangup (answer)", &f.Wait),
		}, f.Fanout.Flags(), f.Rolling()),
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := originateContext(r, f); err != nil {
				return err
			}
			action, err := call.Action(r, f, c.Args().Slice())
			if err != nil {
				return err
			}
			return originate(ctx, r, f, action)
		},
	}, run.About{Aliases: map[string]string{"--context": "--" + dialplanContext}})
}

// originateContext settles the extension's context.
func originateContext(r *run.Run, f *call.Options) error {
	if r.Settings.Config.Contexts[f.Context] != nil && r.Flags.Context == "" {
		return fail.Usage("-C "+f.Context+" for amictl's context, --exten EXTENSION@"+f.Context+" for the dialplan's", "--context %s may be a context of amictl or of the dialplan", f.Context)
	}
	exten, context, found := strings.Cut(f.Exten, "@")
	if !found {
		return nil
	}
	if f.Context != "" {
		return fail.Usage("leave one of them out", "--exten %s and --context %s both name a context", f.Exten, f.Context)
	}
	f.Exten, f.Context = exten, context
	return nil
}

// originate makes the call and prints how it ended.
func originate(ctx context.Context, r *run.Run, f *call.Options, action ami.Action) error {
	nodes, done, err := act.Aim(r, &f.Fanout, &action)
	if err == nil {
		act.WarnUnknown(r, &action)
	}
	if err != nil || done {
		return err
	}
	if f.Async {
		return call.Make(ctx, r, &f.Fanout, nodes, action, call.Queued)
	}
	until := call.Answered
	if f.Wait == "hangup" {
		until = call.Over
	}
	return call.Make(ctx, r, &f.Fanout, nodes, action, until)
}
