package ami_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A server that is away for less than half a minute is found within 3 s of its return, and all of N within N/50 s more;
// one that was away for longer within 31 s. That holds for servers that refuse, and for hosts that swallow packets.
func TestServersAreFoundWhenTheyReturn(t *testing.T) {
	type way struct {
		name       string
		down, back func(f *fleet, host string)
	}
	crash := way{"crashed", func(f *fleet, host string) { f.servers[host].Close() }, func(f *fleet, host string) { f.serve(host) }}
	dark := way{
		"cut off", func(f *fleet, host string) { f.net.Partition(host); f.net.Reset(host) },
		func(f *fleet, host string) { f.net.Heal(host) },
	}
	for _, tt := range []struct {
		nodes  int
		away   time.Duration
		within time.Duration
	}{
		{1, 500 * time.Millisecond, 3 * time.Second},
		{1, 2 * time.Second, 3 * time.Second},
		{1, 10 * time.Second, 3 * time.Second},
		{20, 26 * time.Second, 3*time.Second + 400*time.Millisecond},
		{100, 10 * time.Second, 3 * time.Second},
		{500, 20 * time.Second, 13 * time.Second},
		{20, 10 * time.Minute, 31 * time.Second},
	} {
		for _, w := range []way{crash, dark} {
			t.Run(fmt.Sprintf("%d %s for %v", tt.nodes, w.name, tt.away), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, ami.ClusterConfig{})
					defer f.close()
					for i := range tt.nodes {
						f.serve(fmt.Sprint("pbx", i))
						f.add(fmt.Sprint("pbx", i))
					}
					f.ready(10 * time.Second)
					time.Sleep(time.Minute)
					for host := range f.servers {
						w.down(f, host)
					}
					time.Sleep(tt.away)
					if ready := f.Stats().Ready; ready != 0 {
						t.Fatalf("%d are ready: the test proves nothing", ready)
					}
					for host := range f.servers {
						w.back(f, host)
					}
					f.ready(tt.within)
				})
			})
		}
	}
}

// Restarts in a row, each a few seconds long, with sessions of a few seconds between: no blindness builds up.
func TestServerIsFoundAfterEachOfManyRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("pbx")
		n := f.add("pbx")
		f.ready(time.Second)
		for i := range 100 {
			time.Sleep(time.Duration(i%5) * 500 * time.Millisecond)
			f.servers["pbx"].Close()
			time.Sleep(time.Duration(i%11) * time.Second)
			f.serve("pbx")
			f.ready(3 * time.Second)
		}
		if s := n.Stats(); s.BreakerOpens != 0 {
			t.Errorf("the breaker opened %d times", s.BreakerOpens)
		}
	})
}

// refuseLogins plays a server that answers each login with that message for a while, and then accepts.
func refuseLogins(message string, until func() bool) func(net.Conn) {
	return func(c net.Conn) {
		if until() {
			if _, ok := greetAndAccept(c); ok {
				_, _ = c.Read(make([]byte, 1))
			}
			return
		}
		r := greet(c)
		p, err := readPacket(r)
		if err != nil {
			return
		}
		fmt.Fprintf(c, "Response: Error\r\nActionID: %s\r\nMessage: %s\r\n\r\n", p["ActionID"], message)
	}
}

// A server that stops gracefully refuses logins for as long as a call is up. That is no wrong secret: it is dialled at
// the usual pace, has a state of its own, and waiting for it is not in vain.
func TestStoppingServer(t *testing.T) {
	for _, tt := range []struct {
		stops, within time.Duration
	}{
		{10 * time.Second, 3 * time.Second},
		{5 * time.Minute, 31 * time.Second},
	} {
		t.Run(fmt.Sprint(tt.stops), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, ami.ClusterConfig{})
				defer f.close()
				start := time.Now()
				f.script("pbx", refuseLogins("Asterisk is shutting down", func() bool { return time.Since(start) > tt.stops }))
				n := f.add("pbx")
				for state := n.Stats().State; state != ami.StateStopping && time.Since(start) < time.Second; state = n.Stats().State {
					time.Sleep(10 * time.Millisecond)
				}
				if err := ping(n); !errors.Is(err, ami.ErrStopping) || errors.Is(err, ami.ErrUnauthorized) || ami.SentState(err) != ami.SentNo {
					t.Errorf("an action: %v", err)
				}
				if s := n.Stats(); s.LoginFailures != 0 {
					t.Errorf("%d refused logins", s.LoginFailures)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.stops+tt.within)
				defer cancel()
				if err := n.WaitReady(ctx); err != nil {
					t.Errorf("not found: %v", err)
				}
			})
		})
	}
}

