package state

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Caller waits in a queue.
type Caller struct {
	Node     string    `json:"node"`
	Queue    string    `json:"queue"`
	Uniqueid string    `json:"uniqueid"`
	Linkedid string    `json:"linkedid,omitempty"` // if the channel is known
	Channel  string    `json:"channel,omitempty"`
	Number   string    `json:"number,omitempty"`
	Name     string    `json:"name,omitempty"`
	Position int       `json:"position"`           // from 1; 0: not followed, because over 1,000 wait
	Priority int       `json:"priority,omitempty"` // only lists tell it
	Joined   time.Time `json:"joined,omitzero"`    // to the second if a list told it
}

// Kind returns KindCaller.
func (*Caller) Kind() Kind { return KindCaller }

// Key returns queue and Uniqueid.
func (c *Caller) Key() string { return memberKey(c.Queue, c.Uniqueid) }

// queueCallerJoin sets the position of a new caller only: for one that a list told of, the list's position is the later one.
func queueCallerJoin(s *server, m *wire.Message) {
	queue, p := m.Get("Queue"), readSnap(m, "")
	s.advanced(queue)
	key := memberKey(queue, p.uniqueid)
	if s.callers.find(s, key) != nil {
		return
	}
	r, next := s.callers.open(s, key)
	if r == nil {
		return
	}
	position := number(m.Get("Position"))
	s.shift(queue, position, +1)
	var e edit
	next.begin(s, queue, &p, &e)
	set(&e, &next.Position, position, "position")
	e.moment(&next.Joined, s.when, "joined")
	s.saveCaller(r, next, &e)
	s.rank(queue)
}

func (c *Caller) begin(s *server, queue string, p *snap, e *edit) {
	c.Node = s.name
	e.str(&c.Queue, queue, "queue")
	e.str(&c.Uniqueid, p.uniqueid, "uniqueid")
	if r := s.channels.rows[p.uniqueid]; r != nil { // QueueStatus and CoreShowChannels may differ about the names
		e.word(&c.Linkedid, r.obj.Linkedid, "linkedid")
		e.word(&c.Channel, r.obj.Name, "channel")
		e.word(&c.Number, r.obj.CallerNumber, "number")
		e.word(&c.Name, r.obj.CallerName, "name")
		return
	}
	e.str(&c.Channel, p.name, "channel")
	e.str(&c.Number, known(p.callerNumber), "number")
	e.str(&c.Name, unescape(known(p.callerName)), "name")
}

func (s *server) saveCaller(r *row[Caller], next Caller, e *edit) {
	if s.callers.save(s, r, next, e) {
		s.visitQueue(r.obj)
		l := s.line(next.Queue)
		l.callers = append(l.callers, next.Key())
		id := r.obj.Uniqueid
		s.queuesOf[id] = append(s.queuesOf[id], r.obj.Queue)
		if w := s.legs[next.Uniqueid]; w != nil {
			w.call.queue, w.call.member = r.obj.Queue, ""
			w.call.count(&w.waiting, true, &w.call.waiting)
			if s.listing && w.call.wait.since.IsZero() {
				w.call.wait.run(true, next.Joined)
			}
			s.touch(w.call)
		}
		s.countQueue(next.Queue)
	}
}

// shift moves those at or behind a position.
func (s *server) shift(queue string, position, by int) {
	l := s.line(queue)
	if position <= 0 || len(l.callers) > maxLine {
		return
	}
	for _, key := range l.callers {
		r := s.callers.rows[key]
		if r == nil || r.obj.Position < position {
			continue
		}
		var e edit
		next := *r.obj
		set(&e, &next.Position, max(1, next.Position+by), "position")
		s.callers.save(s, r, next, &e)
	}
}

// advanced notes that an event has told of other positions in a queue, which may be what an audit found.
func (s *server) advanced(queue string) {
	if len(s.callers.odd) == 0 {
		return
	}
	for _, key := range s.line(queue).callers {
		delete(s.callers.odd, key)
	}
}

