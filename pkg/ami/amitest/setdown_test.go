package amitest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// connected logs in and returns the connection's lines from the answer on.
func connected(t *testing.T, srv *amitest.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprint(conn, "Action: Login\r\nUsername: admin\r\nSecret: secret\r\nEvents: on\r\n\r\n")
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "accepted") {
			return conn, r
		}
	}
}

// What is emitted behind SetDown(true) reaches nobody: whoever writes a test of an outage counts on it. So it is with
// everything else that ends sessions at once.
func TestSessionsAreGoneWhenItReturns(t *testing.T) {
	down := func(srv *amitest.Server) { srv.SetDown(true) }
	text := func(fault string) func(*amitest.Server) {
		return func(srv *amitest.Server) { _ = srv.InjectText(fault) }
	}
	for _, tt := range []struct {
		name   string
		before string // a fault
		end    func(*amitest.Server)
	}{
		{"down", "", down},
		{"down while it is stalled", "stall for=1h", down},
		{"down while its output is late", "latency fixed=20ms", down},
		{"down while its output comes in pieces", "segment bytes=1 gap=1h", down},
		{"down in the middle of an action", "slow fixed=1h", down},
		{"down as text", "", text("down")},
		{"kick", "", (*amitest.Server).Kick},
		{"kick in the middle of an action", "slow fixed=1h", (*amitest.Server).Kick},
		{"rst", "", text("rst")},
		{"fin", "", text("fin")},
		{"fin while it is stalled", "stall for=1h", text("fin")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := amitest.NewServer()
			defer srv.Close()
			for range 30 {
				conn, r := connected(t, srv)
				if tt.before != "" {
					if err := srv.InjectText(tt.before); err != nil {
						t.Fatal(err)
					}
					fmt.Fprint(conn, "Action: Ping\r\n\r\n")
				}
				tt.end(srv)
				if n := srv.Ledger().Sessions; n != 0 {
					t.Errorf("%d sessions are there", n)
				}
				srv.EmitEvent("UserEvent", "UserEvent", "TooLate")
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				rest, err := io.ReadAll(r)
				if err != nil && !errors.Is(err, syscall.ECONNRESET) || strings.Contains(string(rest), "TooLate") {
					t.Fatalf("afterwards: %v, %q", err, rest)
				}
				srv.SetDown(false)
				srv.ClearFaults()
			}
		})
	}
}

// Connections that come while the server goes down are gone, too.
func TestSetDownMissesNoConnection(t *testing.T) {
	srv := amitest.NewServer()
	defer srv.Close()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if conn, err := net.Dial("tcp", srv.Addr()); err == nil {
					fmt.Fprint(conn, "Action: Login\r\nUsername: admin\r\nSecret: secret\r\n\r\n")
					_, _ = conn.Read(make([]byte, 64))
					_ = conn.Close()
				}
			}
		})
	}
	for range 50 {
		srv.SetDown(true)
		if n := srv.Ledger().Sessions; n != 0 {
			t.Errorf("%d sessions are there", n)
		}
		srv.SetDown(false)
		time.Sleep(time.Millisecond)
	}
	close(stop)
	all.Wait()
}