// What a stopping server answers to an action is no refusal of the action.
func TestActionOfAStoppingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			a, _ := p.action()
			p.send("Response: Error\nActionID: %s\nMessage: Asterisk is shutting down\n\n", a["ActionID"])
			p.drain()
		})
		reply, err := mustDial(t, cfg).Do(t.Context(), ami.NewAction("Originate"))
		if reply == nil || !errors.Is(err, ami.ErrStopping) || !errors.As(err, new(*ami.ResponseError)) || !ami.Retryable(err, "Originate") {
			t.Errorf("%v", err)
		}
	})
}

// Under allowmultiplelogin=no the server may hold a session of ours whose end it has not seen. Logins are tried at the
// usual pace then; a session that never was ours is a refusal like any other. Both name the option.
func TestLoginInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		var mu sync.Mutex
		free := true
		f.script("pbx", refuseLogins("Login Already In Use", func() bool { mu.Lock(); defer mu.Unlock(); return free }))
		set := func(to bool) { mu.Lock(); free = to; mu.Unlock() }
		n := f.add("pbx")
		f.ready(time.Second)
		time.Sleep(time.Minute)
		set(false)
		f.net.Reset("pbx")
		time.Sleep(20 * time.Second)
		s, cause := n.State()
		if n.Ready() || errors.Is(cause, ami.ErrUnauthorized) || !errors.Is(cause, ami.ErrLoginInUse) || !strings.Contains(cause.Error(), "allowmultiplelogin=no") {
			t.Errorf("state %v, cause %v", s, cause)
		}
		set(true)
		f.ready(3 * time.Second)

		set(false)
		other := f.add("other", func(c *ami.Config) { c.Addr = "pbx:5038" })
		time.Sleep(time.Minute)
		if _, cause := other.State(); !errors.Is(cause, ami.ErrUnauthorized) || !errors.Is(cause, ami.ErrLoginInUse) {
			t.Errorf("a login that was never ours: %v", cause)
		}
	})
}

// After an outage the hook tells how long it was and what was learnt.
func TestReconnectedHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan ami.Outage, 10)
		f := newFleet(t, ami.ClusterConfig{Hooks: ami.Hooks{Reconnected: func(_ string, o ami.Outage) { told <- o }}})
		defer f.close()
		f.serve("pbx")
		f.add("pbx")
		f.ready(time.Second)
		time.Sleep(time.Minute)
		if len(told) != 0 {
			t.Errorf("told of %d outages before there was one", len(told))
		}
		lost := time.Now()
		f.servers["pbx"].Close()
		time.Sleep(10 * time.Second)
		f.serve("pbx")
		f.ready(3 * time.Second)
		synctest.Wait()
		if len(told) != 1 {
			t.Fatalf("told of %d outages", len(told))
		}
		o := <-told
		if !o.Since.Equal(lost) || o.Until.Sub(lost) < 10*time.Second || o.Until.Sub(lost) > 13*time.Second {
			t.Errorf("from %v to %v", o.Since.Sub(lost), o.Until.Sub(lost))
		}
		if !errors.Is(o.First, ami.ErrDisconnected) || !strings.Contains(o.Cause.Error(), "refused") || o.Dials < 6 {
			t.Errorf("first %v, last %v, %d dials", o.First, o.Cause, o.Dials)
		}
	})
}

// An action that says WaitReady is not lost to a session that died before it took the action: it waits for the next one,
// within its one deadline.
func TestWaitReadyOutlivesASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.net.SetLink("pbx", amitest.Link{Latency: 20 * time.Millisecond})
		f.serve("pbx")
		n := f.add("pbx")
		f.ready(time.Second)
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for range 20 {
				time.Sleep(3 * time.Second)
				f.servers["pbx"].Close()
				time.Sleep(time.Second)
				f.serve("pbx")
			}
		}()
		var all sync.WaitGroup
		var mu sync.Mutex
		var unsent []error
		for running := true; running; {
			select {
			case <-stop:
				running = false
			default:
			}
			all.Go(func() {
				_, err := n.Do(t.Context(), ami.Action{Name: "Ping", WaitReady: true, Timeout: 30 * time.Second})
				var op *ami.OpError
				if errors.As(err, &op) && op.ActionID == "" {
					mu.Lock()
					unsent = append(unsent, err)
					mu.Unlock()
				}
			})
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if len(unsent) > 0 {
			t.Errorf("%d actions were refused though they wait: %v", len(unsent), unsent[0])
		}
		if s := n.Stats(); !s.Ledger.Exact() || s.Ledger.Rejected != 0 {
			t.Errorf("ledger %+v", s.Ledger)
		}
	})
}
