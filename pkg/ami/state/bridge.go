package state

import (
	"slices"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// maxShown bounds the lists inside objects; their counts are exact.
const maxShown = 32

// A Bridge joins channels.
type Bridge struct {
	Node       string    `json:"node"`
	ID         string    `json:"id"`
	Technology string    `json:"technology,omitempty"`
	Class      string    `json:"class,omitempty"`   // BridgeType: basic, base, stasis, …
	Creator    string    `json:"creator,omitempty"` // ConfBridge, Parking, …
	Name       string    `json:"name,omitempty"`
	Count      int       `json:"count"`              // channels in it that are known
	Channels   []string  `json:"channels,omitempty"` // their Uniqueids, the first 32
	Created    time.Time `json:"created,omitzero"`   // unknown if it was there when it was first listed
}

// Kind returns KindBridge.
func (*Bridge) Kind() Kind { return KindBridge }

// Key returns the bridge's ID.
func (b *Bridge) Key() string { return b.ID }

// A party is who is in a bridge, in the order they came.
type party struct {
	ids     []string
	implied bool // only channels told of the bridge: it goes with the last of them
}

func (p *party) shown() []string { return slices.Clone(p.ids[:min(len(p.ids), maxShown)]) }

// describe puts what a bridge's headers say into it.
func (b *Bridge) describe(m *wire.Message, e *edit) {
	e.str(&b.Technology, m.Get("BridgeTechnology"), "technology")
	e.str(&b.Class, m.Get("BridgeType"), "class")
	e.str(&b.Creator, known(m.Get("BridgeCreator")), "creator")
	e.str(&b.Name, known(m.Get("BridgeName")), "name")
}

// openBridge opens a bridge for an event.
func (s *server) openBridge(id string, e *edit) (*row[Bridge], Bridge) {
	r, next := s.bridges.open(s, id)
	if r != nil && r.obj == nil {
		s.nameBridge(&next, id, e)
	}
	return r, next
}

// nameBridge begins a bridge; channels may have told of it before.
func (s *server) nameBridge(b *Bridge, id string, e *edit) {
	b.Node = s.name
	e.str(&b.ID, id, "id")
	p := s.joined[id]
	if p == nil {
		p = &party{}
		s.joined[b.ID] = p
	}
	b.Count, b.Channels = len(p.ids), p.shown()
}

func bridgeCreate(s *server, m *wire.Message) {
	id := m.Get("BridgeUniqueid")
	if r := s.bridges.find(s, id); r != nil && !s.joined[id].implied {
		return
	}
	var e edit
	r, next := s.openBridge(id, &e)
	if r == nil {
		return
	}
	s.joined[id].implied = false
	next.describe(m, &e)
	e.moment(&next.Created, s.when, "created")
	s.saveBridge(r, next, &e)
}

func bridgeDestroy(s *server, m *wire.Message) {
	id := m.Get("BridgeUniqueid")
	if r := s.bridges.end(s, id); r != nil {
		s.emptyBridge(r.obj)
	}
}

func (s *server) saveBridge(r *row[Bridge], next Bridge, e *edit) {
	s.bridges.save(s, r, next, e)
	s.bridged(r.obj, false)
}

// emptyBridge tells the channels of a bridge that is gone that they are in none.
func (s *server) emptyBridge(b *Bridge) {
	id := b.ID
	p := s.joined[id]
	delete(s.joined, id)
	s.bridged(b, true)
	if p == nil {
		return
	}
	for _, uid := range p.ids {
		if r := s.channels.rows[uid]; r != nil && r.obj.Bridge == id {
			var e edit
			next := *r.obj
			e.word(&next.Bridge, "", "bridge")
			s.saveChannel(r, next, &e)
		}
	}
}

// bridgeEnter also gives all in the bridge one Linkedid: Asterisk does so without an event
// (ast_bridge_channel_update_linkedids), and the channel that enters has it already.
func bridgeEnter(s *server, m *wire.Message) {
	id := m.Get("BridgeUniqueid")
	p := readSnap(m, "")
	var e edit
	r, next := s.openBridge(id, &e)
	if r == nil { // its end is due, so the channel's is, or another bridge
		s.upsert(&p, time.Time{})
		return
	}
	next.describe(m, &e)
	s.saveBridge(r, next, &e)
	s.upsertWith(&p, time.Time{}, func(c *Channel, e *edit) { s.moved(c, e, id) })
	s.quitQueues(p.uniqueid)
	s.leaveVisits(p.uniqueid)
	for _, uid := range s.others(id, p.uniqueid) {
		o := s.channels.rows[uid]
		if o == nil || o.obj.Linkedid == p.linkedid {
			continue
		}
		var e edit
		next := *o.obj
		e.str(&next.Linkedid, p.linkedid, "linkedid")
		s.saveChannel(o, next, &e)
	}
}

// others returns who else is in a bridge that makes those in it one call: Dial's, Queue's and ARI's do, conferences and
// parking lots do not (bridge_basic_push, bridge_stasis_push).
func (s *server) others(id, except string) []string {
	p, r := s.joined[id], s.bridges.rows[id]
	if p == nil || r == nil || len(p.ids) > maxLine {
		return nil
	}
	switch b := r.obj; {
	case b.Class == "basic", b.Class == "stasis" && b.Technology != "holding_bridge":
	default:
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.ids), func(uid string) bool { return uid == except })
}

