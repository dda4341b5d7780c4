package ami_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestClusterAddAndRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		for _, name := range []string{"c", "a", "b"} {
			f.serve(name)
			f.add(name)
		}
		if _, err := f.Add(f.config("a")); err == nil {
			t.Error("two nodes of one name")
		}
		if _, err := f.Add(ami.Config{Addr: "no port"}); err == nil {
			t.Error("an address without a port")
		}
		f.ready(time.Second)
		names := func() (s []string) {
			for _, n := range f.Nodes() {
				s = append(s, n.Name())
			}
			return s
		}
		if got := names(); !slices.Equal(got, []string{"c", "a", "b"}) {
			t.Errorf("nodes %v, want the order in which they came", got)
		}
		a, _ := f.Node("a")
		if err := f.Remove("a"); err != nil {
			t.Fatal(err)
		}
		if err := f.Remove("a"); !errors.Is(err, ami.ErrNoNode) {
			t.Errorf("removed twice: %v", err)
		}
		if _, ok := f.Node("a"); ok || len(f.Nodes()) != 2 {
			t.Errorf("nodes %v", names())
		}
		if err := ping(a); !errors.Is(err, ami.ErrClosed) {
			t.Errorf("a removed node: %v", err)
		}
		synctest.Wait()
		if l := f.servers["a"].Ledger(); l.Sessions != 0 {
			t.Errorf("%d sessions are left", l.Sessions)
		}
		again := f.add("a")
		f.ready(time.Second)
		if err := ping(again); err != nil {
			t.Error(err)
		}
		_ = f.Cluster.Close()
		if _, err := f.Add(f.config("z")); !errors.Is(err, ami.ErrClosed) {
			t.Errorf("add to a closed cluster: %v", err)
		}
		if _, err := f.Subscribe(ami.SubscribeOptions{}); !errors.Is(err, ami.ErrClosed) {
			t.Errorf("subscribe to a closed cluster: %v", err)
		}
	})
}

// A node that is removed in the middle of traffic ends each of its calls once; its events are delivered, dropped or
// discarded, and every book balances.
func TestRemoveDuringTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("stays")
		stays := f.add("stays")
		s := f.subscribe(ami.SubscribeOptions{RingEvents: 64})
		var read atomic.Int64
		go func() {
			for _, err := range s.All(context.Background()) {
				if err != nil {
					return
				}
				if read.Add(1)%50 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		for round := range 50 {
			srv := f.serve("goes")
			n := f.add("goes")
			f.ready(time.Second)
			b := &ami.Batch[uint64]{}
			var accepted int
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := range 300 {
					if b.Submit(context.Background(), n, ami.NewAction("Ping"), uint64(i)) == nil {
						accepted++
					}
					if i%10 == 0 {
						time.Sleep(time.Microsecond)
					}
				}
			})
			wg.Go(func() {
				for range 30 {
					srv.Emit(ticks(10, 10)...)
					time.Sleep(time.Microsecond)
				}
			})
			time.Sleep(time.Duration(round) * time.Microsecond)
			if err := f.Remove("goes"); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			for range accepted {
				if _, err := b.Next(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if b.Outstanding() != 0 {
				t.Fatalf("%d ends are owed", b.Outstanding())
			}
			l := n.Stats().Ledger
			if !l.Exact() || l.InFlight != 0 || l.Accepted != uint64(accepted) || l.Submitted != 300 {
				t.Fatalf("round %d: ledger %+v, %d accepted", round, l, accepted)
			}
			if err := ping(stays); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		wantSubscription(t, s)
	})
}

// After Close nothing is left: no goroutine, no connection, nothing that dials again.
func TestClusterCloseLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{Hooks: ami.Hooks{StateChanged: func(string, ami.State, ami.State, error) {}}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		defer f.close()
		var dials atomic.Int64
		counted := func(c *ami.Config) {
			c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				dials.Add(1)
				return f.net.DialContext(ctx, network, addr)
			}
		}
		f.serve("ready")
		f.add("ready", counted)
		f.serve("backs-off").Close()
		f.add("backs-off", counted)
		f.serve("hangs")
		f.net.Partition("hangs")
		f.add("hangs", counted, func(c *ami.Config) { c.Timeouts.Dial = time.Hour })
		f.script("silent", func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
		f.add("silent", counted, func(c *ami.Config) { c.Timeouts.Login = time.Hour })
		f.serve("sets-up")
		f.add("sets-up", counted, func(c *ami.Config) {
			c.OnReady = func(ctx context.Context, _ *ami.Conn) error { <-ctx.Done(); return ctx.Err() }
		})
		s := f.subscribe(ami.SubscribeOptions{})
		next := make(chan error, 1)
		go func() {
			for {
				if _, err := s.Next(context.Background()); err != nil { // the end of a session is a gap first
					next <- err
					return
				}
			}
		}()
		time.Sleep(2 * time.Second)
		start := time.Now()
		if err := f.Cluster.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("Close took %v", d)
		}
		if n := goroutines(); n != 0 {
			t.Errorf("%d goroutines of the engine are left", n)
		}
		if err := <-next; !errors.Is(err, ami.ErrClosed) {
			t.Errorf("a waiting subscriber: %v", err)
		}
		was := dials.Load()
		time.Sleep(time.Hour)
		if dials.Load() != was {
			t.Errorf("%d dials after Close", dials.Load()-was)
		}
		for _, name := range []string{"ready", "sets-up"} {
			if l := f.servers[name].Ledger(); l.Sessions != 0 {
				t.Errorf("%s has %d sessions", name, l.Sessions)
			}
		}
		for _, n := range f.Nodes() {
			if st, _ := n.State(); st != ami.StateClosed {
				t.Errorf("%s is %v", n.Name(), st)
			}
		}
		if err := f.Cluster.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
}

func TestClusterDrainFinishesWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := trio(t)
		defer f.close()
		b := &ami.Batch[uint64]{}
		for _, s := range f.servers {
			s.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { time.Sleep(time.Second); w.Ack("") })
		}
		for i := range 12 {
			if err := b.Submit(t.Context(), f.Via(ami.Route{Kind: ami.RouteRoundRobin}), ami.NewAction("Slow"), uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		refused := make(chan error, 1)
		go func() {
			time.Sleep(time.Second)
			refused <- ping(f.Nodes()[0])
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := f.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		for range 12 {
			if r, err := b.Next(t.Context()); err != nil || r.Err != nil {
				t.Errorf("%v, %v", err, r.Err)
			}
		}
		if err := <-refused; !errors.Is(err, ami.ErrDraining) {
			t.Errorf("an action during the drain: %v", err)
		}
		synctest.Wait()
		for name, s := range f.servers {
			l := s.Ledger()
			n, _ := f.Node(name)
			if st := n.Stats(); !st.Ledger.Exact() || st.Ledger.Replied != 4 || l.Sessions != 0 {
				t.Errorf("%s: ledger %+v, %d sessions left", name, st.Ledger, l.Sessions)
			}
		}
		if n := goroutines(); n != 0 {
			t.Errorf("%d goroutines of the engine are left", n)
		}
	})
}

func TestClusterDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := trio(t)
		release := make(chan struct{})
		defer f.close()
		defer close(release)
		f.servers["b"].Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { <-release; w.Ack("") })
		b := &ami.Batch[uint64]{}
		n, _ := f.Node("b")
		if err := b.Submit(t.Context(), n, ami.Action{Name: "Slow", Timeout: time.Hour}, 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := f.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 4*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		r, err := b.Next(t.Context())
		if err != nil || !errors.Is(r.Err, ami.ErrDisconnected) || ami.SentState(r.Err) == ami.SentNo {
			t.Errorf("the call that was not answered: %v, %v", err, r.Err)
		}
		if l := n.Stats().Ledger; !l.Exact() || l.DisconnectedMaybe != 1 {
			t.Errorf("ledger %+v", l)
		}
	})
}

// With no backoff at all (a jitter of zero) a node's state is still the truth.
func TestStateIsTrueWithoutBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{Rand: func() float64 { return 0 }, RedialRate: 1_000_000})
		defer f.close()
		const nodes = 20
		for i := range nodes {
			name := fmt.Sprint("n", i)
			f.serve(name)
			f.add(name, func(c *ami.Config) {
				c.Redial.StableAfter = time.Nanosecond
				if i%2 == 0 {
					c.OnReady = func(ctx context.Context, c *ami.Conn) error { return nil }
				}
			})
		}
		f.ready(time.Second)
		for range 300 {
			time.Sleep(time.Second)
			for i := range nodes {
				f.net.Reset(fmt.Sprint("n", i))
			}
			time.Sleep(time.Second)
			synctest.Wait()
			for _, n := range f.Nodes() {
				if s, _ := n.State(); (s == ami.StateReady) != n.Ready() {
					t.Fatalf("%s says %v, ready %v", n.Name(), s, n.Ready())
				}
			}
		}
	})
}

// A node that is added again while its namesake is still being removed keeps its subscriptions.
func TestAddWhileANamesakeIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := amitest.NewNetwork()
		srv := amitest.NewServer(amitest.WithNetwork(n))
		defer srv.Close()
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		sub, err := cluster.Subscribe(ami.SubscribeOptions{Events: []string{"Tick"}})
		if err != nil {
			t.Fatal(err)
		}
		cfg := ami.Config{Name: "n", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Dial: n.DialContext, Events: "on"}
		old := cfg
		release := make(chan struct{})
		old.OnReady = func(context.Context, *ami.Conn) error { <-release; return nil } // it takes its time
		if _, err := cluster.Add(old); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		removed := make(chan error, 1)
		go func() { removed <- cluster.Remove("n") }()
		synctest.Wait()
		node, err := cluster.Add(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := node.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		close(release)
		if err := <-removed; err != nil {
			t.Fatal(err)
		}
		srv.Emit(amitest.NewEvent("Tick"))
		synctest.Wait()
		if _, ok := sub.Poll(); !ok {
			t.Errorf("the event is lost, without a gap; stats %+v, decoded %d", sub.Stats(), node.Stats().Events)
		}
	})
}

// Close leaves nothing of a node behind that is being removed.
func TestCloseWaitsForARemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		release := make(chan struct{})
		cfg.OnReady = func(context.Context, *ami.Conn) error { <-release; return nil } // it takes its time
		cluster := ami.NewCluster(ami.ClusterConfig{})
		if _, err := cluster.Add(cfg); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var removed, closed atomic.Bool
		go func() { _ = cluster.Remove(cfg.Addr); removed.Store(true) }()
		synctest.Wait()
		go func() { _ = cluster.Close(); closed.Store(true) }()
		synctest.Wait()
		if closed.Load() {
			t.Error("Close returned before the removal")
		}
		close(release)
		synctest.Wait()
		if !removed.Load() || !closed.Load() {
			t.Errorf("removed %v, closed %v", removed.Load(), closed.Load())
		}
		if n := goroutines(); n != 0 {
			t.Errorf("%d goroutines of the engine are left", n)
		}
	})
}
