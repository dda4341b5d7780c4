package output

import "unicode/utf8"

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plainASCII reports whether s goes into a JSON string and onto a terminal as it is: printable ASCII without quote
// and backslash. It looks at eight bytes at a time, the last eight maybe twice.
func plainASCII(s string) bool {
	if len(s) < 8 {
		for i := range len(s) {
			if special[s[i]] {
				return false
			}
		}
		return true
	}
	for i, last := 0, len(s)-8; ; i = min(i+8, last) {
		p := s[i : i+8]
		w := uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
			uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
		quote, slash := w^('"'*lowBits), w^('\\'*lowBits)
		// A borrow between bytes can only follow a byte that is already refused.
		if (w|(w-' '*lowBits)|(w+lowBits)|(quote-lowBits)|(slash-lowBits))&highBits != 0 {
			return false
		}
		if i == last {
			return true
		}
	}
}

// special marks the bytes that plainASCII refuses.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c < ' ' || c >= 0x7f || c == '"' || c == '\\'
	}
	return t
}()

// appendString appends s as a JSON string and reports whether it held bytes that are not UTF-8, each now U+FFFD.
// Whatever a terminal or a reader could take for a command (controls, C1, bidirectional marks, line separators) is
// written as an escape, so JSON may go to a terminal as it is.
func appendString(dst []byte, s string) (_ []byte, lossy bool) {
	dst = append(dst, '"')
	if plainASCII(s) {
		dst = append(dst, s...)
	} else {
		dst, lossy = appendEscaped(dst, s)
	}
	return append(dst, '"'), lossy
}

// appendEscaped is appendString for what is not plain, without the quotes.
func appendEscaped(dst []byte, s string) (_ []byte, lossy bool) {
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if special[c] {
				dst = append(dst, s[start:i]...)
				dst = appendEscapedByte(dst, c)
				start = i + 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || unsafeRune(r) {
			dst = append(dst, s[start:i]...)
			if n == 1 {
				lossy = true
				dst = append(dst, "\ufffd"...)
			} else {
				dst = appendUnicodeEscape(dst, r)
			}
			start = i + n
		}
		i += n
	}
	return append(dst, s[start:]...), lossy
}

const hexDigits = "0123456789abcdef"

func appendEscapedByte(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return appendUnicodeEscape(dst, rune(c))
}

// appendUnicodeEscape writes a rune of the basic plane; every unsafe rune is one, but for the tag characters.
func appendUnicodeEscape(dst []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		dst = appendUnicodeEscape(dst, 0xd800+r>>10)
		r = 0xdc00 + r&0x3ff
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendKey appends a comma, a key that needs no escape and a colon.
func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// appendStringKey appends a key of our own with a string value.
func appendStringKey(dst []byte, key, value string, lossy *bool) []byte {
	dst, l := appendString(appendKey(dst, key), value)
	*lossy = *lossy || l
	return dst
}