func bridgeLeave(s *server, m *wire.Message) {
	id := m.Get("BridgeUniqueid")
	r := s.channels.find(s, m.Get("Uniqueid"))
	if r == nil || r.obj.Bridge != id {
		return
	}
	var e edit
	next := *r.obj
	s.moved(&next, &e, "")
	s.saveChannel(r, next, &e)
}

// bridgeMerge announces that all channels go from one bridge to another; each is told to leave and enter, too.
func bridgeMerge(s *server, m *wire.Message) {
	from, to := m.Get("FromBridgeUniqueid"), m.Get("ToBridgeUniqueid")
	p := s.joined[from]
	if p == nil || from == to || s.bridges.find(s, to) == nil {
		return
	}
	for _, uid := range slices.Clone(p.ids) {
		if r := s.channels.find(s, uid); r != nil && r.obj.Bridge == from {
			var e edit
			next := *r.obj
			s.moved(&next, &e, to)
			s.saveChannel(r, next, &e)
		}
	}
}

// moved puts a channel into a bridge, or out of all for "".
func (s *server) moved(c *Channel, e *edit, bridge string) {
	bridge = bridge[:min(len(bridge), maxValue)]
	if c.Bridge == bridge {
		return
	}
	old := c.Bridge
	e.str(&c.Bridge, bridge, "bridge")
	if old != "" {
		s.leaveBridge(old, c.Uniqueid)
	}
	if bridge != "" {
		s.enterBridge(c.Bridge, c.Uniqueid)
	}
}

func (s *server) enterBridge(id, uid string) {
	p := s.joined[id]
	if p == nil { // there are at most as many as bridges and channels
		p = &party{implied: s.bridges.rows[id] == nil}
		s.joined[id] = p
	}
	p.ids = append(p.ids, uid)
	s.countBridge(id, p)
}

func (s *server) leaveBridge(id, uid string) {
	p := s.joined[id]
	if p == nil {
		return
	}
	if at := slices.Index(p.ids, uid); at >= 0 {
		p.ids = slices.Delete(p.ids, at, at+1)
	}
	if len(p.ids) == 0 && p.implied {
		delete(s.joined, id)
		if r := s.bridges.rows[id]; r != nil {
			s.bridges.remove(s, id, r)
			s.bridged(r.obj, true)
		}
		return
	}
	s.countBridge(id, p)
}

// countBridge tells a bridge who is in it. One that only channels told of is made.
func (s *server) countBridge(id string, p *party) {
	var e edit
	r := s.bridges.rows[id]
	var next Bridge
	if r == nil {
		if !p.implied {
			return // its own event is being applied, and saves it
		}
		if r, next = s.openBridge(id, &e); r == nil {
			return
		}
	} else {
		next = *r.obj
	}
	if next.Count != len(p.ids) || !slices.Equal(next.Channels, p.ids[:min(len(p.ids), maxShown)]) {
		set(&e, &next.Count, len(p.ids), "count")
		next.Channels = p.shown()
		e.add("channels")
	}
	s.saveBridge(r, next, &e)
}

func bridgeListItem(s *server, m *wire.Message, from source) {
	id := m.Get("BridgeUniqueid")
	r, next := s.bridges.listed(s, id, from)
	if r == nil {
		return
	}
	var e edit
	if r.obj == nil {
		s.nameBridge(&next, id, &e)
		s.bridges.suspect(s, id)
	}
	if p := s.joined[id]; p != nil {
		p.implied = false
	}
	next.describe(m, &e)
	s.saveBridge(r, next, &e)
}

func bridgesListed(s *server, from source) {
	s.bridges.sweep(s, from, func(_ string, r *row[Bridge], _ bool) { s.emptyBridge(r.obj) })
}
