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
	idx  string // of its lines, see ref
	kind Kind
	form form
	wide bool // idx holds wideRefs
}

// form tells how a Command's output is laid out in the packet.
type form uint8

const (
	formPlain   form = iota
	formFollows      // "Response: Follows": headers, then bare text up to --END COMMAND-- (Asterisk 13 and older)
)

// load reads eight bytes of the index.
func (m *Message) load(at int) uint64 {
	s := m.idx[at : at+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (m *Message) ref(i int) ref {
	s := m.idx[i*refBytes : i*refBytes+refBytes]
	return ref(s[0]) | ref(s[1])<<8 | ref(s[2])<<16 | ref(s[3])<<24
}

func (m *Message) wideRef(i int) wideRef { return wideRef(m.load(i * wideBytes)) }

// place returns where line i starts, the length of its name, and where its value starts and ends.
func (m *Message) place(i int) (start, name, value, end int) {
	if m.wide {
		r := m.wideRef(i)
		return r.start(), r.nameLen(), r.value(), r.end()
	}
	var r ref
	if at := i * refBytes; at < len(m.idx)-refBytes {
		two := m.load(at)
		r, end = ref(two), ref(two>>32).start()
	} else {
		r, end = m.ref(i), m.blank()
	}
	start, name = r.start(), r.nameLen()
	return start, name, start + name + r.gap(), end - r.lineEnd()
}

// blank returns where the blank line starts that ends the packet.
func (m *Message) blank() int {
	n := len(m.text) - 1
	if n > 0 && m.text[n-1] == '\r' {
		n--
	}
	return n
}

// Kind returns what the packet is.
func (m *Message) Kind() Kind { return m.kind }

// Len returns the number of lines, headers and bare lines alike, without the blank one that ends the packet.
func (m *Message) Len() int {
	if m.wide {
		return len(m.idx) / wideBytes
	}
	return len(m.idx) / refBytes
}

// Line returns line i in wire order; name is empty when the line is not a header. It panics if i is out of range.
func (m *Message) Line(i int) (name, value string) {
	start, n, v, end := m.place(i)
	return m.text[start : start+n], m.text[v:end]
}

// Parts is Line, with the line as it came but for its end.
func (m *Message) Parts(i int) (name, value, line string) {
	start, n, v, end := m.place(i)
	return m.text[start : start+n], m.text[v:end], m.text[start:end]
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
	if name == "" {
		return "", false
	}
	for i := range m.Len() {
		if m.nameLen(i) != len(name) {
			continue
		}
		if n, value := m.Line(i); EqualFold(n, name) {
			return value, true
		}
	}
	return "", false
}

// Find returns the first line from that one on that has such a name, whatever its case, or -1.
func (m *Message) Find(name string, from int) int {
	for i := from; i < m.Len(); i++ {
		if m.nameLen(i) != len(name) {
			continue
		}
		if n, _ := m.Line(i); EqualFold(n, name) {
			return i
		}
	}
	return -1
}

func (m *Message) nameLen(i int) int {
	if m.wide {
		return m.wideRef(i).nameLen()
	}
	return m.ref(i).nameLen()
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
	return Message{text: s[:len(m.text)], idx: s[len(m.text):], kind: m.kind, form: m.form, wide: m.wide}
}

// A Packed tells how a message lies in a buffer that Pack filled. It holds no pointer.
type Packed struct {
	text, idx uint32
	kind      Kind
	form      form
	wide      bool
}

// Pack copies text and index to the front of dst, which must have room for Size bytes.
func (m *Message) Pack(dst []byte) Packed {
	n := copy(dst, m.text)
	k := copy(dst[n:], m.idx)
	return Packed{text: uint32(n), idx: uint32(k), kind: m.kind, form: m.form, wide: m.wide}
}

// Size returns the bytes that the packed message takes.
func (p *Packed) Size() int { return int(p.text) + int(p.idx) }

// Message returns the message at the front of src, borrowed: it and every string taken from it are valid until src is
// written again.
func (p *Packed) Message(src []byte) Message {
	s := borrow(src[:p.Size()])
	return Message{text: s[:p.text], idx: s[p.text:], kind: p.kind, form: p.form, wide: p.wide}
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
