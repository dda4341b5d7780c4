package cond

import (
	"iter"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Lack is a field that a condition asks for and none of the events can have.
type Lack struct {
	Field string
	Near  []string // headers of the events that are spelled almost so
}

// Lacking returns the fields of a condition that no event has whose name one of the globs matches, as far as a catalogue
// knows: it iterates over all events and the headers of each. An event without headers there is one of which they are not
// known, or that may have any, such as UserEvent: nothing is lacking then, nor where there is no glob, or one that matches
// nothing there: what it is meant for may have the field.
func Lacking(w *ami.Where, globs []string, catalogue iter.Seq2[string, []string]) (lacking []Lack) {
	var headers []string
	matched := make([]bool, len(globs))
	for event, known := range catalogue {
		meant := false
		for i, glob := range globs {
			if ami.MatchGlob(glob, event) {
				meant, matched[i] = true, true
			}
		}
		if meant && len(known) == 0 {
			return nil
		}
		if meant {
			headers = append(headers, known...)
		}
	}
	if len(headers) == 0 || slices.Contains(matched, false) {
		return nil
	}
	for _, name := range w.Fields() {
		if slices.ContainsFunc(headers, func(h string) bool { return wire.EqualFold(h, name) }) || ofAnyEvent(name) {
			continue
		}
		lack := Lack{Field: name}
		for _, h := range headers {
			if near(h, name) && !slices.Contains(lack.Near, h) {
				lack.Near = append(lack.Near, h)
			}
		}
		lacking = append(lacking, lack)
	}
	return lacking
}

// ofAnyEvent reports whether any event may have a header: those that manager.c puts in front (append_event), the channel
// variables that channelvars in manager.conf asks for, and what an action's events repeat.
func ofAnyEvent(name string) bool {
	base, _, _ := strings.Cut(name, "(")
	if len(base) >= len("ChanVariable") && wire.EqualFold(base[len(base)-len("ChanVariable"):], "ChanVariable") {
		return true
	}
	for _, h := range []string{"Privilege", "Timestamp", "SequenceNumber", "File", "Line", "Func", "SystemName", "ActionID", "EventList"} {
		if wire.EqualFold(h, name) {
			return true
		}
	}
	return false
}

// near reports whether one letter more, less or other, or two in each other's place, make one name the other.
func near(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a) < len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(b) && a[i] == b[i] {
		i++
	}
	switch len(a) - len(b) {
	case 0:
		return i < len(a) && (a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:])
	case 1:
		return a[i+1:] == b[i:]
	}
	return false
}
