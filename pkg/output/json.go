package output

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
	"unsafe"
)

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
		if specials(load8(s, i)) != 0 {
			return false
		}
		if i == last {
			return true
		}
	}
}

// plainWord is plainASCII for a text that holds no space either.
func plainWord(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := load8(s, i)
		if (specials(w)|(w-('!'*lowBits)))&highBits != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if s[i] == ' ' || special[s[i]] {
			return false
		}
	}
	return true
}

// view returns b as a string that is valid until b changes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// load8 returns the eight bytes of s from i on.
func load8(s string, i int) uint64 {
	p := s[i : i+8]
	return uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
		uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
}

// specials returns a word in which the lowest bit that is set is the top bit of the first special byte of w. Higher bits
// may be wrong: a borrow between bytes can only follow a byte that is special.
func specials(w uint64) uint64 {
	quote, slash := w^('"'*lowBits), w^('\\'*lowBits)
	return (w | (w - ' '*lowBits) | (w + lowBits) | (quote - lowBits) | (slash - lowBits)) & highBits
}

// special marks the bytes that plainASCII refuses.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c < ' ' || c >= 0x7f || c == '"' || c == '\\'
	}
	return t
}()

// AppendString appends s as a JSON string and reports whether it held bytes that are not UTF-8, each now U+FFFD.
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

// appendEscaped is AppendString for what is not plain, without the quotes.
func appendEscaped(dst []byte, s string) (_ []byte, lossy bool) {
	const piece = 1 << 10 // so much is given room at a time, six bytes for each and eight to write beyond the end
	for i := 0; i < len(s); {
		end := min(i+piece, len(s))
		dst = slices.Grow(dst, 6*(end-i+utf8.UTFMax)+8)
		n, to := len(dst), dst[:cap(dst)]
		for i < end {
			if i+8 <= len(s) && s[i] < utf8.RuneSelf {
				w := load8(s, i)
				binary.LittleEndian.PutUint64(to[n:], w)
				plain := 8
				if m := specials(w); m != 0 {
					plain = bits.TrailingZeros64(m) / 8
				}
				i, n = i+plain, n+plain
				if plain > 0 {
					continue
				}
			}
			if c := s[i]; c < utf8.RuneSelf {
				if special[c] {
					n = len(appendEscapedByte(to[:n], c))
				} else {
					to[n] = c
					n++
				}
				i++
				continue
			}
			start := i
			for i < end && s[i] >= utf8.RuneSelf {
				k := safeRune(s[i:])
				if k == 0 {
					break
				}
				i += k
			}
			if n += copy(to[n:], s[start:i]); i > start {
				continue
			}
			r, k := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && k == 1 {
				lossy = true
				n += copy(to[n:], "\ufffd")
			} else {
				n = len(appendUnicodeEscape(to[:n], r))
			}
			i += k
		}
		dst = to[:n]
	}
	return dst, lossy
}

// safeRune returns the length of the rune that s begins with, which is not ASCII, or 0 if it is not written as it is.
func safeRune(s string) int {
	if len(s) >= 3 { // most are of two or three bytes
		switch a, b, c := rune(s[0]), rune(s[1]), rune(s[2]); {
		case a >= 0xc2 && a < 0xe0 && b&0xc0 == 0x80:
			if r := a&0x1f<<6 | b&0x3f; unsafeLow[r/64]&(1<<(r%64)) != 0 {
				return 0
			}
			return 2
		case a > 0xe0 && a < 0xed && b&0xc0 == 0x80 && c&0xc0 == 0x80: // U+1000 to U+CFFF
			if r := a&0xf<<12 | b&0x3f<<6 | c&0x3f; r < lowRunes && unsafeLow[r/64]&(1<<(r%64)) != 0 {
				return 0
			}
			return 3
		}
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 || unsafeRune(r) {
		return 0
	}
	return n
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
