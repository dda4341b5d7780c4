package tail

import (
	"context"
	"errors"

	"github.com/apntalk/amictl/internal/backlog"
	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// live follows the servers.
func (t *tailer) live(ctx context.Context) error {
	for i := range t.nodes {
		t.nodes[i].Events = "on"
	}
	c, err := target.Cluster(t.run, nil)
	if err != nil {
		return err
	}
	defer target.Finish(ctx, c)
	quiet, err := t.listen(ctx, c)
	if err != nil {
		return fail.Usage("names may hold * and ?", "%s", fail.Cause(err))
	}
	defer quiet.Stop()
	sub, err := c.Subscribe(ami.SubscribeOptions{Events: t.names, Where: t.where, RingEvents: t.rings.events, RingBytes: t.rings.bytes, Throttle: true, Packets: t.options.packets})
	if err != nil {
		return fail.Usage("names may hold * and ?", "%s", fail.Cause(err))
	}
	defer sub.Close()
	t.sub = sub
	var spooled *spooler
	if t.spool != nil {
		spooled = t.spoolEvents(ctx, sub, func() { target.Finish(ctx, c) })
		defer spooled.close()
	}
	if err := t.connect(ctx, c); err != nil {
		return err
	}
	if err := t.beginRecord(); err != nil {
		return err
	}
	if t.quietReply && t.action != nil {
		if err := settle(ctx, c, sub); err != nil {
			return err
		}
	}
	limited, cancel := t.options.limit(ctx)
	defer cancel()
	var events stream = backlog.NewTap(limited, sub)
	if spooled != nil {
		events = spooled
		defer context.AfterFunc(limited, func() { spooled.finish(limited) })()
	}
	sent := newSender(limited, t.run, c, &t.options.Fanout, t.action)
	nudge := sent.nudge
	t.nudge.Store(&nudge)
	defer t.watchStats(nudge)()
	err = t.follow(limited, events, sent)
	if spooled != nil {
		err = t.drain(limited, spooled, err)
	}
	switch {
	case errors.Is(err, errEnough):
	case notOver(limited, err) != nil:
		return err
	default:
		quiet.End()
	}
	if err := t.lastAnswers(sent); err != nil {
		return err
	}
	t.notePackets(c)
	return t.flush() // before the sessions end
}

// connect adds the nodes, whose events are subscribed to by now, and waits for as many as --require says.
func (t *tailer) connect(ctx context.Context, c *ami.Cluster) error {
	for _, n := range t.nodes {
		if _, err := c.Add(n); err != nil {
			return fail.Usage("`amictl context show` lists the nodes", "%s", fail.Cause(err))
		}
	}
	need, err := t.options.need(len(t.nodes))
	if err != nil {
		return err
	}
	return target.Await(ctx, t.run, c, need)
}

// listen has a tail to which nothing comes say what may be why. A wait says it at its end, which is a failure then.
func (t *tailer) listen(ctx context.Context, c *ami.Cluster) (*act.Silence, error) {
	if t.quietReply {
		return nil, nil
	}
	return act.ListenFor(ctx, t.run, c, t.names)
}

// notePackets says what came and was not shown, for it was neither an event nor an answer.
func (t *tailer) notePackets(c *ami.Cluster) {
	if t.options.packets || t.quietReply {
		return
	}
	var n uint64
	for _, s := range c.Stats().Nodes {
		n += s.Raw + s.Foreign + s.Unmatched
	}
	if n > 0 {
		t.run.Note("%s neither event nor answer; --packets shows such packets", fail.Were(n, "packet"))
	}
}

// lastAnswers waits for the answers that are still to come: an end by --count must not hide how the action went, nor one
// by --for or --until, which gives up what has no answer by then, that nobody knows. A wait looks at its events alone.
func (t *tailer) lastAnswers(sent *sender) error {
	if t.quietReply {
		return nil
	}
	sent.open.Wait()
	err := t.answers(sent)
	if err == nil {
		return t.acted.Err()
	}
	f := fail.Classify(err)
	return &fail.Error{Code: f.Code, Exit: f.Exit, Sent: f.Sent, Message: f.Message, Hint: f.Hint}
}

// follow takes events until there are enough, ctx is done or the action failed. It writes whenever nothing is at hand.
func (t *tailer) follow(ctx context.Context, events stream, sent *sender) error {
	for {
		if t.durable != nil && t.durable.Due() {
			if err := t.flush(); err != nil {
				return err
			}
		}
		ev, ok := events.PollBorrowed()
		if !ok {
			if err := t.answers(sent); err != nil {
				return err
			}
			if err := t.flush(); err != nil {
				return err
			}
			var err error
			ev, err = events.NextBorrowed(sent.wait)
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return ctx.Err()
			case sent.wait.Err() != nil:
				continue
			default:
				return err
			}
		}
		if err := t.take(ev); err != nil {
			return err
		}
	}
}

// answers prints the replies to the action that have come.
func (t *tailer) answers(sent *sender) error {
	for _, e := range sent.take() {
		origin := output.Origin{Action: t.action.Name}
		if e.Err != nil {
			if len(t.nodes) == 1 || t.options.Route != "" {
				return e.Err
			}
			f := fail.Classify(e.Err)
			t.acted.Add(f.Exit)
			t.run.Complain(f)
			if err := t.out.Failure(target.FailureObject(f, e.Node, origin)); err != nil {
				return err
			}
			continue
		}
		t.acted.Add(fail.ExitOK)
		if t.stats == nil && !t.quietReply && t.run.Settings.Output != run.OutputCSV { // whose rows are events
			if err := t.out.Reply(e.Reply, &origin); err != nil {
				return err
			}
		}
	}
	return nil
}
