package output

import (
	"strings"

	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// A plan is how a line shows the events of one name: which headers are in the headline, which follow it, which are not shown.
type plan struct {
	tone Tone
	head [][]planPart

	slots map[string]int // of the headers whose values are kept, by lower-case name
	known map[string]*role
	words map[string]bool // headers that have the meaning of a number, in lower case

	// The lines of the last such event: the next one mostly has the same.
	last []*role

	room *int // for how many roles more, all plans together
}

// A planPart is text, or the value that is in a slot.
type planPart struct {
	text     string
	slot     int // -1: text alone
	lifetime bool
	identity bool
	least    int // the width to which it is cut before others go
	coding   catalog.Coding
	meaning  int // the slot of the header that has the meaning, -1: none
}

// A role is what becomes of a header.
type role struct {
	name   string
	slot   int // -1: none
	show   showing
	coding catalog.Coding
}

type showing uint8

const (
	notShown      showing = iota // it serves the protocol, or the headline has it
	asRest                       // behind the headline
	asWorthLittle                // in wide lines, behind those
)

// The slots that every plan has.
const (
	slotLinkedid = iota
	slotUniqueid
	slotTimestamp
	firstSlot
)

// The widths to which values of a headline are cut before the last of them go.
const (
	lowLeast   = 6
	usualLeast = 12
)

// A hostile server may have more names, and longer ones: those are not remembered.
const (
	mostPlans    = 1000   // of events
	mostRoles    = 500    // of headers, for each of them
	mostAllRoles = 20_000 // and for all together
	mostName     = 256    // bytes that a name has
)

func newPlan(event string, room *int) *plan {
	p := &plan{room: room, known: make(map[string]*role), words: make(map[string]bool), slots: map[string]int{"linkedid": slotLinkedid, "uniqueid": slotUniqueid, "timestamp": slotTimestamp}}
	h := catalog.HeadlineOf(event)
	if h == nil {
		return p
	}
	p.tone = Tone(h.Outcome)
	for _, word := range h.Words {
		var parts []planPart
		for _, part := range word {
			parts = append(parts, p.part(event, part))
		}
		p.head = append(p.head, parts)
	}
	return p
}

func (p *plan) part(event string, part catalog.HeadlinePart) planPart {
	switch part.Header {
	case "":
		return planPart{text: part.Text, slot: -1}
	case catalog.Lifetime:
		return planPart{slot: -1, lifetime: true}
	}
	trait := catalog.TraitOf(event, part.Header)
	made := planPart{slot: p.slot(part.Header), identity: identifies(trait, part.Header), coding: trait.Coding, meaning: -1}
	switch {
	case made.identity:
		made.least = identityLeast
	case trait.Weight == catalog.Low:
		made.least = lowLeast
	default:
		made.least = usualLeast
	}
	if trait.Words != "" {
		made.meaning = p.slot(trait.Words)
	}
	return made
}

// identifies reports whether a header tells things apart. In a line the channels do that have a prefix, too.
func identifies(trait catalog.Trait, header string) bool {
	return trait.Weight == catalog.Identifying || strings.HasSuffix(header, "Channel")
}

// slot returns the slot of a header, a new one if it has none.
func (p *plan) slot(header string) int {
	lower := strings.ToLower(header)
	i, ok := p.slots[lower]
	if !ok {
		i = len(p.slots)
		p.slots[lower] = i
	}
	return i
}

// role says what becomes of line i, which has that name. It may not outlive the event.
func (p *plan) role(event string, i int, name string) *role {
	if i < len(p.last) && p.last[i].name == name {
		return p.last[i]
	}
	r := p.known[name]
	if r == nil {
		if len(name) > mostName || len(p.known) >= mostRoles || *p.room == 0 {
			return p.newRole(event, name)
		}
		r = p.newRole(event, strings.Clone(name))
		p.known[r.name] = r
		*p.room--
	}
	for len(p.last) <= i && len(p.last) < mostRoles {
		p.last = append(p.last, r)
	}
	if i < len(p.last) {
		p.last[i] = r
	}
	return r
}

func (p *plan) newRole(event, name string) *role {
	r := &role{name: name, slot: -1, show: asRest}
	trait := catalog.TraitOf(event, name)
	r.coding = trait.Coding
	slot, kept := p.slots[strings.ToLower(name)]
	if kept {
		r.slot = slot
	}
	switch {
	case name == "" || liftOwnNumber.lifts(name) || strings.EqualFold(name, "Privilege"), slot >= firstSlot:
		r.show = notShown
	case trait.Weight == catalog.Low:
		r.show = asWorthLittle
	case p.words[strings.ToLower(name)]: // it stands beside the number
		r.show = notShown
	}
	if trait.Words != "" {
		p.words[strings.ToLower(trait.Words)] = true
	}
	return r
}
