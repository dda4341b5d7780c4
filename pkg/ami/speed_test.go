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

// Exact counts, not times: an action costs its reply and the reply's text, an event its one copy, what is borrowed or unwanted
// nothing. A tenth is left for buffers that grow.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("SKIPPED: the race detector allocates on its own")
	}
	const n = 20_000
	ctx := context.Background()
	t.Run("action", func(t *testing.T) {
		c := benchConn(t, newBenchServer(t, pong).addr(), "off")
		ping := ami.NewAction("Ping")
		do := func() {
			for range n {
				if _, err := c.Do(ctx, ping); err != nil {
					t.Fatal(err)
				}
			}
		}
		do() // warm: slots, buffers, pools
		if got := mallocs(n, do); got > 2.1 {
			t.Errorf("an action costs %.2f allocations, want 2", got)
		}
	})
	results := func(next func(*ami.Batch[uint64], context.Context) error, want float64) func(*testing.T) {
		return func(t *testing.T) {
			c := benchConn(t, newBenchServer(t, pong).addr(), "off")
			b := &ami.Batch[uint64]{}
			ping := ami.NewAction("Ping")
			round := func() {
				for left := n; left > 0; {
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
			if got := mallocs(n, round); got > want+0.1 {
				t.Errorf("%.2f allocations an action, want %v", got, want)
			}
		}
	}
	t.Run("action of a batch", results(func(b *ami.Batch[uint64], ctx context.Context) error {
		_, err := b.Next(ctx)
		return err
	}, 2))
	t.Run("action of a batch, borrowed", results(func(b *ami.Batch[uint64], ctx context.Context) error {
		_, err := b.NextBorrowed(ctx)
		return err
	}, 0))
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
		t.Run(tt.name, func(t *testing.T) {
			start := make(chan struct{})
			c := benchConn(t, newBenchServer(t, flood(manyEvents(1000), n/1000, start)).addr(), "on")
			sub, err := c.Subscribe(ami.SubscribeOptions{Events: tt.events, RingEvents: n, RingBytes: 64 << 20})
			if err != nil {
				t.Fatal(err)
			}
			got := mallocs(n, func() {
				close(start)
				for sub.Stats().Offered < n {
					tt.drain(sub)
					runtime.Gosched()
				}
				tt.drain(sub)
			})
			if got > tt.want+0.1 {
				t.Errorf("%.2f allocations an event, want %v", got, tt.want)
			}
		})
	}
}
