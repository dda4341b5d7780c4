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
				u := &stormUser{f: f, rnd: rnd, b: &ami.Batch[uint64]{Items: g%2 == 0}}
				u.act(done)
			})
		}
		time.Sleep(150 * time.Millisecond)
		endAtOnce(t, f, seed)
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

// A stormUser does to a cluster what can be done to one.
type stormUser struct {
	f    *fleet
	rnd  *rand.Rand
	b    *ami.Batch[uint64]
	subs []*ami.Subscription
}

// act does one thing after the other until it is done.
func (u *stormUser) act(done <-chan struct{}) {
	for {
		select {
		case <-done:
			for _, s := range u.subs {
				s.Close()
			}
			return
		default:
		}
		name := fmt.Sprint("n", u.rnd.IntN(4))
		switch u.rnd.IntN(9) {
		case 0, 1:
			u.add(name)
		case 2:
			_ = u.f.Remove(name)
		case 3:
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(u.rnd.IntN(2000))*time.Microsecond)
			_, _ = u.f.Via(ami.Route{Kind: ami.RouteRoundRobin}).Do(ctx, ami.Action{Name: "CoreShowChannels", WaitReady: true})
			cancel()
		case 4:
			_ = u.b.Submit(context.Background(), u.f.Via(ami.Route{Kind: ami.RouteLeastPending}), ami.NewAction("QueueStatus"), 1)
			u.b.Poll()
		case 5:
			if s, err := u.f.Subscribe(ami.SubscribeOptions{}); err == nil {
				u.subs = append(u.subs, s)
			}
		case 6:
			if len(u.subs) > 0 {
				u.subs[0].Close()
				u.subs = u.subs[1:]
			}
		case 7:
			for _, s := range u.subs {
				s.Poll()
			}
		case 8:
			_ = u.f.Stats()
		}
	}
}

// add adds a node, half of the times one that asks for something before it is ready.
func (u *stormUser) add(name string) {
	cfg := u.f.config(name)
	cfg.Redial.BackoffMin, cfg.Redial.BackoffMax = time.Millisecond, time.Millisecond
	if u.rnd.IntN(2) == 0 {
		cfg.OnReady = func(ctx context.Context, c *ami.Conn) error {
			_, err := c.Do(ctx, ami.NewAction("CoreShowChannels"))
			return err
		}
	}
	_, _ = u.f.Add(cfg)
}

// endAtOnce closes and drains the cluster several times at once, and waits for all of them.
func endAtOnce(t *testing.T, f *fleet, seed uint64) {
	t.Helper()
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
}
