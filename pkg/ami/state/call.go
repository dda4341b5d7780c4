package state

import (
	"iter"
	"slices"
	"time"
)

// A Call is one that is up: all channels that share a Linkedid.
type Call struct {
	Node     string    `json:"node,omitempty"`
	Linkedid string    `json:"linkedid"`
	State    string    `json:"state"` // dialing, ringing, waiting (in a queue), up (an application answered), talking
	Start    time.Time `json:"start,omitzero"`
	Answer   time.Time `json:"answer,omitzero"` // when the first channel was answered; unknown if that was before it was listed
	Caller   Party     `json:"caller,omitzero"`
	Callee   Party     `json:"callee,omitzero"`
	Hold     bool      `json:"hold,omitempty"`
	Queue    string    `json:"queue,omitempty"`  // the last one that it was in
	Member   string    `json:"member,omitempty"` // the interface that took it from there
	Legs     int       `json:"legs"`             // channels that are up
	Channels []string  `json:"channels"`         // their Uniqueids, at most 32
	// Transfers counts transfers and pickups.
	Transfers int `json:"transfers,omitempty"`
	// Partial: part of it was not seen, as it was there before the node was followed, or events are missing.
	Partial bool `json:"partial,omitempty"`
}

// Kind returns KindCall.
func (*Call) Kind() Kind { return KindCall }

// Key returns the Linkedid.
func (c *Call) Key() string { return c.Linkedid }

