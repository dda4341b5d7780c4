package output

import (
	"bytes"
	"strings"
	"unsafe"
)

// A recordedObject is an event's object as this program writes it, being made into the packet that it came from.
type recordedObject struct {
	line string
	at   int // what is read next

	head  recordedHead // of this line
	kept  recordedHead // of an earlier one
	same  []byte       // that line up to the event's name: what begins so has that head
	event string

	packet []byte
	first  int      // where its headers begin
	ends   []uint32 // where each of them ends
	spare  []byte   // a packet's room
	header []byte   // of a name that repeats

	names []recordedName  // that repeat
	multi []recordedValue // the values of all of them, one behind the other
	text  []recordedValue

	keys  map[string]*recordKey
	start recordKey // stands before a packet's first name
}

// A recordedHead is what was read up to some place.
type recordedHead struct {
	seen            uint8 // top-level keys, a bit each
	typ, node, time recordedValue
}

// A recordedValue is a string of the line without its quotes.
type recordedValue struct {
	from, to uint32
	escaped  bool // it holds escapes
}

// A recordedName is a key of multi with the place of its first value and that behind its last in recordedObject.multi.
type recordedName struct {
	name     recordedValue
	from, to uint32
}

// A recordKey is a header's name as it comes in lines and in packets. Most names follow the one that they followed before.
type recordKey struct {
	raw    string // with its quotes, a colon and the first quote of its value
	header string // with a colon and a space
	next   *recordKey
}

// What reading an object came to.
type objectState uint8

const (
	objectForeign  objectState = iota // not written as here, or no event: gjson may know more
	objectUnwanted                    // passed over
	objectWhole                       // packet is the event's
)

// Keys of an event's object.
const (
	seenType = 1 << iota
	seenNode
	seenTime
	seenEvent
	seenFields
	seenMulti
	seenText
)

const (
	keptItems  = 256 << 10 // of a list, between lines
	keptKeys   = 4096
	longestKey = 128 // that is kept
)

// read takes a line apart. When its head was read, wants says whether the rest is.
func (o *recordedObject) read(line []byte, wants func(*recordedObject) bool) objectState {
	o.line = unsafe.String(unsafe.SliceData(line), len(line)) // the line stays as it is until the object is made
	o.ends, o.multi, o.text, o.names = room(o.ends), room(o.multi), room(o.text), room(o.names)
	o.at, o.head, o.event = 1, recordedHead{}, ""
	if n := len(line); n < 2 || line[0] != '{' || line[n-1] != '}' {
		return objectForeign
	}
	if len(o.same) > 0 && bytes.HasPrefix(line, o.same) {
		o.at, o.head = len(o.same), o.kept
		if !o.readEvent() || !o.skip(',') {
			return objectForeign
		}
	}
	for {
		key, ok := o.plain()
		if !ok || !o.skip(':') {
			return objectForeign
		}
		if key == "fields" {
			if typ := o.part(o.head.typ); o.event == "" || typ != "event" && typ != "item" {
				return objectForeign
			}
			if !wants(o) {
				return objectUnwanted
			}
		}
		switch {
		case !o.value(key):
			return objectForeign
		case o.skip(','):
		case !o.skip('}') || o.at != len(line) || o.head.seen&seenFields == 0 || !o.finish():
			return objectForeign
		default:
			return objectWhole
		}
	}
}

// room empties a list, and lets a large one go.
func room[T any](s []T) []T {
	if cap(s) > keptItems {
		return nil
	}
	return s[:0]
}

func (o *recordedObject) part(v recordedValue) string { return o.line[v.from:v.to] }

// value reads what stands behind a top-level key. A key that comes twice is not ours.
func (o *recordedObject) value(key string) (ok bool) {
	h := &o.head
	var bit uint8
	switch key {
	case "type":
		bit, ok = seenType, o.plainInto(&h.typ)
	case "node":
		bit, ok = seenNode, o.plainInto(&h.node)
	case "time":
		bit, ok = seenTime, o.plainInto(&h.time)
	case "event":
		o.kept, o.same = *h, append(o.same[:0], o.line[:o.at]...)
		return h.seen&seenEvent == 0 && o.readEvent()
	case "fields":
		bit, ok = seenFields, o.readFields()
	case "multi":
		bit, ok = seenMulti, o.readMulti()
	case "text":
		bit = seenText
		o.text, ok = o.strings(o.text)
	default:
		return o.other()
	}
	ok = ok && h.seen&bit == 0
	h.seen |= bit
	return ok
}

func (o *recordedObject) readEvent() (ok bool) {
	o.event, ok = o.plain()
	o.head.seen |= seenEvent
	return ok
}

// other passes over a value of another key: a plain string, a simple number or a truth.
func (o *recordedObject) other() bool {
	switch rest := o.line[o.at:]; {
	case rest == "":
		return false
	case rest[0] == '"':
		_, ok := o.plain()
		return ok
	case len(rest) > 4 && rest[:4] == "true":
		o.at += 4
		return true
	}
	start, dot := o.at, -1
	for ; o.at < len(o.line); o.at++ {
		c := o.line[o.at]
		if c == '.' && dot < 0 && o.at > start {
			dot = o.at
		} else if c < '0' || c > '9' {
			break
		}
	}
	digits := o.at - start
	return digits > 0 && dot != o.at-1 && (o.line[start] != '0' || digits == 1 || dot == start+1)
}

