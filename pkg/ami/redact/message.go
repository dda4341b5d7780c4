package redact

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// MayHide reports whether [Redactor.Text] may change a message's text; false is certain. It costs a fraction of Text: what a
// header's name says is remembered, and most values need no more than a look for the three bytes without which there is no
// secret in them. It does not allocate but for names that it has not seen before.
func (r *Redactor) MayHide(m *wire.Message) bool {
	if len(r.patterns) > 0 || m.Kind() != wire.Event {
		return true
	}
	if r.known.within(m.Text()) {
		return true
	}
	var facts packetFacts
	var linked [8]int // the lines whose value others may tell about
	n := 0
	before := &r.names.first
	packet := inside.Of(m)
	for i := range m.Len() {
		name, value, line := packet.Parts(i)
		var v verdict
		v, before = r.judged(before, name)
		if v == 0 && harmless(value) {
			continue
		}
		if v&(tells|odd) == tells && value != "" {
			return true
		}
		if v&notes != 0 {
			facts.note(r, name, value)
		}
		if v&told != 0 {
			if n == len(linked) {
				return true
			}
			linked[n] = i
			n++
		}
		if v&odd != 0 {
			if name == "" && strings.IndexByte(line, ':') > 0 { // a name too long for the decoder
				return true
			}
			if len(r.lineSpans(nil, 0, packetFacts{}, line)) > 0 {
				return true
			}
			continue
		}
		if v&commanded == 0 && harmless(value) {
			continue
		}
		if r.valueMayHide(v, value, line, len(name)+1) {
			return true
		}
	}
	for _, i := range linked[:n] {
		name, value := m.Line(i)
		if value != "" && facts.hides(strings.TrimSpace(name), value) {
			return true
		}
	}
	return false
}

// valueMayHide looks at a value that holds = or : or @, or is a command. rest is where line goes on behind its first colon.
func (r *Redactor) valueMayHide(v verdict, value, line string, rest int) bool {
	var few [4]span
	switch {
	case v&listed != 0 && len(r.variables(few[:0], 0, value)) > 0:
		return true
	case v&assigned != 0 && len(r.assignment(few[:0], 0, value, v.place())) > 0:
		return true
	case v&commanded != 0 && len(r.command(few[:0], 0, value)) > 0:
		return true
	}
	for i := rest; i < len(line); i++ {
		if c := line[i]; c != '=' && c != ':' {
			continue
		}
		if start, end := nameBefore(line, i); start < end && (mixedName(line[start:end], v.place()) || r.secretKey(line[start:end])) {
			return true // unless it ends there: Text knows
		}
	}
	return mayHoldUserinfo(line)
}

// harmless reports whether a value holds none of the bytes = : @, without which nothing in it is an assignment or a URL.
func harmless(s string) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		p := s[i : i+8]
		w := uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
			uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
		eq, colon, at := w^('='*low), w^(':'*low), w^('@'*low)
		if ((eq-low)&^eq|(colon-low)&^colon|(at-low)&^at)&high != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c == '=' || c == ':' || c == '@' {
			return false
		}
	}
	return true
}

// A verdict is what a name says about the redaction of its value; all but tells is for headers.
type verdict uint8

const (
	tells      verdict = 1 << iota // the value is to be hidden
	notes                          // the value may tell about others: packetFacts.note
	told                           // others may tell about the value: packetFacts.hides
	listed                         // the value is a list of variables
	assigned                       // the value is an assignment
	commanded                      // the value is a command
	configured                     // the value is a line, or all, of a configuration file
	odd                            // no name as Asterisk makes them, or none at all: the line is to be looked at whole
)

// place is where an assignment in the value stands. A listing hides what an assignment anywhere does, and MayHide looks at
// events alone, which list nothing.
func (v verdict) place() place {
	if v&configured != 0 {
		return setting
	}
	return anywhere
}

// names keeps the verdicts of names. A name that came first stays in its place, and one that finds both its
// places taken is judged each time, so that names made up for the purpose cost no memory.
type names struct {
	seed  maphash.Seed
	first judged // stands before a packet's first name
	slots [namesKept]atomic.Pointer[judged]
}

const (
	namesKept   = 4096
	longestKept = 64
)

type judged struct {
	name    string
	verdict verdict
	next    atomic.Pointer[judged] // the name that followed it in a packet the last time
}

// judged returns what a name says that comes after another one in a packet, and what is remembered of it for the next.
func (r *Redactor) judged(before *judged, name string) (verdict, *judged) {
	if j := before.next.Load(); j != nil && j.name == name {
		return j.verdict, j
	}
	if j := r.remembered(name); j != nil {
		before.next.Store(j)
		return j.verdict, j
	}
	return r.judge(name), before
}

// remembered returns what is remembered of a name, or nil if it cannot be.
func (r *Redactor) remembered(name string) *judged {
	if len(name) > longestKept || !plainName(name) { // prose has no end of names
		return nil
	}
	at := maphash.String(r.names.seed, name) % namesKept
	for range 2 {
		slot := &r.names.slots[at]
		j := slot.Load()
		if j != nil && j.name == name {
			return j
		}
		if j == nil {
			j = &judged{name: strings.Clone(name), verdict: r.judge(name)} // the name may be borrowed
			if !slot.CompareAndSwap(nil, j) {
				return nil
			}
			return j
		}
		at ^= 1
	}
	return nil
}

// verdict returns what a name says.
func (r *Redactor) verdict(name string) verdict {
	if j := r.remembered(name); j != nil {
		return j.verdict
	}
	return r.judge(name)
}

func (r *Redactor) judge(name string) (v verdict) {
	if r.judgeKey(name) {
		v |= tells
	}
	if plainName(name) {
		return v | judgeHeader(name)
	}
	// What is told is compared without the spaces around a name, what is noted with them.
	return v | odd | judgeHeader(strings.TrimSpace(name))&told | judgeHeader(name)&notes
}

// judgeHeader is what the names say that have a meaning in the protocol.
func judgeHeader(name string) verdict {
	switch {
	case foldEqual(name, "Variable"):
		return notes | listed
	case foldEqual(name, "Key"):
		return notes | told
	case foldEqual(name, "Action"), foldPrefix(name, "Var-"):
		return notes
	case foldEqual(name, "Response"), foldEqual(name, "Value"), foldEqual(name, "Val"), foldPrefix(name, "Value-"), foldPrefix(name, "Match-"):
		return told
	case chanVariable(name), foldEqual(name, "Output"):
		return assigned
	case foldPrefix(name, "Line-"):
		return assigned | configured
	case foldEqual(name, "JSON"):
		return configured
	case foldEqual(name, "Command"):
		return commanded
	}
	return 0
}

// plainName reports whether nameBefore, too, takes the name for a whole one.
func plainName(name string) bool {
	if name == "" || len(name) >= maxName {
		return false
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return false
		}
	}
	return true
}
