package dial

import (
	"context"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami"
)

// A server is one of the nodes that calls are made on.
type server struct {
	name     string
	node     *ami.Node
	follower ami.CallFollower
	up       int // attempts

	restUntil time.Time // it is stopping
	asking    bool      // for its channels
	askAt     time.Time // when it is asked, if something is doubted
	blind     bool      // the user may not ask, and was told so
}

// gatherTime is how long servers that are slower to connect than the first are waited for.
const gatherTime = time.Second

// gather waits a moment for the servers that are not there yet, so that --route has a choice from the beginning.
func (d *dialer) gather(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	for _, s := range d.servers {
		_ = s.node.Connect(ctx) // one that is away is known by now
	}
}

// pick returns the server of the next call, -1 if none takes any.
func (d *dialer) pick(now time.Time) int {
	best := -1
	for i := range d.servers {
		at := i
		if d.options.Route == "round-robin" {
			at = (d.turn + i) % len(d.servers)
		}
		s := d.servers[at]
		switch {
		case !s.node.Ready() || s.restUntil.After(now):
		case d.options.Route != "least-pending":
			return at
		case best < 0 || s.up < d.servers[best].up:
			best = at
		}
	}
	return best
}

func (d *dialer) server(name string) *server {
	for _, s := range d.servers {
		if s.name == name {
			return s
		}
	}
	return nil
}

// doubts reports whether some attempt on a server is doubted.
func (d *dialer) doubts(s *server) bool {
	for _, a := range d.attempts {
		if a.server == s && !a.doubted.IsZero() {
			return true
		}
	}
	return false
}

// A listing is what a server said of its channels.
type listing struct {
	server *server
	asked  time.Time
	reply  *ami.Reply
	err    error
}

// ask asks a server for its channels.
func (d *dialer) ask(ctx context.Context, s *server, now time.Time) {
	s.asking = true
	d.others.Go(func() {
		action := ami.NewAction("CoreShowChannels")
		action.WaitReady = true
		l := listing{server: s, asked: now}
		l.reply, l.err = s.node.Do(ctx, action)
		select {
		case d.lists <- l:
		case <-ctx.Done():
		}
	})
}

// listed judges what was doubted when the list was asked for.
func (d *dialer) listed(l *listing, now time.Time) {
	s := l.server
	s.asking, s.askAt = false, now.Add(settling)
	if l.err != nil {
		if fail.Classify(l.err).Code != fail.CodePermission {
			return // it is away, or stopping: it is asked again
		}
		if !s.blind {
			d.cli.Note("%s: the user may not list channels (system or reporting in write=), so calls whose events were missed are unknown", s.name)
		}
		s.blind, l.reply = true, &ami.Reply{}
	}
	own, linked := make(map[string]*ami.Event), make(map[string]*ami.Event)
	for i := range l.reply.Events {
		ev := &l.reply.Events[i]
		own[ev.Get("Uniqueid")] = ev
		linked[ev.Get("Linkedid")] = ev
	}
	for _, a := range d.attempts {
		if a.server != s || a.doubted.IsZero() || a.doubted.After(l.asked) {
			continue
		}
		channel := own[a.call.Channel]
		if channel == nil {
			channel = own[a.id]
		}
		if channel == nil {
			channel = linked[a.id]
		}
		switch {
		case channel != nil:
			d.found(a, channel, now)
		case l.reply.Incomplete: // it may be among those that were left out
		case s.blind || l.asked.Sub(a.sent) >= settling:
			d.missing(a, now)
		}
	}
}

// found goes on with a call that a list shows. Its Hangup may have come meanwhile: that is the newer of the two, for Asterisk
// tells of it behind the channel's end.
func (d *dialer) found(a *attempt, channel *ami.Event, now time.Time) {
	a.doubted, a.seen, d.heard = time.Time{}, true, true
	if id := channel.Get("Uniqueid"); id != a.call.Channel && !a.ended { // its first channel was optimised away
		a.server.follower.Forget(a.call)
		delete(d.calls, a.call)
		a.call = a.server.follower.Follow(id)
		d.calls[a.call] = a
	}
	a.name = channel.Get("Channel")
	switch {
	case a.known:
	case channel.Get("ChannelState") == "6": // AST_STATE_UP; nobody saw since when
		a.missed = true
		d.learn(a, ami.OutcomeAnswered, now)
	default:
		a.due = now.Add(d.options.Ring.Value)
	}
	d.settle(a, now)
}

// missing ends an attempt that is nowhere.
func (d *dialer) missing(a *attempt, now time.Time) {
	if !a.known && a.call.Answered {
		a.missed = true
		d.learn(a, ami.OutcomeAnswered, now)
	}
	if !d.heard && !a.known && !a.missed {
		d.giveUp(&fail.Error{
			Code: fail.CodeLost, Sent: ami.SentYes.String(), Message: a.nodeName + ": a call was made, and no event reported it",
			Hint: "the user's read= in manager.conf needs `call`, or OriginateResponse never arrives; no more calls were made",
		})
	}
	d.finish(a, now)
}