// readFields begins the packet, and writes a header for each field.
func (o *recordedObject) readFields() bool {
	if !o.skip('{') || o.head.seen&seenFields != 0 {
		return false
	}
	dst := append(room(o.packet), "Event: "...)
	dst = append(append(dst, o.event...), '\r', '\n')
	o.first = len(dst)
	line, key := o.line, &o.start
	var ok bool
	for !o.skip('}') {
		if next := key.next; next != nil && strings.HasPrefix(line[o.at:], next.raw) {
			key = next
			o.at += len(key.raw)
		} else if key, ok = o.readKey(key); !ok {
			return false
		}
		if end := inString(line, o.at); end > o.at && end < len(line) && line[end] == '"' {
			dst = append(append(dst, key.header...), line[o.at:end]...)
			dst = append(dst, '\r', '\n')
			o.at = end + 1
		} else if dst, ok = o.readValue(dst, key.header); !ok {
			return false
		}
		o.ends = append(o.ends, uint32(len(dst)))
		if !o.between('}') {
			return false
		}
	}
	o.packet = dst
	return true
}

// readValue reads a value that is empty or holds escapes, and appends its header.
func (o *recordedObject) readValue(dst []byte, header string) ([]byte, bool) {
	value, ok := o.rest()
	if !ok || header == "" && value.from == value.to { // a blank line would end the packet
		return dst, ok
	}
	return o.appendValue(append(dst, header...), value)
}

// readKey reads a field's name and what stands before its value. before is the one that stood before it.
func (o *recordedObject) readKey(before *recordKey) (*recordKey, bool) {
	start := o.at
	name, ok := o.string()
	if !ok || !o.skip(':') || !o.skip('"') {
		return nil, false
	}
	raw := o.line[start:o.at]
	if key := o.keys[raw]; key != nil {
		before.next = key
		return key, true
	}
	header, ok := appendUnescaped(nil, o.part(name))
	if !ok || bytes.ContainsAny(header, ":\r\n") { // no header's name
		return nil, false
	}
	if len(header) > 0 {
		header = append(header, ':', ' ')
	}
	key := &recordKey{raw: strings.Clone(raw), header: string(header)}
	if len(o.keys) < keptKeys && len(raw) <= longestKey {
		if o.keys == nil {
			o.keys = make(map[string]*recordKey)
		}
		o.keys[key.raw] = key
		before.next = key
	}
	return key, true
}

func (o *recordedObject) readMulti() bool {
	if !o.skip('{') {
		return false
	}
	for !o.skip('}') {
		name, ok := o.string()
		if !ok || !o.skip(':') {
			return false
		}
		from := uint32(len(o.multi))
		if o.multi, ok = o.strings(o.multi); !ok {
			return false
		}
		o.names = append(o.names, recordedName{name, from, uint32(len(o.multi))})
		if !o.between('}') {
			return false
		}
	}
	return true
}

// finish writes what comes after the fields, and the end of the packet.
func (o *recordedObject) finish() (ok bool) {
	if len(o.names) > 0 && !o.repeat() {
		return false
	}
	for _, v := range o.text {
		if v.from == v.to { // a blank line would end the packet
			continue
		}
		if o.packet, ok = o.appendValue(o.packet, v); !ok {
			return false
		}
	}
	o.packet = append(o.packet, '\r', '\n')
	return true
}

// repeat writes the packet anew, all values of a name that repeats in place of its first one. It is false if the names
// come in another order than in the fields.
func (o *recordedObject) repeat() bool {
	dst, done, field := room(o.spare), 0, 0
	for _, n := range o.names {
		header, ok := appendUnescaped(o.header[:0], o.part(n.name))
		if !ok || len(header) == 0 {
			return false
		}
		header = append(header, ':', ' ')
		o.header = header
		for ; field < len(o.ends) && !bytes.HasPrefix(o.packet[o.begin(field):], header); field++ {
		}
		if field == len(o.ends) {
			return false
		}
		from := o.begin(field)
		dst = append(dst, o.packet[done:from]...)
		for _, v := range o.multi[n.from:n.to] {
			if dst, ok = o.appendValue(append(dst, header...), v); !ok {
				return false
			}
		}
		done = int(o.ends[field])
		field++
	}
	dst = append(dst, o.packet[done:]...)
	o.packet, o.spare = dst, o.packet
	return true
}

// begin returns where a field's header begins in the packet.
func (o *recordedObject) begin(field int) int {
	if field == 0 {
		return o.first
	}
	return int(o.ends[field-1])
}

// appendValue appends a value and a line end.
func (o *recordedObject) appendValue(dst []byte, v recordedValue) (_ []byte, ok bool) {
	if !v.escaped {
		return append(append(dst, o.part(v)...), '\r', '\n'), true
	}
	start := len(dst)
	if dst, ok = appendUnescaped(dst, o.part(v)); !ok {
		return dst, false
	}
	return endLine(dst, start), true
}
