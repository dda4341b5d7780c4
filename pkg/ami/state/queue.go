package state

import (
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Queue is a queue of app_queue. Its counters are those of the last list: counting events on top would count twice what a
// list has already counted.
type Queue struct {
	Node         string    `json:"node"`
	Name         string    `json:"name"`
	Strategy     string    `json:"strategy,omitempty"`
	Max          int       `json:"max,omitempty"` // callers that it takes; 0: any number
	Weight       int       `json:"weight,omitempty"`
	Callers      int       `json:"callers"` // that wait now
	Members      int       `json:"members"`
	Completed    int       `json:"completed"`    // calls, when it was listed
	Abandoned    int       `json:"abandoned"`    // calls, when it was listed
	HoldUS       int64     `json:"holdtime_us"`  // Asterisk's moving average, when it was listed
	TalkUS       int64     `json:"talktime_us"`  // Asterisk's moving average, when it was listed
	ServiceLevel int64     `json:"sl_us"`        // the threshold
	ServicePerf  string    `json:"sl,omitempty"` // percent, as Asterisk writes it
	Listed       time.Time `json:"listed,omitzero"`
}

// Kind returns KindQueue.
func (*Queue) Kind() Kind { return KindQueue }

// Key returns the queue's name.
func (q *Queue) Key() string { return q.Name }

// A Member is an interface that takes calls of a queue.
type Member struct {
	Node           string    `json:"node"`
	Queue          string    `json:"queue"`
	Name           string    `json:"name,omitempty"`
	Interface      string    `json:"interface"`
	StateInterface string    `json:"state_interface,omitempty"`
	Membership     string    `json:"membership,omitempty"` // static, dynamic, realtime
	State          string    `json:"state"`                // of its device: not-in-use, in-use, ringing, …
	Paused         bool      `json:"paused"`
	PausedReason   string    `json:"paused_reason,omitempty"`
	InCall         bool      `json:"in_call"` // false before Asterisk 13.25
	Penalty        int       `json:"penalty"`
	CallsTaken     int       `json:"calls_taken"`
	LastCall       time.Time `json:"last_call,omitzero"`
	LastPause      time.Time `json:"last_pause,omitzero"`
	Login          time.Time `json:"login,omitzero"`
	WrapupUS       int64     `json:"wrapup_us,omitempty"`
}

// Kind returns KindMember.
func (*Member) Kind() Kind { return KindMember }

// Key returns queue and interface.
func (m *Member) Key() string { return memberKey(m.Queue, m.Interface) }

func memberKey(queue, iface string) string {
	if !usable(queue) || !usable(iface) {
		return ""
	}
	return queue + "\n" + iface
}

// deviceStates are AST_DEVICE_*, by number.
var deviceStates = [...]string{"unknown", "not-in-use", "in-use", "busy", "invalid", "unavailable", "ringing", "ring-in-use", "on-hold"}

// A line is what the core keeps of a queue: who waits in it, and how many serve it.
type line struct {
	callers []string // keys, in no order
	members int
}

// maxLine bounds the queues whose positions are followed: each who leaves moves all behind him.
const maxLine = 1000

func (s *server) line(queue string) *line {
	l := s.waiting[queue]
	if l == nil {
		if len(s.waiting) >= s.core.limit {
			return &line{}
		}
		l = &line{}
		s.waiting[strings.Clone(queue)] = l // the name may be borrowed
	}
	return l
}

// countQueue tells a queue who waits and serves; one that only they tell of is made.
func (s *server) countQueue(name string) {
	r, next := s.queues.open(s, name)
	if r == nil {
		s.closeLine(name)
		return
	}
	var e edit
	if r.obj == nil {
		next.Node = s.name
		e.str(&next.Name, name, "name")
	}
	next.count(s.line(name), &e)
	s.queues.save(s, r, next, &e)
}

func (q *Queue) count(l *line, e *edit) {
	set(e, &q.Callers, len(l.callers), "callers")
	set(e, &q.Members, l.members, "members")
}

// closeLine forgets the line of a queue that is gone, if nobody is in it.
func (s *server) closeLine(queue string) {
	if l := s.waiting[queue]; l != nil && len(l.callers) == 0 && l.members == 0 {
		delete(s.waiting, queue)
	}
}

func queueParams(s *server, m *wire.Message, from source) {
	name := m.Get("Queue")
	r, next := s.queues.listed(s, name, from)
	if r == nil {
		return
	}
	var e edit
	if r.obj == nil {
		next.Node = s.name
		e.str(&next.Name, name, "name")
		next.count(s.line(name), &e)
		s.queues.suspect(s, name)
	}
	e.str(&next.Strategy, m.Get("Strategy"), "strategy")
	set(&e, &next.Max, number(m.Get("Max")), "max")
	set(&e, &next.Weight, number(m.Get("Weight")), "weight")
	set(&e, &next.Completed, number(m.Get("Completed")), "completed")
	set(&e, &next.Abandoned, number(m.Get("Abandoned")), "abandoned")
	set(&e, &next.HoldUS, micros(m.Get("Holdtime")), "holdtime_us")
	set(&e, &next.TalkUS, micros(m.Get("TalkTime")), "talktime_us")
	set(&e, &next.ServiceLevel, micros(m.Get("ServiceLevel")), "sl_us")
	e.str(&next.ServicePerf, m.Get("ServicelevelPerf"), "sl")
	if e.n > 0 || next.Listed.IsZero() {
		e.moment(&next.Listed, s.now, "listed")
	}
	s.queues.save(s, r, next, &e)
}

// micros reads whole seconds as microseconds.
func micros(s string) int64 {
	return max(0, min(int64(number(s)), 1<<31)) * int64(time.Second/time.Microsecond)
}

// describe puts into a member what events and lists both tell.
func (q *Member) describe(m *wire.Message, e *edit) {
	e.str(&q.StateInterface, m.Get("StateInterface"), "state_interface")
	e.str(&q.Membership, m.Get("Membership"), "membership")
	state := "unknown"
	if n := number(m.Get("Status")); n >= 0 && n < len(deviceStates) {
		state = deviceStates[n]
	}
	e.word(&q.State, state, "state")
	set(e, &q.Paused, yes(m.Get("Paused")), "paused")
	reason, ok := m.Lookup("PausedReason")
	if !ok { // before 13.9; 16 has both, and Reason is who unpaused's, too
		reason = m.Get("Reason")
	}
	e.str(&q.PausedReason, reason, "paused_reason")
	set(e, &q.InCall, yes(m.Get("InCall")), "in_call")
	set(e, &q.Penalty, number(m.Get("Penalty")), "penalty")
	set(e, &q.CallsTaken, number(m.Get("CallsTaken")), "calls_taken")
	e.moment(&q.LastCall, seconds(m.Get("LastCall")), "last_call")
	e.moment(&q.LastPause, seconds(m.Get("LastPause")), "last_pause")
	e.moment(&q.Login, seconds(m.Get("LoginTime")), "login")
	set(e, &q.WrapupUS, micros(m.Get("Wrapuptime")), "wrapup_us")
}

// begin names a new member.
func (q *Member) begin(s *server, queue, iface string, e *edit) {
	q.Node = s.name
	e.str(&q.Queue, queue, "queue")
	e.str(&q.Interface, iface, "interface")
}

// queueMember is any event that says what a member is now: Added, Status, Pause, Penalty, Ringinuse.
func queueMember(s *server, m *wire.Message) {
	queue, iface := m.Get("Queue"), memberInterface(m)
	r, next := s.members.open(s, memberKey(queue, iface))
	if r == nil {
		return
	}
	var e edit
	if r.obj == nil {
		next.begin(s, queue, iface, &e)
	}
	e.str(&next.Name, m.Get("MemberName"), "name")
	next.describe(m, &e)
	if s.members.save(s, r, next, &e) {
		s.line(queue).members++
		s.countQueue(queue)
	}
}

// memberInterface is in Interface in events since 12, in Location in lists and before.
func memberInterface(m *wire.Message) string {
	if iface := m.Get("Interface"); iface != "" {
		return iface
	}
	return m.Get("Location")
}

func queueMemberRemoved(s *server, m *wire.Message) {
	if r := s.members.end(s, memberKey(m.Get("Queue"), memberInterface(m))); r != nil {
		s.unmember(r.obj)
	}
}

func (s *server) unmember(m *Member) {
	l := s.line(m.Queue)
	l.members = max(0, l.members-1)
	s.countQueue(m.Queue)
}

func queueMemberItem(s *server, m *wire.Message, from source) {
	queue, iface := m.Get("Queue"), memberInterface(m)
	key := memberKey(queue, iface)
	r, next := s.members.listed(s, key, from)
	if r == nil {
		return
	}
	var e edit
	was := next
	if r.obj == nil {
		next.begin(s, queue, iface, &e)
	}
	e.str(&next.Name, m.Get("Name"), "name")
	next.describe(m, &e)
	if was.State != next.State || was.Paused != next.Paused || was.Penalty != next.Penalty || was.Name != next.Name {
		s.members.suspect(s, key)
	}
	if s.members.save(s, r, next, &e) {
		s.line(queue).members++
		s.countQueue(queue)
	}
}

func queuesListed(s *server, from source) {
	s.callers.sweep(s, from, func(key string, r *row[Caller], due bool) {
		if due {
			s.leaving[r.obj.Uniqueid] = append(s.leaving[r.obj.Uniqueid], r.obj.Queue)
		}
		s.uncaller(key, r.obj)
	})
	s.members.sweep(s, from, func(_ string, r *row[Member], _ bool) { s.unmember(r.obj) })
	s.queues.sweep(s, from, func(name string, _ *row[Queue], _ bool) { s.closeLine(name) })
}
