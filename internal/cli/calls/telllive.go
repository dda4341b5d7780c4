package calls

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/replay"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
)

// live tells a call that is up, from now until it ends. All is subscribed to before its channels are listed.
func (t *telling) live(ctx context.Context, nodes []ami.Config, length flags.Duration) error {
	run.FavourStreams()
	for i := range nodes {
		nodes[i].Events = "on"
	}
	c, err := target.Cluster(t.run, nodes)
	if err != nil {
		return err
	}
	defer target.Finish(ctx, c)
	sub, err := c.Subscribe(ami.SubscribeOptions{RingEvents: target.RingEvents, RingBytes: target.RingBytes, Throttle: true})
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := target.Await(ctx, t.run, c, len(nodes)); err != nil {
		return err
	}
	node, reply, err := t.find(ctx, c)
	if err != nil {
		return err
	}
	t.draw(many)
	for i := range reply.Events {
		if err := t.already(&reply.Events[i], reply.Received); err != nil {
			return err
		}
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if length.Given {
		limited, cancel = context.WithTimeout(ctx, length.Value)
	}
	defer cancel()
	err = t.follow(limited, sub, node, reply)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// find lists channels, node by node, until one has the call.
func (t *telling) find(ctx context.Context, c *ami.Cluster) (node string, reply *ami.Reply, err error) {
	for _, n := range c.Nodes() {
		limited, cancel := context.WithTimeout(ctx, t.run.Settings.Timeout)
		reply, err := n.Do(limited, ami.NewAction("CoreShowChannels"))
		cancel()
		if err != nil {
			return "", nil, err
		}
		slices.SortFunc(reply.Events, func(a, b ami.Event) int { return older(a.Get("Uniqueid"), b.Get("Uniqueid")) })
		for range 2 { // the name of one channel may stand for the Linkedid of others before it
			t.Again()
			for i := range reply.Events {
				t.Take(&reply.Events[i].Message)
			}
		}
		if t.Legs() > 0 {
			return n.Name(), reply, nil
		}
	}
	return "", nil, &fail.Error{
		Code: fail.CodeCondition, Message: "no call " + t.id + " is up",
		Hint: "the linkedid, or the uniqueid or name of a channel, as `amictl calls --live` shows them; --from FILE tells calls that are over",
	}
}

// older compares Uniqueids, which end in a number that grows.
func older(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// already prints a channel that was there before.
func (t *telling) already(item *ami.Event, at time.Time) error {
	l := t.Leg(item.Get("Uniqueid"))
	if l == nil || t.chart == nil {
		return nil
	}
	text := "is " + strings.ToLower(item.Get("ChannelStateDesc"))
	if app := item.Get("Application"); app != "" {
		text += " in " + app
	}
	return t.out.Text("", t.chart.Line(at, l, text))
}

// follow prints the call's events from its list on, until it is over.
func (t *telling) follow(ctx context.Context, sub *ami.Subscription, node string, from *ami.Reply) error {
	for {
		ev, ok := sub.PollBorrowed()
		if !ok {
			if err := t.out.Flush(); err != nil {
				return err
			}
			var err error
			if ev, err = sub.NextBorrowed(ctx); err != nil {
				return err
			}
		}
		switch {
		case ev.Node != node:
		case ev.Gap != nil:
			return &fail.Error{
				Code: fail.CodeGap, Message: ev.Node + ": events are missing (" + string(ev.Gap.Reason) + ")",
				Hint: "the call may go on; the same command again follows it",
			}
		case ev.Session == from.Session && ev.Seq <= from.Seq: // the list is ahead of these
		case t.Take(&ev.Message):
			if err := t.show(ev, replay.Moment(ev)); err != nil {
				return err
			}
			if t.Over() {
				return nil
			}
		}
	}
}
