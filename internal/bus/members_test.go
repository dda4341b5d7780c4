package bus

import (
	"slices"
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

// A bridge that is to have a node is the process of its name that was heard last; one that is silent or about to end takes none.
func TestNamed(t *testing.T) {
	m := &members{self: "a/1", heard: make(map[string]time.Time), leaving: make(map[string]bool)}
	now := time.Now()
	m.hear("gone/1", false, now.Add(-3*silence))
	m.hear("ends/1", true, now)
	m.hear("b/old", false, now.Add(-silence/2))
	m.hear("b/new", false, now)
	m.hear("with/slash/1", false, now)
	for name, want := range map[string]struct {
		process string
		reason  MoveReason
	}{
		"b": {process: "b/new"}, "with/slash": {process: "with/slash/1"}, "gone": {reason: MoveAway}, "ends": {reason: MoveAway}, "with": {reason: MoveNoBridge},
	} {
		process, why := m.named(name)
		if process != want.process || (why == nil) != (want.reason == "") || why != nil && why.Reason != want.reason {
			t.Errorf("%s: %q, %+v", name, process, why)
		}
		if why != nil && why.Reason == MoveNoBridge && !slices.Equal(why.Names, []string{"b", "with/slash"}) {
			t.Errorf("there is %q", why.Names)
		}
	}
}
