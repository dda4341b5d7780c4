package bus

import (
	"testing"
	"time"
)

// A bridge that is about to end is alive until it has ended, but no longer ranks for nodes.
func TestGoodbye(t *testing.T) {
	url := aBus(t)
	join := func(name string) *members {
		t.Helper()
		m, err := join(dial(t, url), "c", name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.leave)
		return m
	}
	a, b := join("a/1"), join("b/2")
	soon := func(what string, is func() bool) {
		t.Helper()
		for start := time.Now(); !is(); time.Sleep(time.Millisecond) {
			if time.Since(start) > patience {
				t.Fatal(what)
			}
		}
	}
	for _, m := range []*members{a, b} {
		soon("they do not hear each other", func() bool { return len(m.list()) == 2 })
	}
	b.sayGoodbye()
	for _, m := range []*members{a, b} {
		soon("the one that goes still ranks", func() bool { return len(m.list()) == 1 })
		if m.list()[0] != "a/1" || !m.alive("b/2") {
			t.Errorf("%v rank, and b is alive: %v", m.list(), m.alive("b/2"))
		}
	}
}
