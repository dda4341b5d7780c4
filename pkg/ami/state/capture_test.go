package state_test

import (
	"encoding/json"
	"iter"
	"os"
	"testing"
	"time"

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
	return events(t, b)
}

func events(t *testing.T, b []byte) iter.Seq2[ami.Event, error] {
	t.Helper()
	return func(yield func(ami.Event, error) bool) {
		d := wire.NewDecoder(wire.Limits{})
		d.Feed(b)
		for n := 0; ; n++ {
			m, err := d.Next()
			if err != nil {
				return
			}
			if m.Kind() != wire.Event {
				continue
			}
			ev := ami.Event{Message: m.Clone(), Node: "pbx", Session: 1, Received: start.Add(time.Duration(n) * 10 * time.Millisecond)}
			if !yield(ev, nil) {
				return
			}
		}
	}
}

func TestPrint(t *testing.T) {
	for ch, err := range state.Replay(capture(t, os.Getenv("CAP")), state.Options{}) {
		b, _ := json.Marshal(ch.Object)
		t.Log(ch.Op, ch.Changed, err, string(b))
	}
}
