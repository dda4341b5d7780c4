package ami_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestNodeHangingResolverHurtsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case <-time.After(30 * time.Second):
				return nil, errors.New("no answer from the resolver")
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		f.serve("b")
		a := f.add("a", func(c *ami.Config) { c.Dial = hang; c.Timeouts.Dial = 30 * time.Second })
		start := time.Now()
		b := f.add("b")
		if err := b.WaitReady(t.Context()); err != nil || time.Since(start) != 0 {
			t.Fatalf("b ready after %v: %v", time.Since(start), err)
		}
		sub, err := f.Subscribe(ami.SubscribeOptions{Nodes: []string{"b"}, Events: []string{"Tick"}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 25 {
			sent := time.Now()
			if err := ping(b); err != nil || time.Since(sent) != 0 {
				t.Fatalf("ping %d after %v: %v", i, time.Since(sent), err)
			}
			f.servers["b"].EmitEvent("Tick")
			if ev, err := sub.Next(t.Context()); err != nil || ev.Name() != "Tick" || time.Since(sent) != 0 {
				t.Fatalf("event %d after %v: %v", i, time.Since(sent), err)
			}
			name := fmt.Sprint("c", i)
			f.serve(name)
			if err := f.add(name).WaitReady(t.Context()); err != nil || time.Since(sent) != 0 {
				t.Fatalf("%s dialled after %v: %v", name, time.Since(sent), err)
			}
			time.Sleep(time.Second)
		}
		if s, _ := a.State(); s != ami.StateDialing {
			t.Errorf("a is %v: the test proves nothing", s)
		}
	})
}

// named is a connection whose peer has another address than the one it was dialled by, as after name resolution.
type named struct {
	net.Conn
	addr *net.TCPAddr
}

func (c named) RemoteAddr() net.Addr { return c.addr }

func TestNodeLastGoodAddressWhenDNSFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("pbx")
		var broken atomic.Bool
		resolved := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 5038}
		n := f.add("pbx", func(c *ami.Config) {
			c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				switch {
				case addr == resolved.String():
				case broken.Load():
					return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "server misbehaving", Name: addr, IsTemporary: true}}
				}
				nc, err := f.net.DialContext(ctx, network, "pbx:5038")
				return named{nc, resolved}, err
			}
		})
		f.ready(time.Second)
		time.Sleep(time.Minute)
		broken.Store(true)
		f.net.Reset("pbx")
		time.Sleep(time.Millisecond)
		f.ready(time.Second)
		if s := n.Stats(); s.Sessions != 2 {
			t.Errorf("sessions %d, want 2", s.Sessions)
		}
	})
}

func TestNodeRefusedLoginHasASlowClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		srv := f.serve("pbx")
		n := f.add("pbx", func(c *ami.Config) { c.Secret = ami.StaticSecret("wrong") })
		time.Sleep(2 * time.Hour)
		state, cause := n.State()
		if !errors.Is(cause, ami.ErrUnauthorized) || state != ami.StateBackoff {
			t.Errorf("state %v, cause %v", state, cause)
		}
		l, s := srv.Ledger(), n.Stats()
		// 30 s, 60 s, … 10 min, at least half of each; then every 5 to 10 minutes.
		if l.LoginsRefused < 10 || l.LoginsRefused > 30 {
			t.Errorf("%d logins tried in two hours", l.LoginsRefused)
		}
		if s.LoginFailures != l.LoginsRefused || s.BreakerOpens != 0 || s.Breaker != "closed" {
			t.Errorf("%d login failures, breaker %s opened %d times, want %d and none", s.LoginFailures, s.Breaker, s.BreakerOpens, l.LoginsRefused)
		}
		srv.SetUser(amitest.User{Name: amitest.DefaultUser, Secret: "wrong", Read: amitest.ClassAll, Write: amitest.ClassAll})
		f.ready(10*time.Minute + 2*time.Second)
	})
}

