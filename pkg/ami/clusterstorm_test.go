package ami_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// Everything that can be done to a cluster, at once and at random, while it is closed or drained: it ends, its ledger is
// exact, and nothing of its budget is left in use.
func TestClusterStorm(t *testing.T) {
	for seed := range uint64(12) {
		f := newFleet(t, ami.ClusterConfig{RedialRate: 100000})
		for i := range 4 {
			f.serve(fmt.Sprint("n", i))
		}
		done := make(chan struct{})
		var wg sync.WaitGroup
		for g := range 6 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, uint64(g)))
				b := &ami.Batch[uint64]{Items: g%2 == 0}
				var subs []*ami.Subscription
				for {
					select {
					case <-done:
						for _, s := range subs {
							s.Close()
						}
						return
					default:
					}
					name := fmt.Sprint("n", rnd.IntN(4))
					switch rnd.IntN(9) {
					case 0, 1:
						cfg := f.config(name)
						cfg.Redial.BackoffMin, cfg.Redial.BackoffMax = time.Millisecond, time.Millisecond
						if rnd.IntN(2) == 0 {
							cfg.OnReady = func(ctx context.Context, c *ami.Conn) error {
								_, err := c.Do(ctx, ami.NewAction("CoreShowChannels"))
								return err
							}
						}
						_, _ = f.Add(cfg)
					case 2:
						_ = f.Remove(name)
					case 3:
						ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.IntN(2000))*time.Microsecond)
						_, _ = f.Via(ami.Route{Kind: ami.RouteRoundRobin}).Do(ctx, ami.Action{Name: "CoreShowChannels", WaitReady: true})
						cancel()
					case 4:
						_ = b.Submit(context.Background(), f.Via(ami.Route{Kind: ami.RouteLeastPending}), ami.NewAction("QueueStatus"), 1)
						b.Poll()
					case 5:
						if s, err := f.Subscribe(ami.SubscribeOptions{}); err == nil {
							subs = append(subs, s)
						}
					case 6:
						if len(subs) > 0 {
							subs[0].Close()
							subs = subs[1:]
						}
					case 7:
						for _, s := range subs {
							s.Poll()
						}
					case 8:
						_ = f.Stats()
					}
				}
			})
		}
		time.Sleep(150 * time.Millisecond)
		var end sync.WaitGroup
		for i := range 4 {
			end.Go(func() {
				if (uint64(i)+seed)%2 == 0 {
					_ = f.Close()
				} else {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
					_ = f.Drain(ctx)
					cancel()
				}
			})
		}
		ended := make(chan struct{})
		go func() { end.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("Close or Drain hangs")
		}
		close(done)
		wg.Wait()
		for _, n := range f.Nodes() {
			exact(t, n.Stats())
		}
		st := f.Stats()
		if !st.Ledger.Exact() || st.BudgetUsed != 0 {
			t.Errorf("seed %d: %+v budget %d", seed, st.Ledger, st.BudgetUsed)
		}
		f.close()
	}
}
