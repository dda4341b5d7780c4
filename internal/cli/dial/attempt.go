package dial

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami"
)

// An attempt is one call of a number, from the row in the journal until it is over.
type attempt struct {
	number   int
	server   *server // nil: none of this run's
	nodeName string
	id       string // its ChannelId
	call     *ami.FollowedCall
	sent     time.Time
	name     string // of its channel, if a list told it
	missed   bool   // some of its events were, or an earlier run's

	known    bool // the outcome is
	outcome  ami.Outcome
	message  string // the server's words, if it refused
	answered time.Time
	ring     time.Duration
	talk     time.Duration
	seen     bool // there is a channel, or was one
	ended    bool
	cause    string

	due     time.Time // when it is doubted unless something came; zero: never
	doubted time.Time // since when nobody knows whether it is still there; zero: it is followed
}

// unmeasured is a time that nobody knows.
const unmeasured = -1 * time.Microsecond

const (
	// settling is how long an Originate may take to become a channel that a list shows.
	settling = 2 * time.Second
	// partGrace is how long an OriginateResponse and the Hangup of its channel come apart.
	partGrace = 2 * time.Second
)

// hold follows an attempt from now on.
func (d *dialer) hold(a *attempt) {
	d.attempts[a.id] = a
	if a.server == nil {
		return
	}
	a.call = a.server.follower.Follow(a.id)
	d.calls[a.call] = a
	a.due = a.sent.Add(d.options.Ring.Value + call.OriginateGrace)
}

// adopt takes over a call that an earlier run began. Whether it is still up a list will show.
func (d *dialer) adopt(number int, e *entry, s *server) {
	a := &attempt{
		number: number, server: s, nodeName: e.call.node, id: e.call.id, sent: e.call.at, missed: true, ring: unmeasured, talk: unmeasured,
	}
	if e.last.state == stepAnswered {
		a.known, a.outcome, a.ring, a.seen = true, ami.OutcomeAnswered, e.last.ring, true
	}
	d.hold(a)
	if s != nil {
		s.up++
		if a.known {
			d.score.up(1)
		}
	}
	a.due, a.doubted = time.Time{}, time.Now()
}

// forget ends the following of an attempt.
func (d *dialer) forget(a *attempt) {
	delete(d.attempts, a.id)
	if a.server == nil {
		return
	}
	a.server.up--
	if a.call != nil {
		a.server.follower.Forget(a.call)
		delete(d.calls, a.call)
	}
}

// unsent is an attempt of which nothing was sent.
func (d *dialer) unsent(a *attempt, now time.Time) {
	d.note(a, stepUnsent, now)
	d.forget(a)
	d.score.calls--
	d.sched.unsent(a.number, now)
	d.sched.hold(now.Add(nobodyPause))
}

// taken takes the server's answer to an Originate, which says only whether it was queued.
func (d *dialer) taken(a *attempt, err error, now time.Time) {
	var refused *ami.ResponseError
	switch {
	case err == nil || d.attempts[a.id] != a:
	case errors.Is(err, ami.ErrStopping):
		a.server.restUntil = now.Add(settling)
		d.unsent(a, now)
	case errors.As(err, &refused):
		if f := fail.Classify(err); f.Code == fail.CodePermission {
			d.giveUp(err)
			d.unsent(a, now)
			return
		}
		a.known, a.outcome, a.message = true, ami.OutcomeFailed, refused.Message
		d.finish(a, now)
	case ami.SentState(err) == ami.SentNo:
		d.unsent(a, now)
	default: // it may have got there
		a.missed = a.missed || errors.Is(err, ami.ErrDisconnected)
		d.doubt(a, now)
	}
}

// event takes an event about a call, or what says that some are missing.
func (d *dialer) event(ev *ami.Event) {
	s := d.server(ev.Node)
	switch {
	case s == nil:
		return
	case ev.Gap != nil:
		for _, a := range d.attempts {
			if a.server == s {
				a.missed = true
				d.doubt(a, ev.Received)
			}
		}
		return
	}
	a := d.calls[s.follower.Event(&ev.Message)]
	if o := ami.OriginateOutcome(&ev.Message); o != ami.OutcomeUnknown {
		if a = d.attempts[ev.Get("Uniqueid")]; a != nil && a.server == s {
			d.heard = true
			d.learn(a, o, ev.Received)
			d.settle(a, ev.Received)
		}
		return
	}
	if a == nil {
		return
	}
	d.heard, a.seen = true, true
	if a.call.Ended && !a.ended {
		a.ended, a.cause = true, a.call.Cause
		a.due = ev.Received.Add(partGrace)
	}
	d.settle(a, ev.Received)
}

// learn notes how a call was taken.
func (d *dialer) learn(a *attempt, o ami.Outcome, at time.Time) {
	if a.known {
		return
	}
	a.known, a.outcome = true, o
	if o != ami.OutcomeAnswered {
		a.ring, a.due = max(at.Sub(a.sent), 0), at.Add(partGrace)
		return
	}
	a.seen, a.due = true, time.Time{}
	if !a.missed {
		a.ring, a.answered = max(at.Sub(a.sent), 0), at
	}
	d.note(a, stepAnswered, at)
	d.score.up(1)
}

// settle ends an attempt whose outcome is known and whose channel, if there was one, is gone.
func (d *dialer) settle(a *attempt, now time.Time) {
	if !a.known || a.seen && !a.ended {
		return
	}
	if a.outcome == ami.OutcomeAnswered && !a.answered.IsZero() {
		a.talk = max(now.Sub(a.answered), 0)
	}
	d.finish(a, now)
}

// doubt notes that nobody knows whether a call is still there. Its server is asked.
func (d *dialer) doubt(a *attempt, now time.Time) {
	if a.doubted.IsZero() {
		a.doubted = now
	}
	a.due = time.Time{}
	if a.server != nil {
		a.server.askAt = now
	}
}

// review looks at what is overdue, and asks servers about what is doubted.
func (d *dialer) review(ctx context.Context, now time.Time) {
	for _, a := range d.attempts {
		switch {
		case a.server == nil:
			d.cli.Note("%s: %s is no longer among the nodes, so nobody knows how its call ended", d.plan.list.number(a.number), a.nodeName)
			d.finish(a, now)
		case !a.due.IsZero() && !a.due.After(now):
			d.doubt(a, now)
		}
	}
	for _, s := range d.servers {
		if d.doubts(s) && !s.asking && !s.askAt.After(now) {
			d.ask(ctx, s, now)
		}
	}
}

// finish ends an attempt with what is known of it.
func (d *dialer) finish(a *attempt, now time.Time) {
	d.forget(a)
	if !a.known {
		a.outcome = ami.OutcomeUnknown
	}
	d.result(a, now, d.sched.ended(a.number, a.outcome, now))
}

// hangUpAll hangs up every call of ours, those that ring as well.
func (d *dialer) hangUpAll(ctx context.Context) {
	for _, a := range d.attempts {
		if a.server == nil {
			continue
		}
		name := cmp.Or(a.call.Name, a.name, a.id) // a channel is found by its Uniqueid, too (ast_channel_get_by_name)
		node := a.server.node
		d.others.Go(func() { _, _ = node.Do(ctx, ami.NewAction("Hangup", "Channel", name)) }) // one that is gone needs none
	}
}
