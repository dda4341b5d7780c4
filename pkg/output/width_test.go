package output

import "testing"

// What terminals draw two columns wide, or on top of what is before it, is counted so. Ambiguous characters are one wide.
func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"":             0,
		"Agent One":    9,
		"a\tb":         3,
		"Müller":       6,
		"Mu\u0308ller": 6, // the dots are a character of their own
		"日本語":          6,
		"ﾊﾝﾄﾞ":         4, // half as wide as others of their script
		"한국":           4,
		"📞 100":        6,
		"⌚⚡":           4, // old symbols that became emoji
		"…±°":          3,
		"שׁלום":        4,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q is %d wide, want %d", text, got, want)
		}
		if cut := Cut(text, want); cut != text {
			t.Errorf("%q is cut to %q at its own width", text, cut)
		}
		if cut := Cut(text, want-1); want > 0 && (cut == text || Width(cut) > want-1) {
			t.Errorf("%q is cut to %q at %d", text, cut, want-1)
		}
	}
}
