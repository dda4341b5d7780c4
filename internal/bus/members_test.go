package bus

import (
	"slices"
	"strconv"
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

// A bridge is dead when it was silent while our own beats came back: where theirs stay away, too, the bus stands still.
func TestSilence(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		own, other time.Duration // since they were heard
		alive      bool
	}{
		"both":                              {0, 0, true},
		"it is silent":                      {beatEvery, silence + time.Second, false},
		"its last beat was before our last": {silence - beatEvery/5, silence + beatEvery/5, true},
		"the bus stands still for long":     {10 * silence, 10*silence + beatEvery, true},
	} {
		m := &members{self: "a/1", heard: map[string]time.Time{"a/1": now.Add(-tt.own), "b/1": now.Add(-tt.other)}}
		if got := m.alive("b/1"); got != tt.alive || slices.Contains(m.list(), "b/1") != tt.alive {
			t.Errorf("%s: alive %v, and %q take nodes", name, got, m.list())
		}
	}
}

// Whoever ranks first takes a node that is free at once, and others leave it to him, and longer to a bridge that is alive and had a lease
// that ended by itself.
func TestLeaves(t *testing.T) {
	now := time.Now()
	node := "pbx"
	for i := 0; rank(node, []string{"a/1", "b/1"}) != "a/1"; i++ {
		node = "pbx" + strconv.Itoa(i)
	}
	for name, tt := range map[string]struct {
		self  string
		lease leaseState
		want  time.Duration
	}{
		"first":                          {"a/1", leaseState{}, 0},
		"second":                         {"b/1", leaseState{}, leftFree},
		"first, it was given back":       {"a/1", leaseState{ceded: true, revision: 7}, 0},
		"first, behind one who is alive": {"a/1", leaseState{lapsed: "b/1", revision: 7}, lapsedFree},
		"first, behind one who is dead":  {"a/1", leaseState{lapsed: "dead/1", revision: 7}, 0},
		"his own":                        {"a/1", leaseState{lapsed: "a/1", revision: 7}, 0},
	} {
		m := &members{self: tt.self, heard: map[string]time.Time{"a/1": now, "b/1": now, "dead/1": now.Add(-2 * silence)}, leaving: make(map[string]bool)}
		b := &bridge{self: tt.self, members: m}
		if got := b.leaves(node, tt.lease); got != tt.want {
			t.Errorf("%s: it leaves it for %s", name, got)
		}
	}
}

// What is known of a lease says why it is free.
func TestLeaseBoardOfLapses(t *testing.T) {
	b := &leaseBoard{leases: make(map[string]leaseState), came: make(chan struct{}, 1)}
	for i, tt := range []struct {
		put    leaseState
		lapsed string
	}{
		{leaseState{revision: 1}, ""},
		{leaseState{holder: "a/1", revision: 2}, ""},
		{leaseState{revision: 3}, "a/1"},
		{leaseState{}, "a/1"}, // the mark has gone, too
		{leaseState{holder: "b/1", revision: 4}, ""},
		{leaseState{ceded: true, revision: 5}, ""},
		{leaseState{}, ""},
	} {
		if b.put("pbx", tt.put); b.of("pbx").lapsed != tt.lapsed {
			t.Errorf("%d: %q had it", i, b.of("pbx").lapsed)
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
