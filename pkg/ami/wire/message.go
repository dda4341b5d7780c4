package wire

import (
	"iter"

	"github.com/apntalk/amictl/internal/packet"
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
type Message struct{ p packet.Packet }

// Kind returns what the packet is.
func (m *Message) Kind() Kind { return Kind(m.p.Kind) }

// Len returns the number of lines, headers and bare lines alike, without the blank one that ends the packet.
func (m *Message) Len() int { return m.p.Len() }

// Line returns line i in wire order; name is empty when the line is not a header. It panics if i is out of range.
func (m *Message) Line(i int) (name, value string) { return m.p.Line(i) }

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
	if k := m.Kind(); k != Event && k != Response {
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
		if m.p.NameLen(i) != len(name) {
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
		if m.p.NameLen(i) != len(name) {
			continue
		}
		if n, _ := m.Line(i); EqualFold(n, name) {
			return i
		}
	}
	return -1
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
	if !m.p.Follows {
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
func (m *Message) Text() string { return m.p.Text }

// Clone returns an owned copy, in one allocation.
func (m *Message) Clone() Message { return Message{m.p.Clone()} }

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
