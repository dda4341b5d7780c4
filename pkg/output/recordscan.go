package output

import (
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

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
	var v recordedValue
	ok := o.plainInto(&v)
	return o.part(v), ok
}

func (o *recordedObject) plainInto(v *recordedValue) bool {
	s, ok := o.string()
	if !ok || s.escaped {
		return false
	}
	*v = s
	return true
}

// string reads a string.
func (o *recordedObject) string() (v recordedValue, ok bool) {
	if !o.skip('"') {
		return v, false
	}
	return o.rest()
}

// rest reads a string behind its first quote.
func (o *recordedObject) rest() (v recordedValue, ok bool) {
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
