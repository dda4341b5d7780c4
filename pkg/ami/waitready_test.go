package ami_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

func TestWaitReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("pbx").Close()
		n := f.add("pbx")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := n.WaitReady(ctx)
		var cause *ami.OpError
		if !errors.Is(err, ami.ErrTimeout) || !strings.Contains(err.Error(), "refused") || !errors.As(err, &cause) {
			t.Errorf("WaitReady with a deadline: %v; wanted a timeout that names the last failure", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := n.WaitReady(ctx); !errors.Is(err, ami.ErrCancelled) || !errors.Is(err, context.Canceled) {
			t.Errorf("WaitReady cancelled: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- n.WaitReady(context.Background()) }()
		synctest.Wait()
		if err := f.Remove("pbx"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, ami.ErrClosed) {
			t.Errorf("WaitReady of a removed node: %v", err)
		}
	})
}

// Ready means banner and login answer, and setup, on that session.
func TestReadyOnlyBehindLoginAndSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		step := make(chan struct{})
		f.script("pbx", func(c net.Conn) {
			<-step
			r, ok := greetAndAccept(c)
			for ok {
				p, err := readPacket(r)
				if err != nil {
					return
				}
				fmt.Fprintf(c, "Response: Success\r\nActionID: %s\r\nPing: Pong\r\n\r\n", p["ActionID"])
			}
		})
		setup := make(chan struct{})
		n := f.add("pbx", func(c *ami.Config) {
			c.OnReady = func(ctx context.Context, c *ami.Conn) error {
				<-setup
				_, err := c.Do(ctx, ami.NewAction("Ping"))
				return err
			}
		})
		check := func(want ami.State, ready bool) {
			t.Helper()
			synctest.Wait()
			if s, _ := n.State(); s != want || n.Ready() != ready {
				t.Errorf("state %v, ready %v; want %v, %v", s, n.Ready(), want, ready)
			}
			if err := ping(n); ready != (err == nil) || !ready && (!errors.Is(err, ami.ErrNotReady) || ami.SentState(err) != ami.SentNo) {
				t.Errorf("ping in state %v: %v", want, err)
			}
		}
		check(ami.StateLogin, false)
		close(step)
		check(ami.StateLogin, false)
		close(setup)
		check(ami.StateReady, true)
	})
}

// A caller waiting for a node gets the reason at once when waiting is futile.
func TestWaitReadyActionFailsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("refused")
		refused := f.add("refused", func(c *ami.Config) { c.Secret = ami.StaticSecret("wrong") })
		f.serve("down").Close()
		down := f.add("down")
		wait := ami.Action{Name: "Ping", WaitReady: true, Timeout: time.Hour}
		start := time.Now()
		if _, err := refused.Do(t.Context(), wait); !errors.Is(err, ami.ErrUnauthorized) || time.Since(start) > 2*time.Second {
			t.Errorf("behind a refused login, after %v: %v", time.Since(start), err)
		}
		wait.Timeout = time.Minute
		if _, err := down.Do(t.Context(), wait); !errors.Is(err, ami.ErrTimeout) || errors.Is(err, ami.ErrBreakerOpen) || time.Since(start) < time.Minute {
			t.Errorf("given before the breaker opened, after %v: %v", time.Since(start), err)
		}
		start = time.Now()
		if _, err := down.Do(t.Context(), wait); !errors.Is(err, ami.ErrBreakerOpen) || time.Since(start) > 0 {
			t.Errorf("behind an open breaker, after %v: %v", time.Since(start), err)
		}
		if _, err := f.Cluster.Via(ami.Route{Kind: ami.RouteFailover, Nodes: []string{"down"}}).Do(t.Context(), wait); !errors.Is(err, ami.ErrBreakerOpen) || time.Since(start) > 0 {
			t.Errorf("routed to open breakers, after %v: %v", time.Since(start), err)
		}
		if s := f.Stats(); !s.Ledger.Exact() || s.Ledger.Rejected != 4 {
			t.Errorf("ledger %+v", s.Ledger)
		}
	})
}

// The wait for a ready node and the wait for the answer share the action's one deadline.
func TestWaitReadySharesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.script("pbx", func(c net.Conn) {
			time.Sleep(8 * time.Second)
			greetAndAccept(c)
			time.Sleep(time.Hour)
		})
		n := f.add("pbx")
		start := time.Now()
		_, err := n.Do(t.Context(), ami.Action{Name: "Ping", Timeout: 10 * time.Second, WaitReady: true})
		if d := time.Since(start); !errors.Is(err, ami.ErrTimeout) || d > 10*time.Second+100*time.Millisecond {
			t.Errorf("ended after %v: %v", d, err)
		}
		if s := n.Stats(); !s.Ledger.Exact() || s.Ledger.TimedOut != 1 {
			t.Errorf("ledger %+v", s.Ledger)
		}
	})
}
