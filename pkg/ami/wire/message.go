package wire

import (
	"iter"
	"strings"
	"unsafe"
)

// Kind tells what a packet is. Only its first header decides: OriginateResponse and ChallengeResponseFailed are
// events that carry a Response header further down.
type Kind uint8

const (
	// Raw is text whose first line is neither an Event nor a Response header (Queues before Asterisk 15, IAXnetstats).
	Raw Kind = iota
	// Event is a packet that begins with an Event header: an event or an item of a list.
	Event
	// Response is a packet that begins with a Response header.
	Response
	// Banner is the single line a server greets with; no blank line follows it.
	Banner
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Event:
		return "event"
	case Response:
		return "response"
	case Banner:
		return "banner"
	}
	return "raw"
}

// A Message is one packet: its text and the place of every line in it.
//
// A Message from [Decoder.Next] is borrowed: it and every string taken from it are valid until the decoder's next
// method call. [Message.Clone] makes one that is owned, in one allocation.
//
// A line without a colon (a raw newline in a value splits a line; GetConfig sends bare lines) has an empty name and is
// the value whole. The zero Message is an empty Raw packet.
type Message struct {
	text string // the packet as it came, line ends included
	idx  string // eight bytes a line, see ref
	kind Kind
	form form
}

// form tells how a Command's output is laid out in the packet.
type form uint8

const (
	formPlain   form = iota
	formFollows      // "Response: Follows": headers, then bare text up to --END COMMAND-- (Asterisk 13 and older)
)

// A ref packs where a line lies: start (25 bits), length of the name (12), of the gap between name and value (1: is
// there a space), of the value (25), and whether it has a name at all (1).
type ref uint64

const (
	maxText    = 1<<25 - 1
	maxNameLen = 1<<12 - 1

	nameShift  = 25
	spaceShift = 37
	valueShift = 38
	namedShift = 63
)

func (r ref) start() int   { return int(r & maxText) }
func (r ref) nameLen() int { return int(r >> nameShift & maxNameLen) }
func (r ref) named() bool  { return r>>namedShift != 0 }

func (r ref) value() (start, end int) {
	start = r.start() + r.nameLen() + int(r>>spaceShift&1) + int(r>>namedShift)
	return start, start + int(r>>valueShift&maxText)
}

func (m *Message) ref(i int) ref {
	s := m.idx[i*8 : i*8+8]
	return ref(s[0]) | ref(s[1])<<8 | ref(s[2])<<16 | ref(s[3])<<24 | ref(s[4])<<32 | ref(s[5])<<40 | ref(s[6])<<48 | ref(s[7])<<56
}

// Kind returns what the packet is.
func (m *Message) Kind() Kind { return m.kind }

// Len returns the number of lines, headers and bare lines alike, without the blank one that ends the packet.
func (m *Message) Len() int { return len(m.idx) / 8 }

// Line returns line i in wire order; name is empty when the line is not a header. It panics if i is out of range.
func (m *Message) Line(i int) (name, value string) {
	r := m.ref(i)
	start := r.start()
	vs, ve := r.value()
	return m.text[start : start+r.nameLen()], m.text[vs:ve]
}

// Parts is Line, with the line as it came but for its end.
func (m *Message) Parts(i int) (name, value, line string) {
	r := m.ref(i)
	start := r.start()
	vs, ve := r.value()
	return m.text[start : start+r.nameLen()], m.text[vs:ve], m.text[start:ve]
}

// All iterates over the lines in wire order, name and value; bare lines have an empty name.
func (m *Message) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range m.Len() {
			if !yield(m.Line(i)) {
				return
			}
		}
	}
}

// Name returns the value of the first header: an event's name, a response's verdict. It is empty for Raw packets.
func (m *Message) Name() string {
	if m.kind != Event && m.kind != Response {
		return ""
	}
	_, v := m.Line(0)
	return v
}

// Get returns the value of the first header with that name, whatever its case, or "".
func (m *Message) Get(name string) string {
	v, _ := m.Lookup(name)
	return v
}

// Lookup returns the value of the first header with that name, whatever its case, and whether there is one.
func (m *Message) Lookup(name string) (string, bool) {
	for i := range m.Len() {
		r := m.ref(i)
		if r.nameLen() == len(name) && r.named() && EqualFold(m.text[r.start():r.start()+len(name)], name) {
			vs, ve := r.value()
			return m.text[vs:ve], true
		}
	}
	return "", false
}

// Values iterates over the values of all headers with that name, whatever its case, in wire order.
func (m *Message) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n, v := range m.All() {
			if n != "" && EqualFold(n, name) && !yield(v) {
				return
			}
		}
	}
}

// Output iterates over the lines of a Command's output in either form: Output headers (Asterisk 14 and newer), or
// the text of a "Response: Follows" packet.
func (m *Message) Output() iter.Seq[string] {
	if m.form != formFollows {
		return m.Values("Output")
	}
	return func(yield func(string) bool) {
		for n, v := range m.All() {
			if n == "" && !yield(v) {
				return
			}
		}
	}
}

// Text returns the packet as it came, its line ends and the blank line included.
func (m *Message) Text() string { return m.text }

// Size returns the bytes that the message's text and index hold.
func (m *Message) Size() int { return len(m.text) + len(m.idx) }

// Clone returns an owned copy, in one allocation of Size bytes.
func (m *Message) Clone() Message {
	var b strings.Builder
	b.Grow(len(m.text) + len(m.idx))
	b.WriteString(m.text)
	b.WriteString(m.idx)
	s := b.String()
	return Message{text: s[:len(m.text)], idx: s[len(m.text):], kind: m.kind, form: m.form}
}

// A Packed tells how a message lies in a buffer that Pack filled. It holds no pointer.
type Packed struct {
	text, idx uint32
	kind      Kind
	form      form
}

// Pack copies text and index to the front of dst, which must have room for Size bytes.
func (m *Message) Pack(dst []byte) Packed {
	n := copy(dst, m.text)
	k := copy(dst[n:], m.idx)
	return Packed{text: uint32(n), idx: uint32(k), kind: m.kind, form: m.form}
}

// Size returns the bytes that the packed message takes.
func (p *Packed) Size() int { return int(p.text) + int(p.idx) }

// Message returns the message at the front of src, borrowed: it and every string taken from it are valid until src is
// written again.
func (p *Packed) Message(src []byte) Message {
	s := borrow(src[:p.Size()])
	return Message{text: s[:p.text], idx: s[p.text:], kind: p.kind, form: p.form}
}

// EqualFold reports whether s and t are equal but for the case of ASCII letters, as Asterisk compares header and
// event names (strcasecmp).
func EqualFold(s, t string) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range len(s) {
		if a, b := s[i], t[i]; a != b && lower(a) != lower(b) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// borrow views b as a string without a copy. The decoder alone uses it, for messages whose documented life ends
// before b is written again.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
