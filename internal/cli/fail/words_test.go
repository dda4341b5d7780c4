package fail

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// How many insertions, deletions, replacements and swaps of neighbours are between two words, in either direction.
func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"a", "a", 0},
		{"a", "b", 1},
		{"abc", "abc", 0},
		{"abc", "ab", 1},
		{"abc", "bc", 1},
		{"abc", "xbc", 1},
		{"abc", "abx", 1},
		{"abc", "xyz", 3},
		{"ab", "ba", 1},
		{"abcd", "abdc", 1},
		{"abcd", "badc", 2},
		{"abc", "ca", 3}, // a letter is moved once
		{"abcdef", "acbdfe", 2},
		{"aab", "aba", 1},
		{"kitten", "sitting", 3},
		{"health", "helath", 1},
		{"abab", "baba", 2},
	} {
		if ab, ba := editDistance(tt.a, tt.b), editDistance(tt.b, tt.a); ab != tt.want || ba != tt.want {
			t.Errorf("%q and %q: %d and %d, want %d", tt.a, tt.b, ab, ba, tt.want)
		}
	}
}

// Which of several names is meant: the nearest, and of equally near ones the first.
func TestNearestOfSeveral(t *testing.T) {
	for _, tt := range []struct {
		word       string
		candidates string
		want       string
	}{
		{"a", "", ""},
		{"pin", "pan pun", "pan"}, // the first of equals
		{"queuead", "queuedel queueadd", "queueadd"},
		{"queuestatsu", "queuestate queuestatus", "queuestatus"},
		{"queuestt", "queuestatus", "queuestatus"[:0]}, // three off, of eight letters
		{"queuestat", "queuestatus", "queuestatus"},    // its beginning
		{"queuest", "queuestatus queuestate", "queuestatus"},
		{"qu", "queues", ""}, // too short for a beginning
		{"que", "queues", "queues"},
		{"QUE", "Queues", "Queues"},
		{"stat", "state status", "state"},
		{"stats", "status state", "status"},
		{"tail", "wait tail tell", "tail"},
		{"originat", "originating originate", "originate"},
		{"abcdefgh", "abcdefxy", "abcdefxy"}, // two off, of eight letters
		{"abcdefg", "abcdexy", ""},           // of seven one
		{"hlo", "olh ohl", ""},
		{"form", "from farm", "from"},
		{"form", "farm from", "from"},
		{"ab", "ba", "ba"},
	} {
		if got := Nearest(tt.word, strings.Fields(tt.candidates)); got != tt.want {
			t.Errorf("%s among %s: %q, want %q", tt.word, tt.candidates, got, tt.want)
		}
	}
	if got := NearHint("tial", []string{"tail"}, "x"); got != "did you mean tail?" {
		t.Errorf("%q", got)
	}
	if got := NearHint("zzz", []string{"tail"}, "x"); got != "x" {
		t.Errorf("%q", got)
	}
}

func TestSameLetters(t *testing.T) {
	for pair, want := range map[[2]string]bool{{"for", "fro"}: true, {"FOR", "fro"}: true, {"for", "form"}: false, {"aab", "abb"}: false, {"", ""}: true} {
		if sameLetters(pair[0], pair[1]) != want {
			t.Errorf("%q: %t", pair, !want)
		}
	}
}

// A line that is shown to be typed means to a shell what it says.
func TestShellLine(t *testing.T) {
	for want, words := range map[string][]string{
		"":                       nil,
		"amictl":                 {"amictl"},
		"amictl send Ping":       {"amictl", "send", "Ping"},
		`a\ b c`:                 {"a b", "c"},
		`Local/1@x-1\;2`:         {"Local/1@x-1;2"},
		`\$HOME \'x\' \"y\" é`:   {"$HOME", "'x'", `"y"`, "é"},
		`a\\b \*\? \~ \# \!\{\}`: {`a\b`, "*?", "~", "#", "!{}"},
	} {
		if got := ShellLine(words); got != want {
			t.Errorf("%q: %s, want %s", words, got, want)
		}
	}
}

func TestVerbs(t *testing.T) {
	for n, want := range map[int64]string{0: "0 calls are, 0 calls were", 1: "1 call is, 1 call was", 2: "2 calls are, 2 calls were"} {
		if got := Are(n, "call") + ", " + Were(n, "call"); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// What an action needs is named where it needs anything, and where it is known.
func TestHintsOfTheCatalog(t *testing.T) {
	for action, want := range map[string]string{
		"QueueAdd":      "`amictl actions QueueAdd` shows what it takes; it needs Queue, Interface",
		"queueadd":      "`amictl actions QueueAdd` shows what it takes; it needs Queue, Interface",
		"Status":        "`amictl actions Status` shows what it takes",
		"PJSIPShowAors": HintOf[CodeRefused], // which takes nothing
		"NoSuch":        HintOf[CodeRefused],
	} {
		if got := parameterHint(action); got != want {
			t.Errorf("%s: %q, want %q", action, got, want)
		}
	}
	for _, tt := range []struct {
		action, header string
		err            error
		there          bool
	}{
		{"MessageSend", "Body", wire.ErrNewline, true},
		{"MessageSend", "Body", wire.ErrNUL, true},
		{"MessageSend", "Body", wire.ErrLineTooLong, false},
		{"MessageSend", "To", wire.ErrNewline, false},
		{"NoSuch", "Body", wire.ErrNewline, false},
	} {
		if got := encodedHint(tt.action, &wire.FieldError{Header: tt.header, Err: tt.err}); (got != "") != tt.there {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
