package bus

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

// Where one session's events stand in another's is known where they stand at one place alone.
func TestAlign(t *testing.T) {
	for name, tt := range map[string]struct {
		goes, comes string
		at          int
		ok          bool
	}{
		"nothing has come":                         {"", "", 0, true},
		"nothing to compare":                       {"ab", "", 0, false},
		"at the beginning":                         {"abc", "abc", 0, true},
		"in the middle":                            {"abcde", "cd", 2, true},
		"at the end":                               {"abc", "c", 2, true},
		"the same again":                           {"abab", "ab", 0, false},
		"the same again, and longer":               {"ababc", "abc", 2, true},
		"over itself":                              {"aaaa", "aaa", 0, false},
		"all the same":                             {"aaa", "aaa", 0, true},
		"other events":                             {"abc", "x", 0, false},
		"more than the other has":                  {"bc", "abc", 0, false},
		"an end that is not there":                 {"abc", "cd", 0, false},
		"events, where the other session has none": {"", "a", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			marks := func(text string) (all []mark) {
				for _, c := range text {
					all = append(all, mark(c))
				}
				return unpackMarks(packMarks(all))
			}
			if at, ok := align(marks(tt.goes), marks(tt.comes)); ok != tt.ok || ok && at != tt.at {
				t.Errorf("%d, %v", at, ok)
			}
		})
	}
}

// What a server sends to everybody has a mark, the same in each session, and what is a session's own has none.
func TestMarks(t *testing.T) {
	const event = "Event: Hangup\r\nPrivilege: call,all\r\nN: 1\r\n\r\n"
	first, ok := markOf(anEvent(event))
	if again, ok2 := markOf(anEvent(event)); !ok || !ok2 || first != again {
		t.Errorf("%v %v, and %v %v", first, ok, again, ok2)
	}
	if other, _ := markOf(anEvent(strings.Replace(event, "1", "2", 1))); other == first {
		t.Error("another event has the same mark")
	}
	for _, text := range []string{
		"Response: Success\r\n\r\n", "Event: FullyBooted\r\nPrivilege: system,all\r\n\r\n", "Event: Status\r\nPrivilege: Call\r\n\r\n", "Event: IAXpeer\r\n\r\n",
	} {
		if _, ok := markOf(anEvent(text)); ok {
			t.Errorf("%q has a mark", text)
		}
	}
	gap := gapOf("pbx", ami.GapOverflow, 1)
	if _, ok := markOf(&gap); ok {
		t.Error("a gap has a mark")
	}
}
