package ami

import "testing"

// A class of one member, and one whose first member is the bracket that would end it.
func TestMatchGlobOfSmallClasses(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"[a]", "a", true},
		{"[a]", "b", false},
		{"[a]", "[a]", true}, // it is spelled so
		{"[!a]", "b", true},
		{"[!a]", "a", false},
		{"[^a]", "b", true},
		{"[^a]", "A", false},
		{"[]]", "]", true},
		{"[]]", "a", false},
		{"[]a]", "a", true},
		{"[!]]", "]", false},
		{"[!]]", "a", true},
		{"[^]]", "]", false},
		{`[\]]`, "]", true},
		{`[\]a]`, "a", true},
		{"[-a]", "-", true},
		{"[a-]", "-", true},
		{"[a-]", "b", false},
		{"[", "[", true},
		{"[a", "[a", true},
		{"[!", "[!", true},
		{"[]", "[]", true},
		{"[]", "]", false},
		{`[\`, `[\`, true},
	} {
		if got := MatchGlob(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q, %q: %v", tt.pattern, tt.name, got)
		}
	}
}
