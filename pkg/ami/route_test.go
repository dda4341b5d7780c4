package ami_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// trio returns a fleet of three ready nodes a, b and c.
func trio(t *testing.T) *fleet {
	t.Helper()
	f := newFleet(t, ami.ClusterConfig{})
	for _, name := range []string{"a", "b", "c"} {
		f.serve(name)
		f.add(name)
	}
	f.ready(time.Second)
	time.Sleep(time.Minute + time.Second)
	synctest.Wait()
	return f
}

func (f *fleet) routed(r ami.Route, times int) map[string]int {
	f.t.Helper()
	got := map[string]int{}
	for range times {
		reply, err := f.Via(r).Do(context.Background(), ami.NewAction("Ping"))
		if err != nil {
			f.t.Fatal(err)
		}
		got[reply.Node]++
	}
	return got
}

func TestRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := trio(t)
		defer f.close()
		check := func(step string, r ami.Route, want map[string]int) {
			t.Helper()
			times := 0
			for _, n := range want {
				times += n
			}
			if diff := cmp.Diff(want, f.routed(r, times)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step, diff)
			}
		}
		check("a named node", ami.Route{Node: "b"}, map[string]int{"b": 5})
		check("round robin", ami.Route{Kind: ami.RouteRoundRobin}, map[string]int{"a": 10, "b": 10, "c": 10})
		check("round robin over some", ami.Route{Kind: ami.RouteRoundRobin, Nodes: []string{"c", "a"}}, map[string]int{"a": 10, "c": 10})
		check("failover, all well", ami.Route{Kind: ami.RouteFailover, Nodes: []string{"b", "a"}}, map[string]int{"b": 5})
		check("failover over all", ami.Route{Kind: ami.RouteFailover}, map[string]int{"a": 5})

		f.servers["b"].Close()
		synctest.Wait()
		check("failover, first away", ami.Route{Kind: ami.RouteFailover, Nodes: []string{"b", "a"}}, map[string]int{"a": 5})
		check("round robin goes round the one away", ami.Route{Kind: ami.RouteRoundRobin, Nodes: []string{"b", "c"}}, map[string]int{"c": 10})
		if _, err := f.Via(ami.Route{Node: "b"}).Do(t.Context(), ami.NewAction("Ping")); !errors.Is(err, ami.ErrNotReady) || ami.SentState(err) != ami.SentNo {
			t.Errorf("a named node that is away: %v", err)
		}
		for _, name := range []string{"a", "c"} {
			f.servers[name].Close()
		}
		synctest.Wait()
		refusals := 0
		for _, r := range []ami.Route{{Kind: ami.RouteRoundRobin}, {Kind: ami.RouteFailover}, {Kind: ami.RouteLeastPending}} {
			if _, err := f.Via(r).Do(t.Context(), ami.NewAction("Ping")); !errors.Is(err, ami.ErrNotReady) {
				t.Errorf("kind %d with all away: %v", r.Kind, err)
			}
			refusals++
		}
		for _, r := range []ami.Route{{Node: "z"}, {}, {Kind: ami.RouteFailover, Nodes: []string{"a", "z"}}} {
			if _, err := f.Via(r).Do(t.Context(), ami.NewAction("Ping")); !errors.Is(err, ami.ErrNoNode) {
				t.Errorf("%+v: %v", r, err)
			}
			refusals++
		}
		if l := f.Stats().Ledger; !l.Exact() || l.Rejected != uint64(refusals+1) {
			t.Errorf("ledger %+v after %d refusals", l, refusals+1)
		}
	})
}

// Round robin stays even when one of many is away: its turn is not always its right neighbour's.
func TestRoundRobinIsFairWithOneAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := trio(t)
		defer f.close()
		f.serve("d")
		f.add("d")
		f.ready(time.Second)
		f.servers["b"].Close()
		synctest.Wait()
		got := f.routed(ami.Route{Kind: ami.RouteRoundRobin}, 120)
		for _, name := range []string{"a", "c", "d"} {
			if got[name] < 30 || got[name] > 50 {
				t.Errorf("shares of 120 actions over three ready nodes: %v", got)
			}
		}
	})
}

func TestLeastPendingAvoidsTheBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := trio(t)
		defer f.close()
		release := make(chan struct{})
		defer close(release)
		for _, name := range []string{"a", "c"} {
			f.servers[name].Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { <-release; w.Ack("") })
			n, _ := f.Node(name)
			b := &ami.Batch[uint64]{}
			for i := range 3 {
				if err := b.Submit(t.Context(), n, ami.NewAction("Slow"), uint64(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		if got := f.routed(ami.Route{Kind: ami.RouteLeastPending}, 20); got["b"] != 20 {
			t.Errorf("routed to %v", got)
		}
	})
}