// A Party is one end of a call.
type Party struct {
	Number   string `json:"number,omitempty"`
	Name     string `json:"name,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Uniqueid string `json:"uniqueid,omitempty"` // of its channel; absent if only the dialled extension is known
}

// A span adds up times.
type span struct {
	since time.Time
	total time.Duration
}

func (p *span) run(on bool, at time.Time) {
	switch {
	case on && p.since.IsZero():
		p.since = at
	case !on && !p.since.IsZero():
		p.total += max(0, at.Sub(p.since))
		p.since = time.Time{}
	}
}

// A call is what the core keeps of one.
type call struct {
	obj      *Call // published
	linkedid string
	start    time.Time
	answer   time.Time
	caller   Party
	dialled  string // the extension that the caller asked for
	callee   *leg
	reached  Party // the last callee, who may have gone

	ownPair, reachedPair string // localPair of the caller's channel, and of the last callee's
	live                 []*leg
	ended                []Leg // the first maxLegs
	dropped              int   // ended legs beyond those

	ringing, bridged, held, up, waiting, guesses, dying int // live legs that are so
	ring, talk, hold, wait                              span
	talked                                              bool

	queue, member string
	abandoned     bool
	transfers     []Transfer
	request       request
	dialStatus    string
	partial       bool
}

// follow keeps a channel's leg and call in step with it. before is the zero Channel if it is new.
func (s *server) follow(before, now *Channel) {
	l := s.legs[now.Uniqueid]
	if l == nil {
		l = s.newLeg(now)
		before = &Channel{}
	} else if l.call.linkedid != now.Linkedid {
		s.moveLeg(l, now.Linkedid)
	}
	l.describe(now)
	c := l.call
	c.count(&l.dying, false, &c.dying)
	if before.State != now.State {
		s.legState(l, now.State)
	}
	if before.Hold != now.Hold {
		c.count(&l.held, now.Hold, &c.held)
	}
	if before.Bridge != now.Bridge {
		s.pair(l, before.Bridge, now.Bridge)
	}
	s.touch(c)
}

// call finds or makes the call of a Linkedid.
func (s *server) call(linkedid string, start time.Time) *call {
	c := s.calls[linkedid]
	if c == nil {
		c = &call{linkedid: linkedid, start: start}
		s.calls[linkedid] = c
	}
	return c
}

// count keeps a property of a leg and the number of legs that have it.
func (c *call) count(has *bool, now bool, n *int) {
	if *has == now {
		return
	}
	if *has = now; now {
		*n++
	} else {
		*n--
	}
}

// add puts a leg into a call.
func (c *call) add(l *leg) {
	l.call, l.at = c, len(c.live)
	c.live = append(c.live, l)
	c.tally(l, 1)
	if l.Start.Before(c.start) {
		c.start = l.Start
	}
	c.request = request{} // somebody has come: it did not end then
}

// drop takes a leg out.
func (c *call) drop(l *leg) {
	last := len(c.live) - 1
	c.live[l.at] = c.live[last]
	c.live[l.at].at = l.at
	c.live[last] = nil
	c.live = c.live[:last]
	c.tally(l, -1)
	if c.callee == l {
		c.callee = nil
		c.elect()
	}
}

func (c *call) tally(l *leg, n int) {
	for _, p := range []struct {
		has bool
		of  *int
	}{{l.ringing, &c.ringing}, {l.bridged, &c.bridged}, {l.held, &c.held}, {l.up, &c.up}, {l.waiting, &c.waiting}, {l.guess, &c.guesses}, {l.dying, &c.dying}} {
		if p.has {
			*p.of += n
		}
	}
}

// elect chooses who is called: who is up before who rings, a device before a Local channel, who came later.
func (c *call) elect() {
	rank := func(l *leg) int {
		switch n := 0; {
		case l == nil || l.Uniqueid == c.linkedid:
			return -1
		case l.bridged:
			n = 8
			fallthrough
		case l.up:
			n += 4
			fallthrough
		case l.ringing:
			n += 2
			fallthrough
		default:
			switch {
			case !isLocal(l.Channel):
				n += 1 << 5
			case localPair(l.Channel) != c.ownPair:
				n += 1 << 4 // not the other end of the caller's own Local channel
			}
			return n
		}
	}
	best := rank(c.callee)
	for _, l := range c.live[:min(len(c.live), maxLegs)] {
		if n := rank(l); n > best {
			c.callee, best = l, n
		}
	}
}

// touch runs the call's clocks and publishes what it is now.
func (s *server) touch(c *call) {
	talking := c.bridged > 0
	c.talked = c.talked || talking
	c.talk.run(talking, s.when)
	c.ring.run(c.ringing > 0 && !talking, s.when)
	c.hold.run(c.held > 0, s.when)
	c.wait.run(c.waiting > 0, s.when)
	if len(c.live) == 0 {
		return
	}
	if len(c.live) == c.dying { // it is over, and how will be told
		s.hide(c)
		return
	}
	c.elect()
	c.reach()
	var next Call
	if c.obj != nil {
		next = *c.obj
	} else {
		next.Node, next.Linkedid = s.name, c.linkedid
	}
	var e edit
	e.word(&next.State, c.state(), "state")
	e.moment(&next.Start, c.start, "start")
	e.moment(&next.Answer, c.answer, "answer")
	set(&e, &next.Caller, c.caller, "caller")
	set(&e, &next.Callee, c.reached, "callee")
	set(&e, &next.Hold, c.held > 0, "hold")
	e.word(&next.Queue, c.queue, "queue")
	e.word(&next.Member, c.member, "member")
	set(&e, &next.Transfers, len(c.transfers), "transfers")
	set(&e, &next.Partial, c.unsure(), "partial")
	set(&e, &next.Legs, len(c.live)-c.dying, "legs")
	if !c.shows(next.Channels) {
		next.Channels = make([]string, 0, min(len(c.live)-c.dying, maxShown))
		for id := range c.channels() {
			next.Channels = append(next.Channels, id)
		}
		e.add("channels")
	}
	switch {
	case c.obj == nil:
		c.obj = &next
		s.emit(Change{Op: OpAdd, Object: c.obj})
	case e.n > 0:
		c.obj = &next
		s.emit(Change{Op: OpChange, Object: c.obj, Changed: e.changed()})
	}
}

// reach notes who is called. Somebody who was reached and has gone is not forgotten for the other end of his own, or of the
// caller's, Local channel, which may outlive him.
func (c *call) reach() {
	l := c.callee
	if l == nil {
		if c.reached == (Party{}) {
			c.reached.Number = c.dialled
		}
		return
	}
	if pair := localPair(l.Channel); pair != "" && c.reached.Uniqueid != "" && c.reached.Uniqueid != l.Uniqueid && (pair == c.ownPair || pair == c.reachedPair) {
		return
	}
	c.reachedPair = localPair(l.Channel)
	if c.reached = l.party(); c.reached.Number == "" {
		c.reached.Number = c.dialled
	}
}

// hide takes back what was published of a call.
func (s *server) hide(c *call) {
	if c.obj != nil {
		s.emit(Change{Op: OpRemove, Object: c.obj})
		c.obj = nil
	}
}

// channels are the first of those that are up.
func (c *call) channels() iter.Seq[string] {
	return func(yield func(string) bool) {
		n := 0
		for _, l := range c.live {
			if l.dying {
				continue
			}
			if n++; n > maxShown || !yield(l.Uniqueid) {
				return
			}
		}
	}
}

// shows reports whether a list of channels is still right.
func (c *call) shows(ids []string) bool {
	if len(ids) != min(len(c.live)-c.dying, maxShown) {
		return false
	}
	i := 0
	for id := range c.channels() {
		if ids[i] != id {
			return false
		}
		i++
	}
	return true
}

func (c *call) state() string {
	switch {
	case c.bridged > 0:
		return "talking"
	case c.ringing > 0:
		return "ringing"
	case c.waiting > 0:
		return "waiting"
	case c.up > 0:
		return "up"
	}
	return "dialing"
}

func (c *call) unsure() bool { return c.partial || c.guesses > 0 }

// absorb takes over a call whose channels have all come here: Asterisk joined the two.
func (s *server) absorb(c, from *call) {
	if from.start.Before(c.start) {
		c.start, c.caller, c.ownPair, c.dialled = from.start, from.caller, from.ownPair, from.dialled
	}
	if c.answer.IsZero() || !from.answer.IsZero() && from.answer.Before(c.answer) {
		c.answer = from.answer
	}
	for _, p := range []struct{ to, from *span }{{&c.ring, &from.ring}, {&c.talk, &from.talk}, {&c.hold, &from.hold}, {&c.wait, &from.wait}} {
		p.from.run(false, s.when)
		p.to.total += p.from.total
	}
	c.dropped += from.dropped
	for _, l := range from.ended {
		c.keep(l)
	}
	for _, t := range from.transfers {
		c.transferred(t)
	}
	if c.queue == "" {
		c.queue, c.member = from.queue, from.member
	}
	c.talked, c.partial = c.talked || from.talked, c.partial || from.partial
	delete(s.calls, from.linkedid)
	s.hide(from)
}

// keep remembers a leg that ended.
func (c *call) keep(l Leg) {
	if len(c.ended) < maxLegs {
		c.ended = append(c.ended, l)
	} else {
		c.dropped++
	}
}

func (c *call) transferred(t Transfer) {
	if len(c.transfers) < maxLegs {
		c.transfers = append(c.transfers, t)
	}
}

// moveLeg follows a channel whose Linkedid changed.
func (s *server) moveLeg(l *leg, linkedid string) {
	from := l.call
	from.drop(l)
	c := s.call(linkedid, l.Start)
	if c.caller == (Party{}) {
		c.caller, c.ownPair, c.dialled = from.caller, from.ownPair, from.dialled
	}
	c.add(l)
	if len(from.live) == 0 {
		s.absorb(c, from)
		return
	}
	s.touch(from)
}

// pair notes which legs talk: those in a bridge with another one.
func (s *server) pair(l *leg, left, entered string) {
	if left != "" {
		s.mark(l, false)
		s.remaining(left)
	}
	p := s.joined[entered]
	if entered == "" || p == nil || len(p.ids) < 2 {
		s.mark(l, false)
		return
	}
	s.mark(l, true)
	l.call.request = request{}
	if len(p.ids) == 2 {
		for _, uid := range p.ids {
			if o := s.legs[uid]; o != nil && o != l {
				s.mark(o, true)
				if o.call != l.call {
					s.touch(o.call)
				}
			}
		}
	}
}

// remaining ends the talk of the last channel in a bridge.
func (s *server) remaining(bridge string) {
	p := s.joined[bridge]
	if p == nil || len(p.ids) != 1 {
		return
	}
	if o := s.legs[p.ids[0]]; o != nil && o.bridged {
		s.mark(o, false)
		s.touch(o.call)
	}
}

func (s *server) mark(l *leg, on bool) { l.call.count(&l.bridged, on, &l.call.bridged) }

// sorted returns legs in the order in which they began.
func sorted(legs []Leg) []Leg {
	slices.SortStableFunc(legs, func(a, b Leg) int { return a.Start.Compare(b.Start) })
	return legs
}
