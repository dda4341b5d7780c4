package state

import (
	"maps"
	"sync"
	"time"
)

// How a part of a node's state is known: the values of Node.Parts.
const (
	Followed = "followed" // by its list and every event since
	Listed   = "listed"   // by its list alone: the session's event mask hides what happens to it
	Events   = "events"   // by events alone: it was not listed yet, the user may not list it, or no server can be asked
	Absent   = "absent"   // the server lacks it, or its list has failed again and again
)

// A Node is one server, and how well it is known.
type Node struct {
	Node    string            `json:"node"`
	Stale   bool              `json:"stale"`            // events are missing, and it has not been listed since
	Reason  string            `json:"reason,omitempty"` // why it is stale: disconnect or overflow; "" before its first list
	Since   time.Time         `json:"since,omitzero"`
	Session uint64            `json:"session,omitempty"`
	Parts   map[string]string `json:"parts,omitempty"` // part → how it is known
	// Drift counts what audits found that no event explained.
	Drift uint64 `json:"drift"`
	// Refused counts objects beyond the limit, and keys that cannot be one's.
	Refused uint64 `json:"refused"`
	// Short counts lists that ended before the number of items that they announced.
	Short uint64 `json:"short"`
	Gaps  uint64 `json:"gaps"`
}

// Kind returns KindNode.
func (*Node) Kind() Kind { return KindNode }

// Key returns the node's name.
func (n *Node) Key() string { return n.Node }

// lists are the parts that tell of a kind's own objects, or of what they are about, each of a channel driver of its own. Of a
// node itself there is none.
var lists = sync.OnceValue(func() map[Kind][]string {
	return map[Kind][]string{
		KindChannel: {"channels"}, KindBridge: {"bridges"}, KindCall: {"channels"}, KindRecord: {"channels"},
		KindQueue: {"queues"}, KindMember: {"queues"}, KindCaller: {"queues"}, KindQueueCall: {"queues"}, KindQueueFigures: {"queues"}, KindEndpoint: {"pjsip", "sip", "iax"},
		KindDevice: {"devices"}, KindHint: {"hints"}, KindConference: {"conferences"}, KindParked: {"parked"},
		KindRegistration: {"pjsip-registrations", "sip-registrations", "iax-registrations"},
	}
})

// Knows says how the objects of a kind are known: Events if one of their lists has not come, or the user may not ask for it, so
// that there may be more than is held; else Followed or Listed, as the least known of them is; Absent if the server has no such
// list.
func (n *Node) Knows(k Kind) string {
	how := Absent
	if k == KindNode {
		how = Followed
	}
	for _, part := range lists()[k] {
		switch known := n.Parts[part]; {
		case known == Absent, how == Listed && known == Followed:
		case known == Followed, known == Listed:
			how = known
		default:
			return Events
		}
	}
	return how
}

// A server is what is held of one node.
type server struct {
	core     *core
	name     string
	session  uint64
	when     time.Time     // of the packet at hand, by the server's clock if its events tell it
	now      time.Time     // when that was received
	ahead    time.Duration // of our clock: the server's, as far as its events tell
	lists    uint32        // the list at hand or the last one
	surveyed uint64        // the session whose list of channels was whole, without a gap since
	auditing bool
	listing  bool // a list is at hand, not an event
	unlisted bool // a part could not be listed: only what this session showed is kept of it

	node      *Node // published; nil: not yet
	next      Node
	published time.Time

	channels      table[Channel, *Channel]
	bridges       table[Bridge, *Bridge]
	queues        table[Queue, *Queue]
	members       table[Member, *Member]
	callers       table[Caller, *Caller]
	endpoints     table[Endpoint, *Endpoint]
	devices       table[Device, *Device]
	hints         table[Hint, *Hint]
	registrations table[Registration, *Registration]
	conferences   table[Conference, *Conference]
	parked        table[Parked, *Parked]

	leaving  map[string][]string  // the Uniqueid of who a list lacked in a queue → the queue
	gone     map[string]time.Time // channels that were hung up → when
	calls    map[string]*call     // by Linkedid
	legs     map[string]*leg      // by Uniqueid: of channels that are up, or whose Hangup is due
	joined   map[string]*party
	waiting  map[string]*line // by queue
	visits   visits
	queuesOf map[string][]string // a waiting caller's Uniqueid → its queue; two while a late event contradicts a list
	rooms    map[string]string   // conference → its bridge
}

func newServer(c *core, name string) *server {
	return &server{
		core: c, name: name, gone: make(map[string]time.Time), leaving: make(map[string][]string), next: Node{Node: name, Stale: true, Parts: map[string]string{}},
		calls: make(map[string]*call), legs: make(map[string]*leg), joined: make(map[string]*party), waiting: make(map[string]*line),
		visits: visits{of: make(map[string][]*visit), taken: make(map[string]*visit)}, rooms: make(map[string]string), queuesOf: make(map[string][]string),
	}
}

// at sets the time of the packet at hand: microseconds, in UTC.
func (s *server) at(received time.Time) {
	s.now = received.UTC().Truncate(time.Microsecond)
	s.when = s.now.Add(s.ahead).Truncate(time.Microsecond)
	if s.next.Since.IsZero() {
		s.next.Since = s.now
	}
}

// emit appends a change, if its kind is asked for.
func (s *server) emit(ch Change) {
	if ch.Object != nil && !s.core.wants(ch.Object.Kind()) {
		return
	}
	ch.Node, ch.Time = s.name, s.when
	s.core.out = append(s.core.out, ch)
}

