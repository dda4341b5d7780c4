package ami

import (
	"testing"
	"unicode"
)

// Letters below the limit are spelled by the table, each by its own entry, in the middle of a text and at its ends: small
// where they are ASCII, else as the first of their cases.
func TestLetterCases(t *testing.T) {
	c := loadCases()
	for text, want := range map[string]string{
		"é": "É", "aéB": "aÉb", "äÖüß": "ÄÖÜß", "Иванов": "ИВАНОВ", "ω": "Ω", "ABCDEFGHIé": "abcdefghiÉ", "é漢Z": "É漢z",
	} {
		if got, ok := c.append(nil, text, 0); !ok || string(got) != want {
			t.Errorf("%q is spelled %q, %v, want %q", text, got, ok, want)
		}
	}
	for r := rune(0x80); r < 0x400; r++ {
		got, ok := c.appendRunes(nil, string(r))
		if ok && unicode.SimpleFold(r) == r && string(got) != string(r) {
			t.Errorf("%q, which has no other case, is spelled %q", r, got)
		}
		if again, both := c.appendRunes(nil, string(unicode.SimpleFold(r))); ok && both && unicode.SimpleFold(unicode.SimpleFold(r)) == r && string(again) != string(got) {
			t.Errorf("%q is spelled %q, its other case %q", r, got, again)
		}
	}
}
