package scenario

import (
	"testing"
	"testing/synctest"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A node that never was ready was so within any time, and away for less than any.
func TestANodeThatNeverWasReadyMeetsNothing(t *testing.T) {
	s, err := Parse("x", `
about = "a server that is down"
cold = true
for = "100ms"

[[server]]
name = "pbx1"

[[fault]]
on = "pbx1"
do = "down"

[[node]]
on = "pbx1"
expect = { first_ready = "<=50ms", longest_away = "<=50ms", sessions = 0 }
`)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s.Servers[0].NotBooted = false
		network := amitest.NewNetwork()
		r, err := s.Run(t.Context(), network)
		if err != nil {
			t.Fatal(err)
		}
		never := true
		for _, f := range r.Failures {
			never = never && f.What != "sessions"
			t.Log(f.String())
		}
		if r.OK() && never {
			t.Error("a node that never was ready was ready in time")
		}
	})
}

// Of a server with several nodes nobody compares the events, and yet a subscription to them was complete.
func TestNothingComparedIsNotComplete(t *testing.T) {
	s, err := Parse("x", `
about = "two nodes of one server, and no numbered event"
for = "100ms"

[[server]]
name = "pbx1"
nodes = 2

[[subscription]]
name = "all"
expect = { complete = true }
`)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r, err := s.Run(t.Context(), amitest.NewNetwork())
		if err != nil {
			t.Fatal(err)
		}
		if r.OK() {
			t.Error("complete, and not one event was compared")
		}
	})
}
