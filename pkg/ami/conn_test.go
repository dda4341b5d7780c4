package ami_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// processes are what this binary is instead of its tests where their variable is set: other ends that tests start as
// processes of their own. Each gets the variable's value.
var processes = map[string]func(string) error{}

// TestMain fails the run if a test left a goroutine behind.
func TestMain(m *testing.M) {
	for variable, run := range processes {
		if value := os.Getenv(variable); value != "" {
			if err := run(value); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	goleak.VerifyTestMain(m)
}

// simulate starts a simulated Asterisk on an in-memory network and returns it with a config that reaches it. It works
// inside a synctest bubble.
func simulate(t *testing.T, opts ...amitest.Option) (*amitest.Network, *amitest.Server, ami.Config) {
	t.Helper()
	n := amitest.NewNetwork()
	s := amitest.NewServer(append([]amitest.Option{amitest.WithNetwork(n)}, opts...)...)
	t.Cleanup(s.Close)
	return n, s, ami.Config{
		Addr: s.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Dial: n.DialContext,
	}
}

// mustDial opens a session that is closed at the end of the test.
func mustDial(t *testing.T, cfg ami.Config) *ami.Conn {
	t.Helper()
	c, err := ami.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// exact fails the test unless the ledger balances with nothing in flight.
func exact(t *testing.T, s ami.NodeStats) {
	t.Helper()
	if l := s.Ledger; !l.Exact() || l.InFlight != 0 {
		t.Errorf("the ledger does not balance at rest: %+v", l)
	}
}

// wantOp fails the test unless err is an *OpError of that operation and cause.
func wantOp(t *testing.T, err error, op ami.Op, cause error) *ami.OpError {
	t.Helper()
	var oe *ami.OpError
	if !errors.As(err, &oe) {
		t.Fatalf("error %v (%T) is no *OpError", err, err)
	}
	if oe.Op != op {
		t.Errorf("Op = %q, want %q (%v)", oe.Op, op, err)
	}
	if cause != nil && !errors.Is(err, cause) {
		t.Errorf("error %q is not %q", err, cause)
	}
	return oe
}

// mustDie waits ten minutes for a session's end.
func mustDie(t *testing.T, c *ami.Conn) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(10 * time.Minute):
		t.Fatal("the session lives")
	}
}

func TestDialDoDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		c := mustDial(t, cfg)
		if got, want := c.Banner(), "Asterisk Call Manager/11.0.0"; got != want {
			t.Errorf("Banner = %q, want %q", got, want)
		}
		r, err := c.Do(t.Context(), ami.NewAction("Ping"))
		if err != nil || r.Get("Ping") != "Pong" || !r.Success() {
			t.Errorf("Ping: %v, %v", r, err)
		}
		if err := c.Drain(t.Context()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		if c.Err() == nil {
			t.Error("a drained session says that it lives")
		}
		synctest.Wait()
		if l := s.Ledger(); l.Sessions != 0 || l.Logins != 1 || l.ActionsReceived != l.RepliesSent {
			t.Errorf("the server counted %+v", l)
		}
		exact(t, c.Stats())
		if l := c.Stats().Ledger; l.Submitted != 1 || l.Replied != 1 {
			t.Errorf("the engine counted %+v: its own actions must be booked apart", l)
		}
	})
}

// A second bubble must be able to use what a first one left in package-wide pools.
func TestDialInAnotherBubble(t *testing.T) {
	for range 4 {
		synctest.Test(t, func(t *testing.T) {
			_, _, cfg := simulate(t)
			c := mustDial(t, cfg)
			for range 16 {
				if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A panic in OnReady that a caller of Dial recovers from leaves no session behind.
func TestOnReadyPanicClosesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		var c *ami.Conn
		cfg.OnReady = func(_ context.Context, conn *ami.Conn) error { c = conn; panic("mine") }
		func() {
			defer func() { _ = recover() }()
			_, _ = ami.Dial(t.Context(), cfg)
		}()
		time.Sleep(time.Hour)
		if n := s.Ledger().Sessions; n != 0 {
			t.Errorf("%d sessions are left, of which nobody knows", n)
		}
		_ = c.Close()
	})
}