func TestNodeDoesNotCallADroppingServerInALoop(t *testing.T) {
	for _, tt := range []struct {
		name   string
		handle func(net.Conn)
		open   uint64
		most   int64
	}{
		{"accepts and drops", func(net.Conn) {}, 1, 200},
		{"greets and drops", func(c net.Conn) { fmt.Fprint(c, "Asterisk Call Manager/11.0.0\r\n") }, 1, 200},
		{"logs in and drops", func(c net.Conn) { greetAndAccept(c) }, 1, 200},
		{"logs in, announces its end and drops", func(c net.Conn) {
			greetAndAccept(c)
			fmt.Fprint(c, "Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: True\r\n\r\n")
		}, 1, 200},
		{"logs in and drops after a while", func(c net.Conn) { greetAndAccept(c); time.Sleep(5 * time.Second) }, 0, 130},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, ami.ClusterConfig{})
				defer f.close()
				calls := f.script("pbx", tt.handle)
				n := f.add("pbx")
				time.Sleep(10 * time.Minute)
				// One a second for half a minute, then one for each 15 s of an open breaker, about.
				if got := calls.Load(); got < 40 || got > tt.most {
					t.Errorf("called %d times in ten minutes", got)
				}
				if s := n.Stats(); s.BreakerOpens != tt.open || s.Dials != uint64(calls.Load()) {
					t.Errorf("breaker opened %d times, %d dials of %d", s.BreakerOpens, s.Dials, calls.Load())
				}
			})
		})
	}
}

// A server that says Shutdown is stopping until it is dialled again.
func TestNodeShutdownIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{Rand: func() float64 { return 0.5 }})
		defer f.close()
		srv := f.serve("pbx")
		n := f.add("pbx")
		f.ready(time.Second)
		time.Sleep(time.Minute)
		srv.Shutdown(true)
		synctest.Wait()
		f.net.Reset("pbx")
		synctest.Wait()
		if s, cause := n.State(); s != ami.StateStopping || s.String() != "stopping" || !errors.Is(cause, ami.ErrStopping) || !errors.Is(cause, ami.ErrDisconnected) {
			t.Errorf("state %v, cause %v", s, cause)
		}
		f.serve("pbx")
		f.ready(ami.DefaultBackoffMin)
		if s, cause := n.State(); s != ami.StateReady || cause != nil {
			t.Errorf("back: state %v, cause %v", s, cause)
		}
	})
}

// readTags reads what is left in a socket, and stores by tag whether a packet is whole.
func readTags(r *bufio.Reader, got *sync.Map) {
	for {
		p, err := readPacket(r)
		if tag := p["Tag"]; tag != "" {
			got.Store(tag, err == nil)
		}
		if err != nil {
			return
		}
	}
}

// saysTruly holds what calls say of their bytes to what the server got: all of what was sent, and nothing of what was not.
func saysTruly(t *testing.T, ends map[uint64]ami.Sent, got *sync.Map) {
	t.Helper()
	for tag, sent := range ends {
		whole, some := got.Load(fmt.Sprint("t", tag))
		switch {
		case sent == ami.SentYes && (!some || !whole.(bool)), sent == ami.SentNo && some:
			t.Errorf("call %d says sent %v; the server has some of it: %v", tag, sent, some)
		}
	}
}