// room reports whether another object of a kind may be kept, and counts if not.
func (s *server) room(n int) bool {
	if n >= s.core.limit {
		s.next.Refused++
		return false
	}
	return true
}

// join notes the session that the packet at hand is of. What waited for events of another one does so no more.
func (s *server) join(session uint64) {
	if session == s.session {
		return
	}
	s.session, s.next.Session = session, session
	s.forget()
}

func (s *server) forget() {
	s.channels.forget()
	s.bridges.forget()
	s.queues.forget()
	s.members.forget()
	s.callers.forget()
	s.endpoints.forget()
	s.devices.forget()
	s.hints.forget()
	s.registrations.forget()
	s.conferences.forget()
	s.parked.forget()
	clear(s.gone)
	clear(s.leaving)
	s.endDying()
}

// stale notes a gap. Tombstones wait for events that may be lost in it, and what only events tell is not known any more.
func (s *server) stale(why string) {
	s.forget()
	s.surveyed = 0
	s.next.Gaps++
	for id, r := range s.channels.rows { // only an event behind the gap proves that an end is still to be told
		r.seen = 0
		if l := s.legs[id]; l != nil {
			l.call.partial = true
		}
		if r.obj.Hold {
			var e edit
			next := *r.obj
			set(&e, &next.Hold, false, "hold")
			s.saveChannel(r, next, &e)
		}
	}
	for _, r := range s.endpoints.rows {
		if r.obj.Reach != "" && r.from == fromPJSIP { // the others' lists tell it
			var e edit
			next := *r.obj
			e.word(&next.Reach, "", "reach")
			s.endpoints.save(s, r, next, &e)
		}
	}
	unsee(&s.bridges)
	unsee(&s.members)
	unsee(&s.callers)
	unsee(&s.conferences)
	unsee(&s.parked)
	if !s.next.Stale {
		s.next.Stale, s.next.Reason, s.next.Since = true, why, s.now
	}
	s.publish()
}

func unsee[T any, P interface {
	*T
	Object
}](t *table[T, P]) {
	for _, r := range t.rows {
		r.seen = 0
	}
}

// fresh notes that everything was listed.
func (s *server) fresh() {
	if !s.next.Stale { // an audit
		s.publish()
		return
	}
	s.next.Stale, s.next.Reason, s.next.Since = false, "", s.now
	s.publish()
	s.emit(Change{Op: OpSynced, Object: s.node})
}

// part notes how a part is known.
func (s *server) part(name, how string) {
	if s.next.Parts[name] == how {
		return
	}
	s.next.Parts = maps.Clone(s.next.Parts) // the old one was published
	s.next.Parts[name] = how
}

// publish emits the node's own object if it differs from what was published.
func (s *server) publish() {
	if s.node == nil {
		n := s.next
		s.node, s.published = &n, s.now
		s.emit(Change{Op: OpAdd, Object: s.node})
		return
	}
	var e edit
	n := *s.node
	set(&e, &n.Stale, s.next.Stale, "stale")
	e.word(&n.Reason, s.next.Reason, "reason")
	e.moment(&n.Since, s.next.Since, "since")
	set(&e, &n.Session, s.next.Session, "session")
	set(&e, &n.Drift, s.next.Drift, "drift")
	set(&e, &n.Refused, s.next.Refused, "refused")
	set(&e, &n.Short, s.next.Short, "short")
	set(&e, &n.Gaps, s.next.Gaps, "gaps")
	if !maps.Equal(n.Parts, s.next.Parts) {
		n.Parts = s.next.Parts
		e.add("parts")
	}
	if e.n == 0 {
		return
	}
	s.node, s.published = &n, s.now
	s.emit(Change{Op: OpChange, Object: s.node, Changed: e.changed()})
}

// flush publishes the node's own object when it is new; its counters are published by tick, at most once a second.
func (s *server) flush() {
	if s.node == nil {
		s.publish()
	}
}

func (s *server) tick(now time.Time) {
	d := s.channels.tick(now, s.endLost)
	d += s.bridges.tick(now, nil) + s.queues.tick(now, nil) + s.members.tick(now, nil) + s.callers.tick(now, s.left)
	d += s.endpoints.tick(now, nil) + s.devices.tick(now, nil) + s.hints.tick(now, nil)
	d += s.registrations.tick(now, nil) + s.conferences.tick(now, nil) + s.parked.tick(now, nil)
	s.next.Drift += d
	for id, since := range s.gone {
		if now.Sub(since) > goneTime {
			delete(s.gone, id)
		}
	}
	s.lapse()
	s.publish()
}

// clear removes everything.
func (s *server) clear() {
	s.parked.clear(s)
	s.conferences.clear(s)
	s.registrations.clear(s)
	s.hints.clear(s)
	s.devices.clear(s)
	s.endpoints.clear(s)
	s.callers.clear(s)
	s.members.clear(s)
	s.queues.clear(s)
	for _, c := range s.calls {
		s.hide(c)
	}
	s.bridges.clear(s)
	s.channels.clear(s)
	if s.node != nil {
		s.emit(Change{Op: OpRemove, Object: s.node})
	}
}

// flushAt publishes the node's own object before anything is known of it.
func (s *server) flushAt(now time.Time) {
	if s == nil {
		return
	}
	s.at(now)
	s.flush()
}
