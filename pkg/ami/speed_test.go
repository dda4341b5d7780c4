//go:build !race

// Not under the race detector: it allocates on its own.

package ami_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

// mallocs returns how many objects f allocates, over all goroutines, per one of n.
func mallocs(n int, f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

// allocationRounds is how many actions or events allocations are counted over.
const allocationRounds = 20_000

// Exact counts, not times: an action costs its reply and the reply's text, an event its one copy, what is borrowed or unwanted
// nothing. A tenth is left for buffers that grow.
func TestAllocations(t *testing.T) {
	t.Run("action", func(t *testing.T) {
		c := benchConn(t, newBenchServer(t, pong).addr(), "off")
		ping := ami.NewAction("Ping")
		do := func() {
			for range allocationRounds {
				if _, err := c.Do(context.Background(), ping); err != nil {
					t.Fatal(err)
				}
			}
		}
		do() // warm: slots, buffers, pools
		if got := mallocs(allocationRounds, do); got > 2.1 {
			t.Errorf("an action costs %.2f allocations, want 2", got)
		}
	})
	t.Run("action of a batch", func(t *testing.T) {
		wantAllocationsOfBatch(t, 2, func(b *ami.Batch[uint64], ctx context.Context) error {
			_, err := b.Next(ctx)
			return err
		})
	})
	t.Run("action of a batch, borrowed", func(t *testing.T) {
		wantAllocationsOfBatch(t, 0, func(b *ami.Batch[uint64], ctx context.Context) error {
			_, err := b.NextBorrowed(ctx)
			return err
		})
	})
	owned := func(s *ami.Subscription) {
		for _, ok := s.Poll(); ok; _, ok = s.Poll() {
		}
	}
	borrowed := func(s *ami.Subscription) {
		for _, ok := s.PollBorrowed(); ok; _, ok = s.PollBorrowed() {
		}
	}
	for _, tt := range []struct {
		name   string
		events []string
		drain  func(*ami.Subscription)
		want   float64
	}{{"event", nil, owned, 1}, {"borrowed event", nil, borrowed, 0}, {"event not wanted", []string{"Hangup"}, owned, 0}} {
		t.Run(tt.name, func(t *testing.T) { wantAllocationsOfEvents(t, tt.want, tt.events, tt.drain) })
	}
}

// wantAllocationsOfBatch counts what an action of a batch costs whose results are taken with next.
func wantAllocationsOfBatch(t *testing.T, want float64, next func(*ami.Batch[uint64], context.Context) error) {
	t.Helper()
	ctx := context.Background()
	c := benchConn(t, newBenchServer(t, pong).addr(), "off")
	b := &ami.Batch[uint64]{}
	ping := ami.NewAction("Ping")
	round := func() {
		for left := allocationRounds; left > 0; {
			for b.Outstanding() < 100 && left > 0 {
				if err := b.Submit(ctx, c, ping, 0); err != nil {
					t.Fatal(err)
				}
				left--
			}
			if err := next(b, ctx); err != nil {
				t.Fatal(err)
			}
		}
		for b.Outstanding() > 0 {
			if err := next(b, ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	round()
	if got := mallocs(allocationRounds, round); got > want+0.1 {
		t.Errorf("%.2f allocations an action, want %v", got, want)
	}
}

// wantAllocationsOfEvents counts what an event costs that a subscription offers and drain takes.
func wantAllocationsOfEvents(t *testing.T, want float64, events []string, drain func(*ami.Subscription)) {
	t.Helper()
	const n = allocationRounds
	start := make(chan struct{})
	c := benchConn(t, newBenchServer(t, flood(manyEvents(1000), n/1000, start)).addr(), "on")
	sub, err := c.Subscribe(ami.SubscribeOptions{Events: events, RingEvents: n, RingBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	got := mallocs(n, func() {
		close(start)
		for sub.Stats().Offered < n {
			drain(sub)
			runtime.Gosched()
		}
		drain(sub)
	})
	if got > want+0.1 {
		t.Errorf("%.2f allocations an event, want %v", got, want)
	}
}
