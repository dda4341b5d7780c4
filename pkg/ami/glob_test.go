package ami

import (
	"strings"
	"testing"
)

func TestMatchGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"Hangup", "Hangup", true},
		{"hangup", "HANGUP", true},
		{"Hangup", "HangupRequest", false},
		{"HangupRequest", "Hangup", false},
		{"Queue*", "QueueMemberStatus", true},
		{"Queue*", "Queue", true},
		{"queue*", "AQueue", false},
		{"*status", "PeerStatus", true},
		{"*status", "PeerStatusX", false},
		{"*a*b*", "xxaxxbxx", true},
		{"*a*b*", "xxbxxaxx", false},
		{"*ab", "aab", true}, // the first a found is not the one
		{"a*b*c", "abbcbc", true},
		{"?ial*", "DialBegin", true},
		{"?", "", false},
		{"??", "a", false},
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "x", true},
		{"[ab]", "a", true},
		{"[ab]", "B", true},
		{"[ab]", "[AB]", true}, // it is spelled so
		{"[::1]:5038", "[::1]:5038", true},
		{"pbx[1-3]", "pbx2", true},
		{"pbx[1-3]", "pbx4", false},
		{"pbx[!1-3]", "pbx4", true},
		{"pbx[^1-3]*", "pbx2x", false},
		{"x[A-C]", "Xb", true},
		{"x[]-]", "x]", true},
		{"x[]-]", "x-", true},
		{"x[a-]", "x-", true},
		{"x[\\]]", "x]", true},
		{"x[", "x[", true},
		{"*x[", "ax[", true},
		{"x[a", "xa", false},
		{"\\*", "*", true},
		{"\\*", "a", false},
		{"\\a", "A", true},
		{"a\\", "a\\", true},
		{"f?rth", "fürth", true}, // ? is a character, not a byte
		{"f??rth", "fürth", false},
		{"f[ü]rth", "fürth", true},
		{"*?h", "\xffh", true},
		{"fra/*", "fra/1/2", true}, // a slash is a letter
		{"a@", "a`", false},        // only letters fold
	} {
		if got := MatchGlob(tt.pattern, tt.name); got != tt.want {
			t.Errorf("MatchGlob(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
}

// Backtracking stays within len(pattern)·len(name): a naive matcher takes longer than the universe here.
func TestMatchGlobIsNotExponential(t *testing.T) {
	if MatchGlob(strings.Repeat("*a", 100)+"b", strings.Repeat("a", 2000)) {
		t.Error("matches without the b")
	}
}

func TestNameSet(t *testing.T) {
	for _, tt := range []struct {
		patterns  []string
		yes, no   []string
		wantError string
	}{
		{nil, []string{"Hangup", ""}, nil, ""},
		{[]string{}, []string{"Hangup"}, nil, ""},
		{[]string{"*"}, []string{"Hangup", ""}, nil, ""},
		{[]string{"Hangup", "newexten"}, []string{"hangup", "Newexten"}, []string{"Hangu", "Hangups", "Newextem", ""}, ""},
		{[]string{"Hangup", "Queue*", "?ial"}, []string{"HANGUP", "queuejoin", "Dial"}, []string{"DialBegin", "Bridge"}, ""},
		{[]string{"Dial[BE]*"}, []string{"dialbegin", "DialEnd"}, []string{"DialState", "Dial"}, ""},
		{[]string{"Hangup", ""}, nil, nil, "empty"},
		{[]string{"Hangup\r\nX"}, nil, nil, "control"},
		{[]string{strings.Repeat("x", 1023)}, nil, nil, "1023 bytes"},
	} {
		s, err := compileNames(tt.patterns)
		if tt.wantError != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantError) {
				t.Errorf("compileNames(%q): %v, want %q", tt.patterns, err, tt.wantError)
			}
			continue
		}
		if err != nil {
			t.Errorf("compileNames(%q): %v", tt.patterns, err)
			continue
		}
		for _, name := range tt.yes {
			if !s.match(name) {
				t.Errorf("%q does not match %q", tt.patterns, name)
			}
		}
		for _, name := range tt.no {
			if s.match(name) {
				t.Errorf("%q matches %q", tt.patterns, name)
			}
		}
	}
}

func TestNameSetDoesNotAllocate(t *testing.T) {
	s, err := compileNames([]string{"Hangup", "Newchannel", "*queue*", "Dial*"})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		s.match("newchannel")
		s.match("MyQueueEvent")
		s.match("Bridge")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
