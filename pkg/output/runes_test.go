package output

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Which runes are unsafe is looked up in tables; it is what Unicode says, for every rune.
func TestUnsafeRune(t *testing.T) {
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		want := r < 0xa0 || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
		if got := unsafeRune(r); got != want {
			t.Errorf("%U: %v, want %v", r, got, want)
		}
	}
}

// Every sequence of up to three bytes, and every rune of four, is written as the obvious way writes it.
func TestAppendEscapedEverySequence(t *testing.T) {
	check := func(s string) {
		got, lossy := appendEscaped(nil, s)
		if want := slowString(s); string(got) != want || lossy == utf8.ValidString(s) {
			t.Errorf("%q: %q and %v, want %q", s, got, lossy, want)
		}
	}
	for a := range 0x100 {
		check(string([]byte{byte(a)}))
		for b := range 0x100 {
			check(string([]byte{byte(a), byte(b)}))
			for _, c := range []byte{0, 'x', 0x7f, 0x80, 0x9f, 0xa8, 0xaf, 0xbf, 0xc0, 0xff} {
				check(string([]byte{byte(a), byte(b), c}))
			}
		}
	}
	for r := rune(0x800); r <= unicode.MaxRune; r += 7 {
		check(string(r))
	}
	check(strings.Repeat("\xf0\x9f\x93", 3) + "\xf0\x9f\x93\x9e\xf5\x80\x80\x80")
}
