package catalog

import (
	_ "embed"
	"path"
	"strings"
	"sync"
)

var (
	//go:embed headers.tsv
	headerTable string
	//go:embed numbers.tsv
	numberTable string
)

// A Weight is how much a header is worth where there is no room for all.
type Weight int8

// The weights.
const (
	Low         Weight = iota - 1 // few ask for it, such as Language
	Usual                         // most headers
	Identifying                   // it tells one thing from another, such as Channel
)

// A Trait is what somebody who reads a header of an event should know of it.
type Trait struct {
	Weight Weight
	Coding Coding // of its values; nil if they speak for themselves
	Words  string // the header beside it that has their meaning in words; "" for none
}

// A Coding is what the values of a header mean, such as "Normal Clearing" for "16".
type Coding map[string]Meaning

// A Meaning is what a value means.
type Meaning struct {
	Words   string // "" where the value says it itself
	Outcome Outcome
}

// An Outcome is how good what happened is.
type Outcome uint8

// The outcomes.
const (
	Neutral  Outcome = iota
	Good             // as it was wanted
	Doubtful         // it failed, as happens every day: nobody answered
	Bad              // somebody should look at it
)

var outcomes = map[string]Outcome{"good": Good, "doubtful": Doubtful, "bad": Bad}

// numbers is what the values of each kind mean: "cause" (causes.h and channel.c of Asterisk), "channel-state"
// (channelstate.h), "device-state" (devicestate.h), "extension-state" (pbx.h), "originate-reason" (a control frame of
// frame.h), and others that are words already.
var numbers = sync.OnceValue(func() map[string]Coding {
	all := make(map[string]Coding)
	for line := range strings.Lines(numberTable) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(col) != 4 {
			continue
		}
		if all[col[0]] == nil {
			all[col[0]] = make(Coding)
		}
		all[col[0]][col[1]] = Meaning{col[2], outcomes[col[3]]}
	}
	return all
})

// A headerLine is a line of the table of headers.
type headerLine struct {
	name   string   // in lower case
	events []string // globs in lower case; none: of all
	trait  Trait
}

var headerLines = sync.OnceValue(func() (all []headerLine) {
	for line := range strings.Lines(headerTable) {
		col := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "", "", "")
		if strings.HasPrefix(line, "#") {
			continue
		}
		weight := map[string]Weight{"low": Low, "name": Identifying}[col[2]]
		all = append(all, headerLine{strings.ToLower(col[0]), words(strings.ToLower(col[1])), Trait{weight, numbers()[col[3]], col[4]}})
	}
	return all
})

// TraitOf tells what is known of a header of an event, whatever the case of both names. The headers of the channels and
// bridges that an event is also about, such as DestChannelState, are like those without the prefix, but identify nothing.
func TraitOf(event, header string) Trait {
	event, lower := strings.ToLower(event), strings.ToLower(header)
	var found *headerLine
	for i := range headerLines() {
		l := &headerLines()[i]
		switch {
		case !strings.HasSuffix(lower, l.name) || !l.of(event):
		case len(lower) == len(l.name):
			return l.trait
		case found == nil || len(l.name) > len(found.name):
			found = l
		}
	}
	if found == nil {
		return Trait{}
	}
	t := found.trait
	if t.Weight = min(t.Weight, Usual); t.Words != "" {
		t.Words = header[:len(header)-len(found.name)] + t.Words
	}
	return t
}

// of reports whether the line is about headers of an event.
func (l *headerLine) of(event string) bool {
	for _, glob := range l.events {
		if ok, _ := path.Match(glob, event); ok {
			return true
		}
	}
	return len(l.events) == 0
}
