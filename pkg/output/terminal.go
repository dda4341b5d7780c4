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
	return r >= 0x80 && r < 0xa0 || r > 0xa0 && (unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
}

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
