package ami_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// goroutines counts those that the engine started.
func goroutines() (n int) {
	buf := make([]byte, 64<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "created by github.com/apntalk/amictl/pkg/ami.") {
			n++
		}
	}
	return n
}

func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestIdleNodesCostLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 2000
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		sim := amitest.NewCluster(nodes, amitest.WithNetwork(f.net))
		defer sim.Close()
		sub, err := f.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		before := heapInUse()
		for _, s := range sim.Servers() {
			f.add(s.Name())
		}
		f.ready(time.Minute)
		for _, n := range f.Nodes() {
			if err := ping(n); err != nil {
				t.Fatal(err)
			}
		}
		for {
			if _, ok := sub.Poll(); !ok {
				break
			}
		}
		synctest.Wait()
		if got := goroutines(); got < nodes || got > 2*nodes {
			t.Errorf("%d goroutines for %d live nodes", got, nodes)
		}
		live := (heapInUse() - before) / nodes
		t.Logf("%d bytes a live node, the simulated server's session included", live)
		if live > 48<<10 {
			t.Errorf("%d bytes a live node", live)
		}
		for _, s := range sim.Servers() {
			s.Close()
		}
		// All are in backoff or behind their breaker now, none in a dial: those are refused at once.
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := goroutines(); got != 0 {
			t.Errorf("%d goroutines for %d nodes that back off", got, nodes)
		}
		away := (heapInUse() - before) / nodes
		t.Logf("%d bytes a node that backs off", away)
		if away > 12<<10 {
			t.Errorf("%d bytes a node that backs off", away)
		}
		runtime.KeepAlive(sub)
	})
}
