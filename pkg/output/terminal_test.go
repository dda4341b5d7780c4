package output

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"plain \"text\" \\ é 漢":       "plain \"text\" \\ é 漢",
		"\x1b]0;title\x07":            `\x1b]0;title\x07`,
		"a\rb\nc\td":                  `a\rb\nc` + "\td",
		"\u009b31m":                   `\u009b31m`,
		"\x9b31m":                     `\x9b31m`,
		"abc\u202egnp.exe\u2066":      `abc\u202egnp.exe\u2066`,
		"\u200b\ufeff\u2028\u00ad":    `\u200b\ufeff\u2028\u00ad`,
		"\U000e0041":                  `\udb40\udc41`,
		"\x00\x7f":                    `\x00\x7f`,
		"invalid \xff\xfe utf-8 \xc3": `invalid \xff\xfe utf-8 \xc3`,
	} {
		if got := Safe(in); got != want {
			t.Errorf("Safe(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestStripColor(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[1;35mred\x1b[0m plain": "red plain",
		"\x1b[2Jclear":               "\x1b[2Jclear", // not a colour: it stays, to be escaped
		"end\x1b[":                   "end\x1b[",
		"end\x1b[1;":                 "end\x1b[1;",
		"\x1b[m\x1b[\x1b[0mx":        "\x1b[x",
	} {
		if got := stripColor(in); got != want {
			t.Errorf("stripColor(%q) = %q, want %q", in, got, want)
		}
	}
}

// Nothing that a terminal could take for a command passes, whatever the bytes.
func FuzzSafe(f *testing.F) {
	f.Add("\x1b[31m\u009b\xc2\x85\u202e\r")
	f.Fuzz(func(t *testing.T, s string) {
		got := Safe(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029') {
				t.Fatalf("%q passes in %q", r, got)
			}
		}
	})
}
