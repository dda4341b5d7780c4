//go:build unix && !race

// Not under the race detector: memory says nothing there.

package ami_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// What a node that does nothing costs the client beyond the bare TCP connection and the server's end of it, which are in
// this process too and are measured first.
func TestIdleCost(t *testing.T) {
	nodes := openable(idleNodes(1000))
	s := newBenchServer(t, pong)
	base := memory()
	for range nodes {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_, _ = io.WriteString(nc, "Action: Login\r\nActionID: 1\r\n\r\n")
		if _, err := io.ReadFull(nc, make([]byte, len("Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n"))); err != nil {
			t.Fatal(err)
		}
	}
	bare := memory()
	cl := ami.NewCluster(ami.ClusterConfig{})
	defer cl.Close()
	sub, err := cl.Subscribe(ami.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for i := range nodes {
		if _, err := cl.Add(ami.Config{Name: fmt.Sprint(i), Addr: s.Addr().String(), Username: "u", Secret: ami.StaticSecret("s"), Keepalive: ami.Keepalive{Interval: 2 * time.Second}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range cl.Nodes() {
		if err := n.WaitReady(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(3 * time.Second) // a keepalive each: what it leaves behind counts
	withNodes := memory()
	each := (int(withNodes-bare) - int(bare-base)) / nodes
	t.Logf("%d idle nodes cost %d bytes each beyond plain TCP (%d bytes for both ends of that)", nodes, each, int(bare-base)/nodes)
	if each > 24<<10 {
		t.Errorf("an idle node costs %d bytes, the cap is %d", each, 24<<10)
	}
}

// idleNodes is how many nodes AMICTL_IDLE_NODES says, or a default.
func idleNodes(n int) int {
	if asked, err := strconv.Atoi(os.Getenv("AMICTL_IDLE_NODES")); err == nil {
		return asked
	}
	return n
}

// openable bounds a number of nodes by the descriptors there are: both ends of two connections each.
func openable(nodes int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && float64(limit.Cur) < float64(4*nodes+200) {
		return int(limit.Cur-200) / 4
	}
	return nodes
}

// What 5,000 ready nodes with the default keepalive take of one core, the server's end included, over one interval.
func BenchmarkIdleNodes(b *testing.B) {
	s := newBenchServer(b, pong)
	cl := ami.NewCluster(ami.ClusterConfig{})
	defer cl.Close()
	nodes := openable(idleNodes(5000))
	for i := range nodes {
		if _, err := cl.Add(ami.Config{Name: fmt.Sprint(i), Addr: s.Addr().String(), Username: "u", Secret: ami.StaticSecret("s")}); err != nil {
			b.Fatal(err)
		}
	}
	for _, n := range cl.Nodes() {
		if err := n.WaitReady(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	before := cpuTime(b)
	for range b.N {
		time.Sleep(ami.DefaultKeepalive + time.Second)
	}
	used := cpuTime(b) - before
	b.StopTimer()
	pings := 0
	for _, n := range cl.Nodes() {
		if n.Ready() && n.Stats().Pings > 0 {
			pings++
		}
	}
	if pings < nodes {
		b.Fatalf("%d of %d nodes are ready and were pinged", pings, nodes)
	}
	b.ReportMetric(100*float64(used)/float64(b.Elapsed()), "%core")
	b.ReportMetric(float64(nodes), "nodes")
}

// cpuTime returns what this process has used, user and system.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory returns what heap and stacks hold after a collection.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
