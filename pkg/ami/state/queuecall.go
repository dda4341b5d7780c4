package state

import (
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// The states of a QueueCall.
const (
	QueueWaiting   = "waiting"
	QueueTalking   = "talking"   // a member has taken it
	QueueCompleted = "completed" // the talk with the member is over
	QueueAbandoned = "abandoned" // what Asterisk counts so: the caller hung up, or the queue's time was over
	QueueLeft      = "left"      // the caller left by a key, or was taken out by an action
	QueueUnknown   = "unknown"   // it ended while events were missing
)

// A QueueCall is a call's way through a queue. It is told at each step, as an OpStep, and is not part of the state:
// [Figures] are made of it.
type QueueCall struct {
	Node     string    `json:"node,omitempty"`
	Queue    string    `json:"queue"`
	Uniqueid string    `json:"uniqueid"`
	State    string    `json:"state"`
	Member   string    `json:"member,omitempty"` // the interface that took it
	Name     string    `json:"member_name,omitempty"`
	Joined   time.Time `json:"joined,omitzero"` // to the second if it was not seen
	Answered time.Time `json:"answered,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	WaitUS   int64     `json:"wait_us"`
	TalkUS   int64     `json:"talk_us"`
	// HoldS is the wait in whole seconds as Asterisk counts it, by which it judges the service level; -1: it did not say.
	HoldS int `json:"hold_s"`
}

// Kind returns KindQueueCall.
func (*QueueCall) Kind() Kind { return KindQueueCall }

// Key returns queue and Uniqueid.
func (q *QueueCall) Key() string { return memberKey(q.Queue, q.Uniqueid) }

// A visit is what the core keeps of a call in a queue, or with a member of one.
type visit struct {
	call  QueueCall
	agent string    // the Uniqueid of the member's channel
	known bool      // its channel was
	gone  time.Time // since when nothing is known of it, by our clock
	hung  time.Time // when a channel of it was hung up
	over  bool      // its end was told without an AgentComplete, which may come yet
}

// visits are those that have not ended, by the caller's Uniqueid. A caller has several while a list is ahead of the events that
// end the older ones.
type visits struct {
	of    map[string][]*visit
	taken map[string]*visit // by the Uniqueid of the member's channel
	n     int
}

// step tells where a visit is now.
func (s *server) step(v *visit, state string) {
	v.call.State = state
	told := v.call
	s.emit(Change{Op: OpStep, Object: &told})
}

// visitQueue begins a visit when somebody comes into a queue.
func (s *server) visitQueue(c *Caller) {
	if v := s.newVisit(c.Queue, c.Uniqueid); v != nil {
		v.call.Joined = c.Joined
		s.step(v, QueueWaiting)
	}
}

func (s *server) newVisit(queue, id string) *visit {
	if s.visits.n >= 2*s.core.limit || !usable(queue) || !usable(id) || !s.core.wants(KindQueueCall) {
		return nil
	}
	v := &visit{call: QueueCall{Node: s.name, Queue: strings.Clone(queue), Uniqueid: strings.Clone(id), HoldS: -1}}
	_, v.known = s.channels.rows[id]
	s.visits.of[v.call.Uniqueid] = append(s.visits.of[v.call.Uniqueid], v)
	s.visits.n++
	return v
}

// visitOf finds the visit that an event is about, the oldest that may be meant, or makes one that began before anybody looked.
func (s *server) visitOf(m *wire.Message, talks bool) *visit {
	queue, id := m.Get("Queue"), m.Get("Uniqueid")
	if id == "" { // the caller is gone already, and only the member's channel is named
		return s.visits.taken[m.Get("DestUniqueid")]
	}
	for _, v := range s.visits.of[id] {
		if v.call.Queue == queue && (talks || v.call.Answered.IsZero()) {
			return v
		}
	}
	return s.newVisit(queue, id)
}

// held notes how long Asterisk says that it waited.
func (v *visit) held(m *wire.Message, until time.Time) {
	if hold, ok := m.Lookup("HoldTime"); ok {
		v.call.HoldS = max(0, number(hold))
	}
	if v.call.Joined.IsZero() {
		v.call.Joined = until.Add(-time.Duration(max(0, v.call.HoldS)) * time.Second)
	}
	v.call.WaitUS = max(0, until.Sub(v.call.Joined).Microseconds())
}

// visitConnected is a member that takes the call.
func (s *server) visitConnected(m *wire.Message) {
	v := s.visitOf(m, false)
	if v == nil {
		return
	}
	if agent := m.Get("DestUniqueid"); usable(agent) {
		v.agent = strings.Clone(agent)
		s.visits.taken[v.agent] = v
	}
	v.call.Answered = s.when
	v.member(m)
	v.held(m, s.when)
	s.step(v, QueueTalking)
}

func (v *visit) member(m *wire.Message) {
	var e edit
	e.str(&v.call.Member, memberInterface(m), "member")
	e.str(&v.call.Name, m.Get("MemberName"), "member_name")
}

// agentComplete is the end of the talk with a member.
func agentComplete(s *server, m *wire.Message) {
	v := s.visitOf(m, true)
	switch {
	case v == nil:
		return
	case v.over:
		s.forgetVisit(v)
		return
	case v.call.Answered.IsZero():
		v.call.Answered = s.when.Add(-time.Duration(max(0, number(m.Get("TalkTime")))) * time.Second)
		v.held(m, v.call.Answered)
	}
	v.member(m)
	s.complete(v, s.when)
	s.forgetVisit(v)
}

func (s *server) complete(v *visit, at time.Time) {
	v.call.TalkUS = max(0, at.Sub(v.call.Answered).Microseconds())
	v.call.Ended = at
	s.step(v, QueueCompleted)
}

// visitAbandoned is a caller who gives up, or whose time is over.
func (s *server) visitAbandoned(m *wire.Message) {
	if v := s.visitOf(m, false); v != nil {
		v.held(m, s.when)
		s.endVisit(v, QueueAbandoned)
	}
}

// endVisit ends a visit, however it did.
func (s *server) endVisit(v *visit, state string) {
	s.forgetVisit(v)
	v.call.Ended = s.when
	s.step(v, state)
}

func (s *server) forgetVisit(v *visit) {
	id := v.call.Uniqueid
	all := slices.DeleteFunc(s.visits.of[id], func(o *visit) bool { return o == v })
	if s.visits.of[id] = all; len(all) == 0 {
		delete(s.visits.of, id)
	}
	if s.visits.taken[v.agent] == v {
		delete(s.visits.taken, v.agent)
	}
	s.visits.n--
}

// leaveVisits is a caller who does something else: no member has taken his call, and he did not give up.
func (s *server) leaveVisits(id string) {
	for _, v := range slices.Clone(s.visits.of[id]) {
		if v.call.Answered.IsZero() {
			v.call.WaitUS = max(0, s.when.Sub(v.call.Joined).Microseconds())
			s.endVisit(v, QueueLeft)
		}
	}
}

// hungUp notes when a caller or a member was hung up.
func (s *server) hungUp(id string) {
	for _, v := range s.visits.of[id] {
		v.hung = s.when
	}
	if v := s.visits.taken[id]; v != nil {
		v.hung = s.when
	}
}

const (
	// talkGrace is how long behind the end of a talk's channels an AgentComplete may come.
	talkGrace = 2 * time.Second
	// mostVisit is how long a visit is kept of a channel that nothing else ever told of: a record may begin in its middle.
	mostVisit = 24 * time.Hour
)

// knowVisits notes that all channels have been listed: one that was not is gone, whatever a late event has told of it before.
func (s *server) knowVisits() {
	for _, all := range s.visits.of {
		for _, v := range all {
			v.known = true
		}
	}
}

// lapse ends the visits whose channels are gone and whose ends were not told. Events may be missing; and of a channel that an
// action hangs up app_queue learns nothing but that the member is free, which counts the call without an AgentComplete [live].
func (s *server) lapse() {
	for _, all := range s.visits.of {
		for _, v := range slices.Clone(all) {
			if s.alive(v) {
				v.gone, v.hung = time.Time{}, time.Time{}
				continue
			}
			if v.gone.IsZero() {
				v.gone = s.now
				if v.hung.IsZero() {
					v.hung = s.when
				}
			}
			switch since := s.now.Sub(v.gone); {
			case since > mostVisit, v.known && since > goneTime:
				if v.call.Answered.IsZero() {
					s.endVisit(v, QueueUnknown)
				} else {
					s.forgetVisit(v)
				}
			case v.known && since >= talkGrace && !v.over && !v.call.Answered.IsZero():
				v.over = true
				s.complete(v, v.hung)
			}
		}
	}
}

// alive reports whether a visit may go on: the caller waits, or talks with somebody. The member's own channel may have been
// optimised away.
func (s *server) alive(v *visit) bool {
	id := v.call.Uniqueid
	_, up := s.channels.rows[id]
	v.known = v.known || up
	if v.call.Answered.IsZero() {
		_, waits := s.callers.rows[v.call.Key()]
		return waits
	}
	if !up || v.over {
		return false
	}
	_, member := s.channels.rows[v.agent]
	l := s.legs[id]
	return member || v.agent == "" || l != nil && l.bridged
}
