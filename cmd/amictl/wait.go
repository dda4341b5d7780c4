package main

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

const waitHelp = `Examples:
  amictl wait Hangup --where 'Cause=16' --timeout 60s
  amictl wait QueueMemberPause -- QueuePause Interface=PJSIP/1 Paused=true
  amictl wait --ready --timeout 2m         until a booting server is ready
  amictl wait --until CoreCurrentCalls=0 --timeout 1h -- CoreStatus

Subscribes first and then sends the action, so the event cannot be missed; events from before the action do
not count. Prints what it waited for and exits 0; 5 when --timeout is over; 7 when it is over and events are
missing; 3 or 4 when there was no session. --ready waits through refused connections and a boot, not through
a refused login.
--until sends the action again and again, until its answer (the response, an item of its list, or the event
that ends the list) meets the condition; of several nodes (--all), until all of them do.`

func (a *app) waitCommand() *cli.Command {
	f := &tailFlags{count: count{n: 1, set: true}}
	u := &untilFlags{every: duration{d: 5 * time.Second}}
	ready := false
	return &cli.Command{
		Name:        "wait",
		Usage:       "wait for events, or for a server to be ready",
		ArgsUsage:   "[EVENT]... [-- ACTION [Key=Value]...]",
		Description: waitHelp,
		Metadata:    map[string]any{"rest": true},
		Flags: append([]cli.Flag{
			whereFlag(&f.where),
			&cli.GenericFlag{Name: "count", Usage: "wait for `N` events (1)", Value: &f.count},
			&cli.BoolFlag{Name: "ready", Usage: "wait until every node has booted", Destination: &ready},
			&cli.GenericFlag{Name: "until", Usage: "send the action until its answer meets `CONDITION`, such as CoreCurrentCalls=0; may repeat", Value: &u.conditions},
			&cli.GenericFlag{Name: "every", Usage: "with --until: ask each `TIME` (5s)", Value: &u.every},
		}, f.fanout.flags()...),
		Action: func(ctx context.Context, c *cli.Command) error {
			if ready {
				if c.Args().Present() || a.hasTo || len(f.where) > 0 || len(u.conditions) > 0 || u.every.set || f.dryRun || f.route != "" {
					return usageError("`amictl wait --ready && amictl wait …` does one after the other", "--ready goes with nothing else")
				}
				return a.waitReady(ctx)
			}
			if len(u.conditions) > 0 {
				if c.Args().Present() || len(f.where) > 0 {
					return usageError("an event is waited for without --until", "--until goes with neither events nor --where")
				}
				return a.waitUntil(ctx, u, &f.fanout)
			}
			if u.every.set {
				return usageError("such as --until CoreCurrentCalls=0 --every 5s -- CoreStatus", "--every goes with --until")
			}
			return a.waitEvents(ctx, f, c.Args().Slice())
		},
	}
}

// waitEvents waits within --timeout for as many events as --count says.
func (a *app) waitEvents(ctx context.Context, f *tailFlags, names []string) error {
	t, err := a.newTailer(f, names, answers)
	if err != nil {
		return notDry(err)
	}
	limited, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	t.quietReply = true
	err = t.live(limited)
	if end := t.end(); err == nil {
		err = end
	}
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	if t.gaps > 0 {
		return &cliError{code: codeGap, msg: "it was not seen within " + a.timeout().String() + ", but events are missing", hint: "it may have happened meanwhile: look before you try again"}
	}
	return &cliError{code: codeTimeout, msg: "it was not seen within " + a.timeout().String(), hint: "--timeout allows more time; the user's read= in manager.conf must allow the event's classes"}
}

// waitSession waits for a session, through all failures but a refused login.
func waitSession(ctx context.Context, n *ami.Node) error {
	for {
		short, cancel := context.WithTimeout(ctx, bootPause)
		err := n.WaitReady(short)
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if _, last := n.State(); last != nil && isLogin(last) {
			return last
		}
		if short.Err() == nil {
			return err
		}
	}
}

// bootPause is the time between two looks at a server that boots.
const bootPause = 250 * time.Millisecond

// waitReady waits until all nodes have booted, through refused connections and refused actions.
func (a *app) waitReady(ctx context.Context) error {
	nodes, err := a.targets()
	if err != nil {
		return err
	}
	for i := range nodes {
		nodes[i].Events = "system"
		nodes[i].BackoffMax = 2 * time.Second
		nodes[i].BreakerAfter = math.MaxInt64
	}
	c, err := a.cluster(nodes)
	if err != nil {
		return err
	}
	defer finish(ctx, c)
	limited, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	for _, n := range c.Nodes() {
		if err := waitBooted(limited, n); err != nil {
			if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return a.notReady(n)
		}
	}
	return nil
}

// notReady is the error of a wait --ready whose time is over: why the node's last attempt failed, or how far it came.
func (a *app) notReady(n *ami.Node) error {
	state, last := n.State()
	why := failure{Message: "it has not finished booting", Hint: "its own log says what it waits for; --timeout allows more time"}
	switch {
	case last != nil:
		why = classify(last)
	case state != ami.StateReady && state != ami.StateDegraded:
		why = failure{Message: "it takes the connection and does not answer", Hint: "is this the manager's port (5038)? --timeout allows more time"}
	}
	return &cliError{code: codeTimeout, msg: n.Name() + " was not ready within " + a.timeout().String() + ": " + why.Message, hint: why.Hint}
}

// waitBooted waits for FullyBooted, or for the time of the last boot in CoreStatus on a user without the class system.
// A refused login ends it: Asterisk knows its users before it listens, so that waiting would not help.
func waitBooted(ctx context.Context, n *ami.Node) error {
	for {
		if err := waitSession(ctx, n); err != nil {
			return err
		}
		if n.Booted() {
			return nil
		}
		r, err := n.Do(ctx, ami.NewAction("CoreStatus"))
		if err == nil && r.Get("CoreStartupTime") != "" {
			return nil
		}
		select {
		case <-time.After(bootPause):
		case <-ctx.Done():
			return ctx.Err()
		}
		if refused := (*ami.ResponseError)(nil); errors.As(err, &refused) && wire.EqualFold(refused.Message, "Permission denied") {
			return nil // it answers with knowledge of its classes; there is no more to learn
		}
	}
}
