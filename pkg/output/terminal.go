package output

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// unsafeRune tells the runes beyond ASCII that change how a terminal or a reader sees the text around them: C1
// controls, and what Unicode calls format characters (bidirectional marks and overrides, zero-width ones, tags), line
// and paragraph separators.
func unsafeRune(r rune) bool {
	if r < lowRunes {
		return unsafeLow[r/64]&(1<<(r%64)) != 0
	}
	return r > lastLetter && unicode.Is(unicode.Cf, r)
}

const (
	lowRunes   = 0x2080 // the unsafe runes below it are in a table; between it and lastLetter there are none
	lastLetter = 0xfefe
)

var unsafeLow = func() (t [lowRunes / 64]uint64) {
	mark := func(lo, hi, stride rune) {
		for r := lo; r <= hi && r < lowRunes; r += stride {
			t[r/64] |= 1 << (r % 64)
		}
	}
	mark(0x80, 0x9f, 1)
	mark(0x2028, 0x2029, 1)
	for _, f := range unicode.Cf.R16 {
		mark(rune(f.Lo), rune(f.Hi), rune(f.Stride))
	}
	return t
}()

// AppendSafe appends s as a terminal may see it: controls other than tab, C1, format characters and bytes that are
// not UTF-8 come as \x1b, \r or \u202e. A line end is escaped too; callers write their own.
func AppendSafe(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f || c == '\t' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if n > 1 && !unsafeRune(r) {
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		switch {
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case n == 1:
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = appendUnicodeEscape(dst, r)
		}
		i += n
		start = i
	}
	return append(dst, s[start:]...)
}

// appendSafe is AppendSafe for what mostly needs no escape.
func appendSafe(dst []byte, s string) []byte {
	if plainASCII(s) {
		return append(dst, s...)
	}
	return AppendSafe(dst, s)
}

// Safe is AppendSafe for a string.
func Safe(s string) string {
	if plainASCII(s) {
		return s
	}
	return string(AppendSafe(nil, s))
}

// stripColor removes the colour sequences (ESC [ … m) that a few Asterisk commands print and nothing else.
func stripColor(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		rest := strings.TrimLeft(after, "0123456789;")
		if strings.HasPrefix(rest, "m") {
			s = rest[1:]
			continue
		}
		b.WriteString("\x1b[")
		s = after
	}
}
