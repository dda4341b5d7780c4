package ami_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

// routeKinds are the routes that choose.
var routeKinds = []struct {
	name string
	kind ami.RouteKind
}{
	{"failover", ami.RouteFailover}, {"round-robin", ami.RouteRoundRobin}, {"least-pending", ami.RouteLeastPending},
}

// readyCluster returns a cluster of so many ready nodes on one server.
func readyCluster(b *testing.B, nodes int) *ami.Cluster {
	s := newBenchServer(b, pong)
	cl := ami.NewCluster(ami.ClusterConfig{})
	b.Cleanup(func() { _ = cl.Close() })
	for i := range nodes {
		if _, err := cl.Add(ami.Config{Name: fmt.Sprint("node", i), Addr: s.addr(), Username: "u", Secret: ami.StaticSecret("s")}); err != nil {
			b.Fatal(err)
		}
	}
	for _, n := range cl.Nodes() {
		if err := n.WaitReady(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	return cl
}

// An action that goes where a route says must not cost more the more nodes there are. Its table is that of routes, by how
// many nodes they choose among: all, or those that the route names. Many sessions cost more than few whoever chooses, so
// that the reference is nodes that the caller takes in turn by hand.
func BenchmarkRoute(b *testing.B) {
	for _, nodes := range []int{50, 1000} {
		cl := readyCluster(b, nodes)
		var names []string
		for _, n := range cl.Nodes() {
			names = append(names, n.Name())
		}
		b.Run(fmt.Sprintf("by-hand/%d", nodes), func(b *testing.B) {
			var turn atomic.Uint64
			benchDoers(b, cl, func() ami.Doer { return cl.Nodes()[turn.Add(1)%uint64(nodes)] })
		})
		for _, k := range routeKinds {
			for of, list := range map[string][]string{"all": nil, "named": names} {
				b.Run(fmt.Sprintf("%s/%s/%d", k.name, of, nodes), func(b *testing.B) {
					via := cl.Via(ami.Route{Kind: k.kind, Nodes: list})
					benchDoers(b, cl, func() ami.Doer { return via })
				})
			}
		}
		_ = cl.Close()
	}
}

// benchDoers sends each action to the doer that next returns.
func benchDoers(b *testing.B, cl *ami.Cluster, next func() ami.Doer) {
	const callers = 16
	ctx, ping := context.Background(), ami.NewAction("Ping")
	before := cl.Stats().Ledger.Replied
	var sent atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for sent.Add(1) <= int64(b.N) {
				if _, err := next().Do(ctx, ping); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	l := cl.Stats().Ledger
	checkLedger(b, l)
	if got := l.Replied - before; got != uint64(b.N) {
		b.Fatalf("%d of %d answered", got, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
}
