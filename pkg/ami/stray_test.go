package ami_test

import (
	"testing"
	"testing/synctest"

	"github.com/apntalk/amictl/pkg/ami"
)

func TestStrayAnswersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			var first string
			for {
				a, ok := p.action()
				if !ok {
					return
				}
				id := a["ActionID"]
				if a["Action"] == "Ping" { // the engine's own
					p.send("Response: Success\nActionID: %s\nPing: Pong\n\n", id)
					continue
				}
				if first == "" {
					first = id
				}
				p.send("Response: Success\nActionID: someone-else\n\n")                   // foreign
				p.send("Response: Success\nActionID: %s0\n\n", id)                        // a generation never given out
				p.send("Response: Error\nMessage: Missing action in request\n\n")         // unmatched
				p.send("Some raw text\nwithout a header\n\n")                             // raw
				p.send("Event: Stray\nActionID: someone-else\n\n")                        // an item of nobody's list
				p.send("Response: Success\nActionID: %s\nMark: right\n\n", id)            // the answer
				p.send("Response: Success\nActionID: %s\nMark: wrong\n\n", id)            // duplicate
				p.send("Response: Error\nActionID: %s\nMessage: again\n\n", first)        // duplicate
				p.send("Event: StrayComplete\nActionID: %s\nEventList: Complete\n\n", id) // duplicate
			}
		})
		c := mustDial(t, cfg)
		for range 3 {
			r, err := c.Do(t.Context(), ami.NewAction("Work"))
			if err != nil || r.Get("Mark") != "right" || r.Fenced || r.Raw != "" {
				t.Fatalf("%v %v", r, err)
			}
		}
		synctest.Wait()
		st := c.Stats()
		type tally struct{ Foreign, Unmatched, Raw, Duplicate, Late uint64 }
		got := tally{st.Foreign, st.Unmatched, st.Raw, st.Duplicate, st.Late}
		if got.Foreign+got.Duplicate != 3*5 || got.Foreign < 3 || got.Duplicate < 3*3 || got.Unmatched != 3 || got.Raw != 3 || got.Late != 0 {
			t.Errorf("counted %+v in 3 rounds", got)
		}
		exact(t, st)
	})
}

// An ID of an older session of the same node completes nothing.
func TestAnswerOfAnOlderSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var old string
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			a, ok := p.action()
			if !ok {
				return
			}
			if old == "" {
				old = a["ActionID"]
				return // and closes
			}
			p.send("Response: Success\nActionID: %s\nMark: old\n\n", old)
			p.send("Response: Success\nActionID: %s\nMark: new\n\n", a["ActionID"])
			p.drain()
		})
		_, err := mustDial(t, cfg).Do(t.Context(), ami.NewAction("Ping"))
		if wantOp(t, err, "do", ami.ErrDisconnected).Sent != ami.SentYes {
			t.Errorf("%v", err)
		}
		c := mustDial(t, cfg)
		r, err := c.Do(t.Context(), ami.NewAction("Ping"))
		if err != nil || r.Get("Mark") != "new" {
			t.Errorf("%v %v", r, err)
		}
		if st := c.Stats(); st.Foreign != 1 {
			t.Errorf("foreign %d, want 1", st.Foreign)
		}
	})
}
