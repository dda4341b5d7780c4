package state

import (
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Parked call waits in a parking lot.
type Parked struct {
	Node     string    `json:"node"`
	Uniqueid string    `json:"uniqueid"` // of the channel that waits
	Linkedid string    `json:"linkedid,omitempty"`
	Channel  string    `json:"channel,omitempty"`
	Number   string    `json:"number,omitempty"`
	Name     string    `json:"name,omitempty"`
	Lot      string    `json:"lot,omitempty"`
	Space    string    `json:"space,omitempty"`  // the extension that brings it back
	By       string    `json:"by,omitempty"`     // who parked it, as Asterisk would dial them
	Since    time.Time `json:"since,omitzero"`   // to the second if a list told it
	Timeout  time.Time `json:"timeout,omitzero"` // when it comes back by itself; as exact as Since
}

// Kind returns KindParked.
func (*Parked) Kind() Kind { return KindParked }

// Key returns the channel's Uniqueid.
func (p *Parked) Key() string { return p.Uniqueid }

// parkedCall is an event, and in the same form an item of ParkedCalls. The event changes nothing in what is known.
func parkedCall(s *server, m *wire.Message) {
	p := readSnap(m, "Parkee")
	if s.parked.find(s, p.uniqueid) != nil {
		return
	}
	if r, next := s.parked.open(s, p.uniqueid); r != nil {
		s.savePark(r, next, &p, m)
	}
}

func (s *server) savePark(r *row[Parked], next Parked, p *snap, m *wire.Message) {
	var e edit
	if r.obj == nil {
		next.Node = s.name
		e.str(&next.Uniqueid, p.uniqueid, "uniqueid")
		lasted := clock(m.Get("ParkingDuration"))
		if next.Since = s.when; s.listing || lasted > 0 {
			next.Since = began(s.when, lasted)
		}
		if left := clock(m.Get("ParkingTimeout")); left > 0 {
			next.Timeout = next.Since.Add(lasted + left)
		}
	}
	if r := s.channels.rows[p.uniqueid]; r != nil { // ParkedCalls and CoreShowChannels may differ about the names
		e.word(&next.Linkedid, r.obj.Linkedid, "linkedid")
		e.word(&next.Channel, r.obj.Name, "channel")
		e.word(&next.Number, r.obj.CallerNumber, "number")
		e.word(&next.Name, r.obj.CallerName, "name")
	} else {
		e.str(&next.Linkedid, p.linkedid, "linkedid")
		e.str(&next.Channel, p.name, "channel")
		e.str(&next.Number, known(p.callerNumber), "number")
		e.str(&next.Name, unescape(known(p.callerName)), "name")
	}
	e.str(&next.Lot, m.Get("Parkinglot"), "lot")
	e.str(&next.Space, m.Get("ParkingSpace"), "space")
	e.str(&next.By, m.Get("ParkerDialString"), "by")
	s.parked.save(s, r, next, &e)
}

// unparked is any end of a parked call: UnParkedCall, ParkedCallTimeOut, ParkedCallGiveUp.
func unparked(s *server, m *wire.Message) {
	p := readSnap(m, "Parkee")
	s.parked.end(s, p.uniqueid)
}

// parkedSwap is one channel that waits in another's stead, in the same space.
func parkedSwap(s *server, m *wire.Message) {
	lot, space := m.Get("Parkinglot"), m.Get("ParkingSpace")
	if len(s.parked.rows) <= maxLine {
		for id, r := range s.parked.rows {
			if r.obj.Lot == lot && r.obj.Space == space && id != m.Get("ParkeeUniqueid") {
				s.parked.end(s, id)
			}
		}
	}
	parkedCall(s, m)
}

func parkedItem(s *server, m *wire.Message, from source) {
	p := readSnap(m, "Parkee")
	r, next := s.parked.listed(s, p.uniqueid, from)
	if r == nil {
		return
	}
	if r.obj == nil {
		s.parked.suspect(s, p.uniqueid)
	}
	s.savePark(r, next, &p, m)
}

func parkedListed(s *server, from source) { s.parked.sweep(s, from, nil) }
