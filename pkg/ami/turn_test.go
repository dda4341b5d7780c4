package ami_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// An endless is a connection that, once it is on, has an event whenever it is read.
type endless struct {
	net.Conn
	on   atomic.Bool
	read atomic.Int64 // bytes of these events
}

const endlessEvent = "Event: Tick\r\nPrivilege: call,all\r\nUniqueid: 1795435200.12\r\n\r\n"

func (e *endless) Read(p []byte) (int, error) {
	if !e.on.Load() {
		return e.Conn.Read(p)
	}
	n := copy(p, strings.Repeat(endlessEvent, len(p)/len(endlessEvent)))
	e.read.Add(int64(n))
	return n, nil
}

// A flood has the processor for no longer than a turn, as far as others wait for it; Go alone would let it have it for 10 ms, which are
// megabytes.
func TestFloodTakesTurns(t *testing.T) {
	srv := amitest.NewServer()
	t.Cleanup(srv.Close)
	e := &endless{}
	mustDial(t, ami.Config{
		Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "on",
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			e.Conn = c
			return e, err
		},
	})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e.on.Store(true)
	defer e.on.Store(false)
	srv.EmitEvent("Tick") // which ends the reading of the socket
	const most = 512 << 10
	last, longest := int64(0), int64(0)
	for turns, begun := 0, time.Now(); turns < 200; runtime.Gosched() {
		if now := e.read.Load(); now > last {
			longest, last = max(longest, now-last), now
			turns++
		} else if time.Since(begun) > time.Minute {
			t.Fatal("nothing is read")
		}
	}
	if longest > most {
		t.Errorf("%d bytes were read in one turn, over %d", longest, most)
	}
}