// When a session dies, each of its calls ends once, at once, and says truly whether its bytes left the process.
func TestNodeDyingSessionTellsWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.net.SetBuffer(20_000) // the network takes some of what is sent, and then no more
		var got sync.Map        // what the server found in its socket after all was over
		drop := make(chan struct{})
		f.script("pbx", func(c net.Conn) {
			if r, ok := greetAndAccept(c); ok {
				<-drop
				c.(interface{ CloseWrite() error }).CloseWrite()
				time.Sleep(time.Second) // by then the engine has closed its end
				readTags(r, &got)
			}
		})
		n := f.add("pbx")
		f.ready(time.Second)
		b := &ami.Batch[uint64]{}
		const calls = 1000
		for i := range calls {
			a := ami.NewAction("UserEvent", "Tag", fmt.Sprint("t", i), "Body", strings.Repeat("x", 60), "Z", "z")
			if err := b.Submit(t.Context(), n, a, uint64(i)); err != nil {
				t.Fatal(err)
			}
			if i%7 == 0 {
				synctest.Wait() // let the writer take what there is
			}
		}
		synctest.Wait()
		before := time.Now()
		close(drop)
		count := map[ami.Sent]int{}
		seen := make([]bool, calls)
		ends := make(map[uint64]ami.Sent)
		for range calls {
			r, err := b.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if seen[r.Value] {
				t.Fatalf("call %d ended twice", r.Value)
			}
			seen[r.Value] = true
			if !errors.Is(r.Err, ami.ErrDisconnected) || r.Reply != nil {
				t.Errorf("call %d: %v, %v", r.Value, r.Reply, r.Err)
			}
			ends[r.Value] = ami.SentState(r.Err)
			count[ends[r.Value]]++
		}
		if d := time.Since(before); d != 0 {
			t.Errorf("the calls ended after %v", d)
		}
		time.Sleep(2 * time.Second)
		saysTruly(t, ends, &got)
		if count[ami.SentYes] == 0 || count[ami.SentNo] == 0 || count[ami.SentMaybe] > 2 {
			t.Errorf("ends by sent: %v", count)
		}
		l := n.Stats().Ledger
		if !l.Exact() || l.DisconnectedUnsent != uint64(count[ami.SentNo]) || l.DisconnectedMaybe != uint64(calls-count[ami.SentNo]) {
			t.Errorf("ledger %+v for %v", l, count)
		}
		if _, ok := b.Poll(); ok || b.Outstanding() != 0 {
			t.Error("more ends than calls")
		}
	})
}

// Nothing that was accepted on one session is written on the next.
func TestNodeWritesNothingOldOnANewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.net.SetBuffer(4000)
		var session atomic.Int64
		var stray atomic.Int64
		f.script("pbx", func(c net.Conn) {
			r, ok := greetAndAccept(c)
			if !ok {
				return
			}
			if session.Add(1) == 1 {
				time.Sleep(time.Second) // reads nothing
				return
			}
			for {
				if p, err := readPacket(r); err != nil {
					return
				} else if p["Old"] != "" {
					stray.Add(1)
				}
			}
		})
		n := f.add("pbx")
		f.ready(time.Second)
		b := &ami.Batch[uint64]{}
		for i := range 500 {
			if err := b.Submit(t.Context(), n, ami.NewAction("Ping", "Old", "yes"), uint64(i)); err != nil {
				t.Fatal(err)
			}
			if i == 250 {
				synctest.Wait() // the writer is stuck; what comes now waits in the buffer
			}
		}
		time.Sleep(time.Minute)
		if session.Load() < 2 {
			t.Fatal("no second session: the test proves nothing")
		}
		if stray.Load() != 0 {
			t.Errorf("%d actions of the first session arrived on a later one", stray.Load())
		}
	})
}

// A nowhere is a connection that does not know its remote address.
type nowhere struct{ net.Conn }

func (nowhere) RemoteAddr() net.Addr { return nil }

func TestConnectionWithoutAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, cfg := simulate(t)
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := n.DialContext(ctx, network, addr)
			return nowhere{c}, err
		}
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		node, err := cluster.Add(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := node.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// A Dial that ends its goroutine costs a dial, and not the node.
func TestDialThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, cfg := simulate(t)
		first := true
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if first {
				first = false
				runtime.Goexit()
			}
			return n.DialContext(ctx, network, addr)
		}
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		node, err := cluster.Add(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		if err := node.WaitReady(ctx); err != nil {
			t.Errorf("a day later: %v; %+v", err, node.Stats().State)
		}
	})
}
