package ami_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

func benchConn(b testing.TB, addr, events string) *ami.Conn {
	c, err := ami.Dial(context.Background(), ami.Config{Addr: addr, Username: "u", Secret: ami.StaticSecret("s"), Events: events})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// checkLedger voids a figure whose ledger is not exact.
func checkLedger(b testing.TB, l ami.Ledger) {
	b.Helper()
	if !l.Exact() || l.InFlight != 0 || l.Replied != l.Submitted {
		b.Fatalf("the ledger is not exact: %+v", l)
	}
}

func benchCallers(b *testing.B, callers int) {
	c := benchConn(b, newBenchServer(b, pong).addr(), "off")
	ctx := context.Background()
	ping := ami.NewAction("Ping")
	latency := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				start := time.Now()
				if _, err := c.Do(ctx, ping); err != nil {
					b.Error(err)
					return
				}
				latency[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	checkLedger(b, c.Stats().Ledger)
	slices.Sort(latency)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
	b.ReportMetric(float64(latency[len(latency)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkActions16(b *testing.B)  { benchCallers(b, 16) }
func BenchmarkActions256(b *testing.B) { benchCallers(b, 256) }

// Against a server that does next to nothing, and against a plain one.
func BenchmarkActionsBatch(b *testing.B) { benchBatch(b, newBenchServer(b, pong).addr(), borrowed) }

func BenchmarkActionsBatchOwned(b *testing.B) {
	benchBatch(b, newBenchServer(b, pong).addr(), (*ami.Batch[uint64]).Next)
}

func BenchmarkActionsBatchPlainServer(b *testing.B) {
	benchBatch(b, newBenchServer(b, readLines).addr(), borrowed)
}

func BenchmarkReferenceRawPipeline(b *testing.B) { benchRawPipeline(b, newBenchServer(b, pong).addr()) }

func BenchmarkReferenceRawPipelinePlainServer(b *testing.B) {
	benchRawPipeline(b, newBenchServer(b, readLines).addr())
}

func borrowed(b *ami.Batch[uint64], ctx context.Context) (ami.Result[uint64], error) {
	r, err := b.NextBorrowed(ctx)
	if err != nil {
		return ami.Result[uint64]{}, err
	}
	return *r, nil
}

func benchBatch(b *testing.B, addr string, next func(*ami.Batch[uint64], context.Context) (ami.Result[uint64], error)) {
	c := benchConn(b, addr, "off")
	ctx := context.Background()
	ping := ami.NewAction("Ping")
	batch := &ami.Batch[uint64]{}
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for i := range b.N {
			if err := batch.Submit(ctx, c, ping, uint64(i)); err != nil {
				b.Error(err)
			}
		}
	}()
	for range b.N {
		if r, err := next(batch, ctx); err != nil || r.Err != nil {
			b.Fatal(err, r.Err)
		}
	}
	b.StopTimer()
	checkLedger(b, c.Stats().Ledger)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
}

func benchEvents(b *testing.B, o ami.SubscribeOptions, next func(*ami.Subscription) (*ami.Gap, error)) {
	const block = 1000
	data := manyEvents(block)
	repeat := b.N/block + 1
	start := make(chan struct{})
	s := newBenchServer(b, flood(data, repeat, start))
	c := benchConn(b, s.addr(), "on")
	o.RingEvents, o.RingBytes = 131072, 128<<20
	sub, err := c.Subscribe(o)
	if err != nil {
		b.Fatal(err)
	}
	total := repeat * block
	b.ReportAllocs()
	b.ResetTimer()
	close(start)
	if o.Events == nil {
		for range total {
			if gap, err := next(sub); err != nil || gap != nil {
				b.Fatal(err, gap)
			}
		}
	}
	for sub.Stats().Offered < uint64(total) {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	if st := sub.Stats(); st.Dropped > 0 || st.Offered != uint64(total) || st.Delivered+st.Filtered != uint64(total) {
		b.Fatalf("the ledger is not exact: %+v", st)
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkEvents(b *testing.B) {
	benchEvents(b, ami.SubscribeOptions{}, func(s *ami.Subscription) (*ami.Gap, error) {
		ev, err := s.Next(context.Background())
		return ev.Gap, err
	})
}

func BenchmarkEventsBorrowed(b *testing.B) {
	benchEvents(b, ami.SubscribeOptions{}, func(s *ami.Subscription) (*ami.Gap, error) {
		ev, err := s.NextBorrowed(context.Background())
		if err != nil {
			return nil, err
		}
		return ev.Gap, nil
	})
}

func BenchmarkEventsFiltered(b *testing.B) {
	benchEvents(b, ami.SubscribeOptions{Events: []string{"Hangup"}}, nil)
}

func benchNodes(b *testing.B, nodes, callers int) {
	s := newBenchServer(b, pong)
	cl := ami.NewCluster(ami.ClusterConfig{})
	defer cl.Close()
	ctx := context.Background()
	for i := range nodes {
		if _, err := cl.Add(ami.Config{Name: fmt.Sprint(i), Addr: s.Addr().String(), Username: "u", Secret: ami.StaticSecret("s")}); err != nil {
			b.Fatal(err)
		}
	}
	for _, n := range cl.Nodes() {
		if err := n.WaitReady(ctx); err != nil {
			b.Fatal(err)
		}
	}
	ping := ami.NewAction("Ping")
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for _, n := range cl.Nodes() {
		for range callers {
			wg.Go(func() {
				for next.Add(1) <= int64(b.N) {
					if _, err := n.Do(ctx, ping); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	b.StopTimer()
	checkLedger(b, cl.Stats().Ledger)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
}

func BenchmarkNodes100x16(b *testing.B)  { benchNodes(b, 100, 16) }
func BenchmarkNodes1000x16(b *testing.B) { benchNodes(b, 1000, 16) }
