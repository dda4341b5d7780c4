package timeline

import (
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

const (
	mostLegs = 1024 // that a timeline tells apart
	mostIDs  = 2 * mostLegs
)

// A Timeline knows which events are one call's: those of its channels, and of all that share a Linkedid with one of them.
type Timeline struct {
	ids     map[string]bool   // Linkedids, Uniqueids, and what else names it at the beginning
	legs    map[string]*Leg   // by Uniqueid
	up      int               // legs that are
	most    int               // that were at once
	bridges map[string]string // a bridge's id → its letter here
}

// A Leg is a channel of the call.
type Leg struct {
	number int // from 1, in the order in which they came
	name   string
	over   bool
	column int // where it is drawn
	drawn  bool
}

// New begins the timeline of the call that is named by a Linkedid, or by the Uniqueid or name of one of its channels.
func New(id string) *Timeline {
	return &Timeline{ids: map[string]bool{id: true}, legs: make(map[string]*Leg), bridges: make(map[string]string)}
}

// Again forgets the channels, and keeps what names the call: an event may tell late what it was part of.
func (t *Timeline) Again() {
	t.legs = make(map[string]*Leg)
	t.up = 0
}

// A block is what an event says of one channel.
type block struct {
	prefix                   string // of its headers: "", Dest, Transferer, …
	uniqueid, linkedid, name string
}

// blocks finds the channels that an event is about.
func blocks(m *wire.Message) (found []block) {
	for i := 1; i < m.Len(); i++ {
		header, id := m.Line(i)
		at := len(header) - len("Uniqueid")
		if at < 0 || id == "" || !strings.EqualFold(header[at:], "Uniqueid") || strings.HasSuffix(header[:at], "Bridge") {
			continue
		}
		prefix := header[:at]
		b := block{prefix: prefix, uniqueid: id, linkedid: m.Get(prefix + "Linkedid"), name: m.Get(prefix + "Channel")}
		if b.linkedid == "" {
			b.linkedid = m.Get(prefix + "LinkedID") // CEL's
		}
		found = append(found, b)
	}
	return found
}

// Take reports whether an event is of the call, and notes whom it brings in.
func (t *Timeline) Take(m *wire.Message) bool {
	all := blocks(m)
	ours := false
	for _, b := range all {
		ours = t.has(&b) || ours
	}
	if !ours {
		return false
	}
	for _, b := range all {
		if t.has(&b) {
			t.join(&b)
		}
	}
	if l := t.legs[m.Get("Uniqueid")]; l != nil {
		switch {
		case wire.EqualFold(m.Name(), "Rename"):
			l.name = strings.Clone(m.Get("Newname"))
		case wire.EqualFold(m.Name(), "Hangup") && !l.over:
			l.over = true
			t.up--
		}
	}
	return true
}

// Join makes a channel that is known otherwise one of the call.
func (t *Timeline) Join(uniqueid, linkedid, name string) *Leg {
	t.join(&block{uniqueid: uniqueid, linkedid: linkedid, name: name})
	return t.legs[uniqueid]
}

// has reports whether a channel is of the call.
func (t *Timeline) has(b *block) bool {
	return t.legs[b.uniqueid] != nil || t.ids[b.uniqueid] || b.linkedid != "" && t.ids[b.linkedid] || b.name != "" && t.ids[b.name]
}

// join makes a channel one of the call, and its Linkedid one of the call's names.
func (t *Timeline) join(b *block) {
	l := t.legs[b.uniqueid]
	if l == nil {
		if len(t.legs) >= mostLegs {
			return
		}
		l = &Leg{number: len(t.legs) + 1}
		t.legs[strings.Clone(b.uniqueid)] = l
		t.up++
		t.most = max(t.most, t.up)
	}
	if b.name != "" && l.name != b.name {
		l.name = strings.Clone(b.name)
	}
	t.know(b.uniqueid)
	t.know(b.linkedid)
}

func (t *Timeline) know(id string) {
	if id != "" && !t.ids[id] && len(t.ids) < mostIDs {
		t.ids[strings.Clone(id)] = true
	}
}

// Over reports whether all its channels were hung up.
func (t *Timeline) Over() bool { return len(t.legs) > 0 && t.up == 0 }

// Leg returns a channel of the call, nil if it is none.
func (t *Timeline) Leg(uniqueid string) *Leg { return t.legs[uniqueid] }

// Legs returns how many channels the call has had.
func (t *Timeline) Legs() int { return len(t.legs) }

// Most returns how many of its channels were up at once, one at least.
func (t *Timeline) Most() int { return max(t.most, 1) }

// Known returns how much is known that names the call: once it grows no more, all that belongs to it was found.
func (t *Timeline) Known() int { return len(t.ids) }

// dull are the events that a timeline leaves out unless they are named: there are many, and they tell nothing of the call's
// course.
var dull = []string{"VarSet", "RTCP*", "CEL", "Cdr", "DTMFBegin", "ChannelTalking*", "Newaccountcode", "DeviceStateChange"}

// Shows reports whether an event is shown, by the names that were asked for.
func Shows(names []string, name string) bool {
	matches := func(pattern string) bool { return ami.MatchGlob(pattern, name) }
	if len(names) == 0 {
		return !slices.ContainsFunc(dull, matches)
	}
	return slices.ContainsFunc(names, matches)
}
