package state_test

import (
	"fmt"
	"iter"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// calls iterates over the events of a real server's call, n times, each call with IDs and names of its own. keep leaves
// the Hangups and what else ends something out.
func calls(tb testing.TB, capture string, n int, keep bool) iter.Seq2[ami.Event, error] {
	tb.Helper()
	b, err := os.ReadFile("../../../testdata/captures/" + capture + ".raw")
	if err != nil {
		tb.Fatal(err)
	}
	text := string(b)
	return func(yield func(ami.Event, error) bool) {
		at := start
		for i := range n {
			own := strings.NewReplacer("1795460404.", fmt.Sprintf("18%08d.", i), "1795460405.", fmt.Sprintf("19%08d.", i),
				"default-0000", fmt.Sprintf("default-%04x", i), "e3de1394", fmt.Sprintf("%08x", i)).Replace(text)
			d := wire.NewDecoder(wire.Limits{})
			d.Feed([]byte(own))
			for {
				m, err := d.Next()
				if err != nil {
					break
				}
				if m.Kind() != wire.Event {
					continue
				}
				switch m.Name() {
				case "Hangup", "BridgeLeave", "BridgeDestroy", "QueueCallerLeave":
					if keep {
						continue
					}
				}
				at = at.Add(time.Millisecond)
				if !yield(ami.Event{Message: m, Node: "pbx", Session: 1, Received: at}, nil) {
					return
				}
			}
		}
	}
}

// Borrowed messages are what a subscription hands out, so that nothing but the state's own work is measured.
func BenchmarkChange(b *testing.B) {
	var events []ami.Event
	for ev := range calls(b, "asterisk22-queue-call", 200, false) {
		ev.Message = ev.Message.Clone()
		events = append(events, ev)
	}
	b.ReportAllocs()
	changes, packets := 0, 0
	for b.Loop() {
		for range state.Replay(func(yield func(ami.Event, error) bool) {
			for _, ev := range events {
				packets++
				if !yield(ev, nil) {
					return
				}
			}
		}, state.Options{}) {
			changes++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(changes), "ns/change")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/event")
}

// A channel may cost 1.5 KB, with its share of calls, bridges and tables.
func TestMemoryOfAChannel(t *testing.T) {
	const n = 2000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	channels := 0
	next, stop := iter.Pull2(state.Replay(calls(t, "asterisk22-queue-call", n, true), state.Options{}))
	defer stop()
	for {
		ch, err, ok := next()
		if !ok {
			t.Fatal("the record ended before its last channel")
		}
		if err != nil {
			t.Fatal(err)
		}
		if ch.Op == state.OpAdd && ch.Object.Kind() == state.KindChannel {
			if channels++; channels == 4*n {
				break
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := (after.HeapAlloc - before.HeapAlloc) / (4 * n)
	t.Logf("%d bytes a channel", per)
	if per > 1500 {
		t.Errorf("a channel costs %d bytes, at most 1500 are promised", per)
	}
}
