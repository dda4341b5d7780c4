package fail

import "testing"

func TestNearest(t *testing.T) {
	for _, test := range []struct {
		word       string
		candidates []string
		want       string
	}{
		{"helath", []string{"state", "health"}, "health"},
		{"fro", []string{"fry", "for"}, "for"}, // letters that are swapped come before one that is another
		{"fro", []string{"for", "fry"}, "for"},
		{"ten", []string{"the", "tan"}, "tan"},
		{"cal", []string{"dial", "call"}, "call"},
		{"orig", []string{"bridge", "originate"}, "originate"}, // the beginning of a word
		{"STATE", []string{"state"}, "state"},
		{"xyz", []string{"state", "health"}, ""},
	} {
		if got := Nearest(test.word, test.candidates); got != test.want {
			t.Errorf("%s among %v: %q, want %q", test.word, test.candidates, got, test.want)
		}
	}
}