// Pipelined over all ready nodes, least pending shares evenly.
func TestLeastPendingSharesEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := trio(t)
		defer f.close()
		release := make(chan struct{})
		for _, s := range f.servers {
			s.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { <-release; w.Ack("") })
		}
		b := &ami.Batch[uint64]{}
		for i := range 300 {
			if err := b.Submit(t.Context(), f.Via(ami.Route{Kind: ami.RouteLeastPending}), ami.NewAction("Slow"), uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range f.Nodes() {
			if got := n.Stats().Ledger.InFlight; got != 100 {
				t.Errorf("%s has %d of 300 in flight", n.Name(), got)
			}
		}
		close(release)
		for range 300 {
			if r, err := b.Next(t.Context()); err != nil || r.Err != nil {
				t.Fatal(err, r.Err)
			}
		}
	})
}

// A route that waits takes whichever node is ready first; a named one waits for that node alone.
func TestRoutesWaitForReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		for _, name := range []string{"a", "b"} {
			f.serve(name).Close()
			f.add(name, func(c *ami.Config) { c.Redial.BreakerAfter = time.Hour; c.Redial.BackoffMax = time.Second })
		}
		time.Sleep(time.Minute)
		go func() {
			time.Sleep(5 * time.Second)
			f.serve("b")
			time.Sleep(5 * time.Second)
			f.serve("a")
		}()
		wait := ami.Action{Name: "Ping", WaitReady: true, Timeout: 20 * time.Second}
		start := time.Now()
		var done atomic.Int64
		for _, tt := range []struct {
			r      ami.Route
			node   string
			lo, hi time.Duration
		}{
			{ami.Route{Kind: ami.RouteRoundRobin}, "b", 5 * time.Second, 6 * time.Second},
			{ami.Route{Kind: ami.RouteFailover, Nodes: []string{"a", "b"}}, "b", 5 * time.Second, 6 * time.Second},
			{ami.Route{Kind: ami.RouteLeastPending}, "b", 5 * time.Second, 6 * time.Second},
			{ami.Route{Node: "a"}, "a", 10 * time.Second, 11 * time.Second},
		} {
			go func() {
				r, err := f.Via(tt.r).Do(context.Background(), wait)
				if d := time.Since(start); err != nil || r.Node != tt.node || d < tt.lo || d > tt.hi+50*time.Millisecond {
					t.Errorf("%+v: %v, after %v", tt.r, err, d)
				}
				done.Add(1)
			}()
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if done.Load() != 4 {
			t.Errorf("%d of 4 ended", done.Load())
		}
		for _, s := range f.servers {
			s.Close()
		}
		synctest.Wait()
		start = time.Now()
		wait.Timeout = 3 * time.Second
		if _, err := f.Via(ami.Route{Kind: ami.RouteFailover}).Do(t.Context(), wait); !errors.Is(err, ami.ErrTimeout) || !errors.Is(err, ami.ErrNotReady) || time.Since(start) != 3*time.Second {
			t.Errorf("nobody came, after %v: %v", time.Since(start), err)
		}
		if l := f.Stats().Ledger; !l.Exact() {
			t.Errorf("ledger %+v", l)
		}
	})
}

func TestRoutedWaitEndsWithTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("a").Close()
		f.add("a", func(c *ami.Config) { c.Redial.BreakerAfter = time.Hour })
		start := time.Now()
		done := make(chan error, 2)
		for _, r := range []ami.Route{{Node: "a"}, {Kind: ami.RouteRoundRobin}} {
			go func() {
				_, err := f.Via(r).Do(context.Background(), ami.Action{Name: "Ping", WaitReady: true, Timeout: time.Hour})
				done <- fmt.Errorf("%w (after %v)", err, time.Since(start))
			}()
		}
		time.Sleep(time.Second)
		_ = f.Cluster.Close()
		for range 2 {
			if err := <-done; !errors.Is(err, ami.ErrClosed) || time.Since(start) > 2*time.Second {
				t.Errorf("ended with %v", err)
			}
		}
	})
}

// An action without a timeout has the node's, whether it waited for the node or not.
func TestRoutedActionHasTheNodesTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.Handle("Originate", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Sleep(time.Minute)
			w.Ack("Originate successfully queued")
		})
		cfg.Timeouts.Action = 5 * time.Minute
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		if _, err := cluster.Add(cfg); err != nil {
			t.Fatal(err)
		}
		_, err := cluster.Via(ami.Route{Kind: ami.RouteRoundRobin}).Do(t.Context(), ami.Action{Name: "Originate", WaitReady: true})
		if err != nil {
			t.Errorf("it waited for the node: %v", err)
		}
		_, err = cluster.Via(ami.Route{Kind: ami.RouteRoundRobin}).Do(t.Context(), ami.Action{Name: "Originate", WaitReady: true})
		if err != nil {
			t.Errorf("it did not: %v", err)
		}
	})
}
