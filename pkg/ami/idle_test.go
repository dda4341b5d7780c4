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
	if raceEnabled || testing.Short() {
		t.Skip("SKIPPED: memory says nothing under the race detector or in short runs")
	}
	nodes := 1000
	if n, err := strconv.Atoi(os.Getenv("AMICTL_IDLE_NODES")); err == nil {
		nodes = n
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(4*nodes+200) {
		nodes = int(limit.Cur-200) / 4 // both ends of two connections each
	}
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
		if _, err := cl.Add(ami.Config{Name: fmt.Sprint(i), Addr: s.Addr().String(), Username: "u", Secret: ami.StaticSecret("s"), Keepalive: 2 * time.Second}); err != nil {
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

// memory returns what heap and stacks hold after a collection.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
