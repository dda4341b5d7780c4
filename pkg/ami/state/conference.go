package state

import (
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Conference is a room of ConfBridge. Its participants are the channels in its bridge.
type Conference struct {
	Node    string    `json:"node"`
	Name    string    `json:"name"`
	Bridge  string    `json:"bridge,omitempty"` // the bridge's ID
	Parties int       `json:"parties"`          // channels in the bridge that are known
	Locked  bool      `json:"locked,omitempty"` // when it was listed
	Muted   bool      `json:"muted,omitempty"`  // when it was listed
	Start   time.Time `json:"start,omitzero"`   // unknown if it was there when it was first listed
}

// Kind returns KindConference.
func (*Conference) Kind() Kind { return KindConference }

// Key returns the room's name.
func (c *Conference) Key() string { return c.Name }

// conference is any event of a room that says that it is there.
func conference(s *server, m *wire.Message) {
	name := m.Get("Conference")
	r, next := s.conferences.open(s, name)
	if r == nil {
		return
	}
	var e edit
	if r.obj == nil {
		next.Node = s.name
		e.str(&next.Name, name, "name")
		if wire.EqualFold(m.Name(), "ConfbridgeStart") {
			e.moment(&next.Start, s.when, "start")
		}
	}
	s.seat(&next, &e)
	s.conferences.save(s, r, next, &e)
}

// seat tells a conference of its bridge.
func (s *server) seat(c *Conference, e *edit) {
	id := s.rooms[c.Name]
	e.word(&c.Bridge, id, "bridge")
	n := 0
	if p := s.joined[id]; p != nil {
		n = len(p.ids)
	}
	set(e, &c.Parties, n, "parties")
}

// bridged keeps a bridge of ConfBridge and its conference in step.
func (s *server) bridged(b *Bridge, gone bool) {
	if b.Creator != "ConfBridge" || b.Name == "" {
		return
	}
	if !gone {
		s.rooms[b.Name] = b.ID
	} else if s.rooms[b.Name] == b.ID {
		delete(s.rooms, b.Name)
	} else {
		return
	}
	if r := s.conferences.rows[b.Name]; r != nil {
		var e edit
		next := *r.obj
		s.seat(&next, &e)
		s.conferences.save(s, r, next, &e)
	}
}

func conferenceEnd(s *server, m *wire.Message) { s.conferences.end(s, m.Get("Conference")) }

func conferenceItem(s *server, m *wire.Message, from source) {
	name := m.Get("Conference")
	r, next := s.conferences.listed(s, name, from)
	if r == nil {
		return
	}
	var e edit
	if r.obj == nil {
		next.Node = s.name
		e.str(&next.Name, name, "name")
		s.conferences.suspect(s, name)
	}
	set(&e, &next.Locked, yes(m.Get("Locked")), "locked")
	set(&e, &next.Muted, yes(m.Get("Muted")), "muted")
	s.seat(&next, &e)
	s.conferences.save(s, r, next, &e)
}

func conferencesListed(s *server, from source) { s.conferences.sweep(s, from, nil) }