// rank gives those in a queue the positions from 1 on, in their order, if they have others: events that a list was ahead of have shifted
// them a second time. Who is in the queue has to be known.
func (s *server) rank(queue string) {
	l := s.line(queue)
	n := len(l.callers)
	if s.next.Stale || s.next.Parts["queues"] != Followed || n > maxLine {
		return
	}
	rows := make([]*row[Caller], 0, n)
	for _, key := range l.callers {
		r := s.callers.rows[key]
		if r == nil || r.obj.Position == 0 {
			return
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b *row[Caller]) int { return cmp.Compare(a.obj.Position, b.obj.Position) })
	for i, r := range rows {
		var e edit
		next := *r.obj
		set(&e, &next.Position, i+1, "position")
		s.callers.save(s, r, next, &e)
	}
}

// queueCallerLeave is the end of a wait, however it ended; QueueCallerAbandon comes before it.
func queueCallerLeave(s *server, m *wire.Message) {
	queue, id := m.Get("Queue"), m.Get("Uniqueid")
	delete(s.leaving, id)
	s.advanced(queue)
	key := memberKey(queue, id)
	if r := s.callers.end(s, key); r != nil {
		s.uncaller(key, r.obj)
		s.shift(queue, r.obj.Position, -1)
		s.rank(queue)
	}
}

// left forgets who never left a queue that he was missing in.
func (s *server) left(key string) {
	_, id, _ := strings.Cut(key, "\n")
	delete(s.leaving, id)
}

// quitQueues ends the wait of a channel that is in a bridge, runs another application or is gone. Who is taken out of a
// queue by a masquerade (the actions Bridge, Park, Redirect) leaves it without an event; all others have left it by then.
func (s *server) quitQueues(id string) {
	if queues := s.leaving[id]; len(queues) > 0 { // nor does one that a list lacked have another end to come
		for _, queue := range queues {
			key := memberKey(queue, id)
			delete(s.callers.tombs, key)
			delete(s.callers.odd, key) // this is why
			s.advanced(queue)
		}
		delete(s.leaving, id)
	}
	for _, queue := range slices.Clone(s.queuesOf[id]) {
		key := memberKey(queue, id)
		if r := s.callers.rows[key]; r != nil {
			s.callers.remove(s, key, r)
			s.uncaller(key, r.obj)
			s.advanced(queue)
			s.shift(queue, r.obj.Position, -1)
			s.rank(queue)
		}
	}
}

func (s *server) uncaller(key string, c *Caller) {
	l := s.line(c.Queue)
	if at := slices.Index(l.callers, key); at >= 0 {
		last := len(l.callers) - 1
		l.callers[at] = l.callers[last]
		l.callers = l.callers[:last]
	}
	queues := slices.DeleteFunc(s.queuesOf[c.Uniqueid], func(q string) bool { return q == c.Queue })
	if s.queuesOf[c.Uniqueid] = queues; len(queues) == 0 {
		delete(s.queuesOf, c.Uniqueid)
	}
	if w := s.legs[c.Uniqueid]; w != nil && w.waiting && len(queues) == 0 {
		w.call.count(&w.waiting, false, &w.call.waiting)
		s.touch(w.call)
	}
	s.countQueue(c.Queue)
}

func queueCallerAbandon(s *server, m *wire.Message) {
	s.visitAbandoned(m)
	if l := s.legs[m.Get("Uniqueid")]; l != nil {
		l.call.abandoned = true
	}
}

// agentConnect tells which member took the call.
func agentConnect(s *server, m *wire.Message) {
	s.visitConnected(m)
	l := s.legs[m.Get("Uniqueid")]
	if l == nil {
		return
	}
	var e edit
	e.str(&l.call.member, memberInterface(m), "member")
	e.str(&l.call.queue, m.Get("Queue"), "queue")
	s.touch(l.call)
}

func queueEntry(s *server, m *wire.Message, from source) {
	queue, p := m.Get("Queue"), readSnap(m, "")
	key := memberKey(queue, p.uniqueid)
	r, next := s.callers.listed(s, key, from)
	if r == nil {
		return
	}
	was := next
	var e edit
	if r.obj == nil {
		next.begin(s, queue, &p, &e)
		next.Joined = began(s.when, clock(m.Get("Wait")))
	}
	set(&e, &next.Position, number(m.Get("Position")), "position")
	set(&e, &next.Priority, number(m.Get("Priority")), "priority")
	if was.Position != next.Position {
		s.callers.suspect(s, key)
	}
	s.saveCaller(r, next, &e)
}
