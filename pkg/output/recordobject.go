package output

import (
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// A recordedObject is an event's object as this program writes it, taken apart. Its strings are parts of the line.
type recordedObject struct {
	line string
	at   int // what is read next

	typ, node, time, event string
	seen                   uint8 // top-level keys that were read, a bit each

	fields []recordedField
	multi  []recordedValue // of all repeated names, one behind the other
	text   []recordedValue
	names  []recordedName // repeated ones
}

// A recordedValue is a string of the line without its quotes.
type recordedValue struct {
	from, to uint32
	escaped  bool // it holds escapes
}

type recordedField struct{ name, value recordedValue }

// A recordedName is a key of multi with the place of its first value and that behind its last in recordedObject.multi.
type recordedName struct {
	name     recordedValue
	from, to uint32
}

// What reading an object came to.
type objectState uint8

const (
	objectForeign  objectState = iota // not written as here, or no event: gjson may know more
	objectUnwanted                    // passed over
	objectWhole
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

const keptFields = 4096 // that there is room for between lines

// read takes a line apart. When its head was read, wants says whether the rest is.
func (o *recordedObject) read(line []byte, wants func(*recordedObject) bool) objectState {
	*o = recordedObject{
		line:   unsafe.String(unsafe.SliceData(line), len(line)), // the line stays as it is until the object is made
		fields: room(o.fields), multi: room(o.multi), text: room(o.text), names: room(o.names),
	}
	if n := len(line); n < 2 || line[0] != '{' || line[n-1] != '}' {
		return objectForeign
	}
	for o.at = 1; ; {
		key, ok := o.plain()
		if !ok || !o.skip(':') {
			return objectForeign
		}
		if key == "fields" && o.seen&(seenType|seenEvent) == seenType|seenEvent && o.isEvent() && !wants(o) {
			return objectUnwanted
		}
		if !o.value(key) {
			return objectForeign
		}
		if o.skip(',') {
			continue
		}
		if !o.skip('}') || o.at != len(line) || !o.isEvent() || o.seen&seenEvent == 0 {
			return objectForeign
		}
		return objectWhole
	}
}

func room[T any](s []T) []T {
	if cap(s) > keptFields {
		return nil
	}
	return s[:0]
}

func (o *recordedObject) isEvent() bool { return o.typ == "event" || o.typ == "item" }

// value reads what stands behind a top-level key. A key that comes twice is not ours.
func (o *recordedObject) value(key string) (ok bool) {
	var bit uint8
	switch key {
	case "type":
		bit = seenType
		o.typ, ok = o.plain()
	case "node":
		bit = seenNode
		o.node, ok = o.plain()
	case "time":
		bit = seenTime
		o.time, ok = o.plain()
	case "event":
		bit = seenEvent
		o.event, ok = o.plain()
	case "fields":
		bit = seenFields
		ok = o.readFields()
	case "multi":
		bit = seenMulti
		ok = o.readMulti()
	case "text":
		bit = seenText
		o.text, ok = o.strings(o.text)
	default:
		return o.other()
	}
	ok = ok && o.seen&bit == 0
	o.seen |= bit
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

func (o *recordedObject) readFields() bool {
	if !o.skip('{') {
		return false
	}
	for !o.skip('}') {
		name, ok := o.string()
		if !ok || !o.skip(':') {
			return false
		}
		value, ok := o.string()
		if !ok {
			return false
		}
		o.fields = append(o.fields, recordedField{name, value})
		if !o.between('}') {
			return false
		}
	}
	return true
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

// strings reads an array of strings.
func (o *recordedObject) strings(to []recordedValue) ([]recordedValue, bool) {
	if !o.skip('[') {
		return to, false
	}
	for !o.skip(']') {
		v, ok := o.string()
		if !ok {
			return to, false
		}
		to = append(to, v)
		if !o.between(']') {
			return to, false
		}
	}
	return to, true
}

// between takes the comma between two members, and leaves the end of them.
func (o *recordedObject) between(end byte) bool {
	if o.skip(',') {
		return o.at < len(o.line) && o.line[o.at] == '"'
	}
	return o.at < len(o.line) && o.line[o.at] == end
}

func (o *recordedObject) skip(c byte) bool {
	if o.at < len(o.line) && o.line[o.at] == c {
		o.at++
		return true
	}
	return false
}

// plain reads a string that has no escapes.
func (o *recordedObject) plain() (string, bool) {
	v, ok := o.string()
	if !ok || v.escaped {
		return "", false
	}
	return o.line[v.from:v.to], true
}

// string reads a string.
func (o *recordedObject) string() (v recordedValue, ok bool) {
	if !o.skip('"') {
		return v, false
	}
	s, i := o.line, o.at
	v.from = uint32(i)
	for {
		i = inString(s, i)
		if i >= len(s) || s[i] < ' ' {
			return v, false
		}
		if s[i] == '"' {
			v.to = uint32(i)
			o.at = i + 1
			return v, true
		}
		v.escaped = true
		i += 2
	}
}

// inString returns the place of the next quote, backslash or control from i on, or len(s).
func inString(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		w := load8(s, i)
		quote, slash := w^('"'*lowBits), w^('\\'*lowBits)
		if m := ((quote-lowBits)&^quote | (slash-lowBits)&^slash | (w-' '*lowBits)&^w) & highBits; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(s) && s[i] != '"' && s[i] != '\\' && s[i] >= ' '; i++ {
	}
	return min(i, len(s))
}

// appendPacket appends the packet that the object was made of. It is false if an escape is none.
func (o *recordedObject) appendPacket(dst []byte) (_ []byte, ok bool) {
	dst = appendLine(dst, "Event", o.event)
	repeated := 0
	for i := range o.fields {
		f := &o.fields[i]
		if repeated < len(o.names) && o.same(f.name, o.names[repeated].name) {
			n := o.names[repeated]
			repeated++
			for _, v := range o.multi[n.from:n.to] {
				if dst, ok = o.appendLine(dst, f.name, v); !ok {
					return dst, false
				}
			}
			continue
		}
		if dst, ok = o.appendLine(dst, f.name, f.value); !ok {
			return dst, false
		}
	}
	if repeated < len(o.names) {
		return dst, false // in another order
	}
	for _, v := range o.text {
		if dst, ok = o.appendLine(dst, recordedValue{}, v); !ok {
			return dst, false
		}
	}
	return append(dst, '\r', '\n'), true
}

func (o *recordedObject) same(a, b recordedValue) bool {
	return o.line[a.from:a.to] == o.line[b.from:b.to]
}

func (o *recordedObject) appendLine(dst []byte, name, value recordedValue) ([]byte, bool) {
	if !name.escaped && !value.escaped {
		if name.from == name.to && value.from == value.to {
			return dst, true
		}
		if name.from < name.to {
			dst = append(append(dst, o.line[name.from:name.to]...), ':', ' ')
		}
		return append(append(dst, o.line[value.from:value.to]...), '\r', '\n'), true
	}
	start, ok := len(dst), true
	if dst, ok = appendUnescaped(dst, o.line[name.from:name.to]); !ok {
		return dst, false
	}
	if name.from < name.to {
		dst = append(dst, ':', ' ')
	}
	if dst, ok = appendUnescaped(dst, o.line[value.from:value.to]); !ok {
		return dst, false
	}
	return endLine(dst, start), true
}

// appendUnescaped appends the inside of a JSON string as the text that it means. Surrogates that are no pair, and what is no
// escape, are false.
func appendUnescaped(dst []byte, s string) (_ []byte, ok bool) {
	for i := 0; i < len(s); {
		n := inString(s, i)
		dst = append(dst, s[i:n]...)
		if i = n; i == len(s) {
			break
		}
		if i+1 >= len(s) {
			return dst, false
		}
		c := s[i+1]
		i += 2
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hexRune(s, i)
			i += 4
			if ok && utf16.IsSurrogate(r) {
				low, paired := rune(0), i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u'
				if paired {
					low, paired = hexRune(s, i+2)
				}
				r, i = utf16.DecodeRune(r, low), i+6
				ok = paired && r != utf8.RuneError
			}
			if !ok {
				return dst, false
			}
			dst = utf8.AppendRune(dst, r)
		default:
			return dst, false
		}
	}
	return dst, true
}

// hexRune reads four hexadecimal digits.
func hexRune(s string, i int) (r rune, ok bool) {
	if i+4 > len(s) {
		return 0, false
	}
	for _, c := range []byte(s[i : i+4]) {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
