package tail

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
)

const waitHelp = `Examples:
  amictl wait Hangup --where 'Cause=16' --timeout 60s
  amictl wait QueueMemberPause -- QueuePause Interface=PJSIP/1 Paused=true
  amictl wait --ready --timeout 2m         until a booting server is ready
  amictl wait --until CoreCurrentCalls=0 --timeout 1h -- CoreStatus

With --nats and --cluster, or a context that has them, events come from a bus (docs/bus.md).
Subscribes first and then sends the action, so the event cannot be missed; events from before the action do not
count. Prints what it waited for and exits 0; 5 when --timeout expires; 7 when it expires and events are missing; 3
or 4 when there was no session. A connection that is lost is told of, and made again. --ready waits while connections
are refused and the server boots, but not after a refused login.
--until sends the action again and again, until its answer (the response, an item of its list, or the event that ends
the list) meets the condition; with several nodes (--all), until all of them do. --found none waits until nothing meets
it, all until everything does, N..M until that many do.
` + "`amictl tail --help`" + ` explains conditions.`

// waitOptions are those of wait.
type waitOptions struct {
	options
	until untilOptions
	ready bool
}

// newWaitOptions returns the options of a wait that has no flags.
func newWaitOptions() *waitOptions {
	return &waitOptions{options: options{count: flags.Count{Value: 1, Given: true}}, until: untilOptions{every: flags.Duration{Value: 5 * time.Second}}}
}

// WaitCommand makes the subcommand wait.
func WaitCommand(r *run.Run) *cli.Command {
	o := newWaitOptions()
	return r.Tell(&cli.Command{
		Name:        "wait",
		Usage:       "wait for events, or for a server to be ready",
		ArgsUsage:   "[EVENT]... [-- ACTION [Key=Value]...]",
		Description: waitHelp,
		Flags: append([]cli.Flag{
			whereFlag(&o.where),
			&cli.GenericFlag{Name: "count", Usage: "wait for `N` events (1)", Value: &o.count},
			&cli.BoolFlag{Name: "ready", Usage: "wait until every node has booted", Destination: &o.ready},
			&cli.GenericFlag{Name: "until", Usage: "send the action until its answer meets `CONDITION`, such as CoreCurrentCalls=0; may repeat", Value: &o.until.conditions},
			&cli.GenericFlag{Name: "found", Usage: "with --until: how many items of the answer must meet it: `HOW` is any (if absent), all, none, N or N..M", Value: &o.until.found},
			&cli.GenericFlag{Name: "every", Usage: "with --until: ask every `TIME` (5s)", Value: &o.until.every},
		}, append(o.bus.Flags(), o.Fanout.Flags()...)...),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.names = c.Args().Slice()
			return wait(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.EventNames}, Rest: run.Words{Kind: run.ActionWords}})
}

// wait waits for events, for an answer, or for servers that boot.
func wait(ctx context.Context, r *run.Run, o *waitOptions) error {
	u := &o.until
	switch {
	case o.bus.Given() && o.ready:
		return fail.Usage("leave --nats and --cluster out", "--ready asks the servers themselves")
	case o.ready:
		if len(o.names) > 0 || r.HasTo || len(o.where) > 0 || len(u.conditions) > 0 || u.every.Given || u.found.Asks() || o.DryRun || o.Route != "" {
			return fail.Usage("`amictl wait --ready && amictl wait …` does one after the other", "--ready cannot be combined with anything else")
		}
		return waitReady(ctx, r)
	case len(u.conditions) > 0:
		if len(o.names) > 0 || len(o.where) > 0 {
			return fail.Usage("an event is waited for without --until", "--until goes with neither events nor --where")
		}
		return waitUntil(ctx, r, o)
	case u.every.Given || u.found.Asks():
		return fail.Usage("such as --until CoreCurrentCalls=0 --every 5s -- CoreStatus", "--every and --found go with --until")
	}
	return waitEvents(ctx, r, &o.options)
}

// waitEvents waits within --timeout for as many events as --count says.
func waitEvents(ctx context.Context, r *run.Run, o *options) error {
	if err := o.findBus(r); err != nil {
		return err
	}
	if o.onBus && r.Bus == nil {
		return r.RunDaemon("wait for events of a bus")
	}
	t, err := newTailer(r, o, run.Answers)
	if err != nil {
		return act.NotDry(err)
	}
	limited, cancel := context.WithTimeout(ctx, r.Settings.Timeout)
	defer cancel()
	t.quietReply = true
	if o.onBus {
		err = t.fromBus(limited)
	} else {
		err = t.live(limited)
	}
	if end := t.end(); err == nil {
		err = end
	}
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	if t.gaps > 0 {
		return &fail.Error{Code: fail.CodeGap, Message: "it was not seen within " + r.Settings.Timeout.String() + ", but events are missing", Hint: "it may have happened meanwhile: check before you try again"}
	}
	return &fail.Error{Code: fail.CodeTimeout, Message: "it was not seen within " + r.Settings.Timeout.String(), Hint: "--timeout allows more time; " + act.ReadHint(o.names)}
}

// waitReady waits until all nodes have booted, through refused connections and refused actions.
func waitReady(ctx context.Context, r *run.Run) error {
	nodes, err := target.Nodes(r)
	if err != nil {
		return err
	}
	for i := range nodes {
		nodes[i].Events = "system"
		nodes[i].Redial.BackoffMax = 2 * time.Second
		nodes[i].Redial.BreakerAfter = math.MaxInt64
	}
	c, err := target.Cluster(r, nodes)
	if err != nil {
		return err
	}
	defer target.Finish(ctx, c)
	limited, cancel := context.WithTimeout(ctx, r.Settings.Timeout)
	defer cancel()
	for _, n := range c.Nodes() {
		if err := target.WaitBooted(limited, n, false); err != nil {
			if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return notReady(r, n)
		}
	}
	return nil
}

// notReady is the error of a wait --ready whose time is over: why the node's last attempt failed, or how far it came.
func notReady(r *run.Run, n *ami.Node) error {
	state, last := n.State()
	why := fail.Failure{Message: "it has not finished booting", Hint: "its own log says what it waits for; --timeout allows more time"}
	switch {
	case last != nil:
		why = fail.Classify(target.Absent(n))
	case state != ami.StateReady && state != ami.StateDegraded:
		why = fail.Failure{Message: "it accepts the connection and does not answer", Hint: "is this the manager's port (5038)? --timeout allows more time"}
	}
	return &fail.Error{Code: fail.CodeTimeout, Message: n.Name() + " was not ready within " + r.Settings.Timeout.String() + ": " + why.Message, Hint: why.Hint}
}
