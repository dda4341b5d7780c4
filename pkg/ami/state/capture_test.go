package state_test

import (
	"iter"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// start is when a capture begins, for the purposes of these tests; its packets come 10 ms apart.
var start = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)

// capture iterates over the events of a capture.
func capture(t *testing.T, name string) iter.Seq2[ami.Event, error] {
	t.Helper()
	b, err := os.ReadFile("../../../testdata/captures/" + name + ".raw")
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(ami.Event, error) bool) {
		d := wire.NewDecoder(wire.Limits{})
		d.Feed(b)
		for n := 0; ; n++ {
			m, err := d.Next()
			if err != nil {
				return
			}
			if _, item := m.Lookup("Privilege"); m.Kind() != wire.Event || !item {
				continue // what an action asked for
			}
			ev := ami.Event{Message: m, Node: "pbx", Session: 1, Received: start.Add(time.Duration(n) * 10 * time.Millisecond)}
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// A story is what a record of a call says, but for its times.
type story struct {
	Outcome, By   string
	Cause         int
	From, To      string // number, or endpoint
	Queue, Member string
	Legs          int
	Rang, Talked  bool
	Answered      bool
}

func tell(r *state.Record) story {
	who := func(p state.Party) string {
		if p.Number != "" {
			return p.Number
		}
		return p.Endpoint
	}
	return story{
		Outcome: r.Outcome, By: r.By, Cause: r.Cause, From: who(r.Caller), To: who(r.Callee), Queue: r.Queue, Member: r.Member,
		Legs: len(r.Legs), Rang: r.RingUS > 0, Talked: r.TalkUS > 0, Answered: !r.Answer.IsZero(),
	}
}

// What real servers sent about a call makes its record, and leaves nothing behind.
func TestRecordsOfCaptures(t *testing.T) {
	tests := []struct {
		name string
		want story
		only string // "16" or "22" if the servers differ
	}{
		{name: "originate-200", want: story{Outcome: "answered", By: "server", Cause: 16, From: "100", To: "100", Legs: 2, Answered: true}},
		{name: "originate-300-busy", want: story{Outcome: "busy", By: "server", Cause: 17, From: "100", To: "100", Legs: 2}},
		{name: "originate-301-congestion", want: story{Outcome: "congestion", By: "server", Cause: 34, From: "100", To: "100", Legs: 2}},
		{name: "originate-302-no-answer", only: "22", want: story{Outcome: "no-answer", By: "server", Cause: 19, From: "100", To: "100", Legs: 2, Rang: true}},
		{name: "originate-302-no-answer", only: "16", want: story{Outcome: "no-answer", By: "server", From: "100", To: "100", Legs: 2, Rang: true}},
		{name: "originate-303-hangup", want: story{Outcome: "no-answer", By: "server", Cause: 16, From: "100", To: "100", Legs: 2, Rang: true}},
		{name: "originate-999-missing", want: story{Outcome: "unknown", From: "100", To: "100", Legs: 2}},
		{name: "originate-application", want: story{Outcome: "answered", By: "server", From: "Local/200@default", To: "200", Legs: 2, Answered: true}},
		{name: "raw-newline", want: story{Outcome: "answered", By: "server", Cause: 16, From: "100", To: "100", Legs: 2, Answered: true}},
		{name: "confbridge", want: story{Outcome: "answered", By: "server", Cause: 16, From: "100", To: "100", Legs: 2, Answered: true}},
		{name: "queue-call", want: story{
			Outcome: "answered", By: "server", Cause: 16, From: "Local/400@default", To: "400", Queue: "support", Member: "Local/202@default/n",
			Legs: 4, Rang: true, Talked: true, Answered: true,
		}},
	}
	for _, tt := range tests {
		for _, series := range []string{"22", "16"} {
			if tt.only != "" && tt.only != series {
				continue
			}
			t.Run(series+" "+tt.name, func(t *testing.T) {
				held, records := map[string]state.Kind{}, []story{}
				for ch, err := range state.Replay(capture(t, "asterisk"+series+"-"+tt.name), state.Options{}) {
					if err != nil {
						t.Fatal(err)
					}
					key := string(ch.Object.Kind()) + " " + ch.Object.Key()
					switch ch.Op {
					case state.OpAdd:
						held[key] = ch.Object.Kind()
					case state.OpRemove:
						delete(held, key)
					case state.OpRecord:
						records = append(records, tell(ch.Object.(*state.Record)))
					}
				}
				if diff := cmp.Diff([]story{tt.want}, records); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				for key, kind := range held {
					switch kind {
					case state.KindNode, state.KindMember, state.KindQueue, state.KindDevice: // these stay
					default:
						t.Errorf("left behind: %s", key)
					}
				}
			})
		}
	}
}

// A conference is there while somebody is in its bridge.
func TestConferenceOfCapture(t *testing.T) {
	for _, series := range []string{"22", "16"} {
		var got []string
		for ch := range state.Replay(capture(t, "asterisk"+series+"-confbridge"), state.Options{Kinds: []state.Kind{state.KindConference}}) {
			if c, ok := ch.Object.(*state.Conference); ok {
				got = append(got, string(ch.Op)+" "+c.Name+" "+[]string{"empty", "one in it"}[c.Parties])
			}
		}
		want := []string{"add room1 empty", "change room1 one in it", "change room1 empty", "remove room1 empty"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", series, diff)
		}
	}
}
