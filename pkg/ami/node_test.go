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

// A fleet is a cluster of the engine's and, on one in-memory network, the servers that it talks to.
type fleet struct {
	*ami.Cluster
	t       testing.TB
	net     *amitest.Network
	servers map[string]*amitest.Server
	closers []func()
}

func newFleet(t testing.TB, cfg ami.ClusterConfig) *fleet {
	t.Helper()
	return &fleet{Cluster: ami.NewCluster(cfg), t: t, net: amitest.NewNetwork(), servers: make(map[string]*amitest.Server)}
}

// close ends everything: the engine first, so that nothing dials what is gone.
func (f *fleet) close() {
	_ = f.Cluster.Close()
	for _, s := range f.servers {
		s.Close()
	}
	for _, c := range f.closers {
		c()
	}
}

// serve starts, or starts again, a server of that name.
func (f *fleet) serve(name string, opts ...amitest.Option) *amitest.Server {
	if old := f.servers[name]; old != nil {
		old.Close()
	}
	s := amitest.NewServer(append([]amitest.Option{amitest.WithNetwork(f.net), amitest.WithName(name)}, opts...)...)
	f.servers[name] = s
	return s
}

// script starts a server that treats every connection as handle does, and counts the connections.
func (f *fleet) script(name string, handle func(net.Conn)) *atomic.Int64 {
	l, err := f.net.Listen(name + ":5038")
	if err != nil {
		f.t.Fatal(err)
	}
	count := new(atomic.Int64)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			all.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	f.closers = append(f.closers, func() { _ = l.Close(); all.Wait() })
	return count
}

func (f *fleet) config(name string) ami.Config {
	return ami.Config{
		Name: name, Addr: name + ":5038", Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
		Events: "on", Dial: f.net.DialContext,
	}
}

// add adds a node for the server of that name.
func (f *fleet) add(name string, change ...func(*ami.Config)) *ami.Node {
	f.t.Helper()
	cfg := f.config(name)
	for _, c := range change {
		c(&cfg)
	}
	n, err := f.Add(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// ready waits up to that long for all nodes.
func (f *fleet) ready(within time.Duration) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for _, n := range f.Nodes() {
		if err := n.WaitReady(ctx); err != nil {
			f.t.Fatalf("%s is not ready within %v: %v", n.Name(), within, err)
		}
	}
}

// greetAndAccept plays a server until its login is answered, by plain Login or by challenge.
func greetAndAccept(c net.Conn) (*bufio.Reader, bool) {
	fmt.Fprint(c, "Asterisk Call Manager/11.0.0\r\n")
	r := bufio.NewReader(c)
	for {
		p, err := readPacket(r)
		if err != nil {
			return r, false
		}
		if strings.EqualFold(p["Action"], "Challenge") {
			fmt.Fprintf(c, "Response: Success\r\nActionID: %s\r\nChallenge: 123456789\r\n\r\n", p["ActionID"])
			continue
		}
		fmt.Fprintf(c, "Response: Success\r\nActionID: %s\r\nMessage: Authentication accepted\r\n\r\n", p["ActionID"])
		return r, true
	}
}

// readPacket reads one action as a server sees it.
func readPacket(r *bufio.Reader) (map[string]string, error) {
	p := make(map[string]string)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return p, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return p, nil
		}
		name, value, _ := strings.Cut(line, ": ")
		p[name] = value
	}
}

func ping(n *ami.Node) error {
	_, err := n.Do(context.Background(), ami.NewAction("Ping"))
	return err
}

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
		a := f.add("a", func(c *ami.Config) { c.Dial = hang; c.DialTimeout = 30 * time.Second })
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
		if s.LoginFails != l.LoginsRefused || s.BreakerOps != 0 || s.Breaker != "closed" {
			t.Errorf("%d login failures, breaker %s opened %d times, want %d and none", s.LoginFails, s.Breaker, s.BreakerOps, l.LoginsRefused)
		}
		srv.SetUser(amitest.User{Name: amitest.DefaultUser, Secret: "wrong", Read: amitest.ClassAll, Write: amitest.ClassAll})
		f.ready(10*time.Minute + 2*time.Second)
	})
}

func TestNodeDoesNotCallADroppingServerInALoop(t *testing.T) {
	for _, tt := range []struct {
		name   string
		handle func(net.Conn)
	}{
		{"accepts and drops", func(net.Conn) {}},
		{"greets and drops", func(c net.Conn) { fmt.Fprint(c, "Asterisk Call Manager/11.0.0\r\n") }},
		{"logs in and drops", func(c net.Conn) { greetAndAccept(c) }},
		{"logs in, announces its end and drops", func(c net.Conn) {
			greetAndAccept(c)
			fmt.Fprint(c, "Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: True\r\n\r\n")
		}},
		{"logs in and drops after a while", func(c net.Conn) { greetAndAccept(c); time.Sleep(5 * time.Second) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, ami.ClusterConfig{})
				defer f.close()
				calls := f.script("pbx", tt.handle)
				n := f.add("pbx")
				time.Sleep(10 * time.Minute)
				// Five quick ones, then one for each 15 to 30 s of an open breaker.
				if got := calls.Load(); got < 20 || got > 5+40+1 {
					t.Errorf("called %d times in ten minutes", got)
				}
				if s := n.Stats(); s.BreakerOps != 1 || s.Dials != uint64(calls.Load()) {
					t.Errorf("breaker opened %d times, %d dials of %d", s.BreakerOps, s.Dials, calls.Load())
				}
			})
		})
	}
}

func TestNodePlannedShutdownIsNoPenalty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		srv := f.serve("pbx")
		n := f.add("pbx", func(c *ami.Config) { c.BreakerFailures = 1 })
		f.ready(time.Second)
		time.Sleep(time.Second) // not yet stable: without the announcement this would open the breaker
		srv.Shutdown(true)
		synctest.Wait()
		f.net.Reset("pbx")
		f.serve("pbx")
		synctest.Wait()
		if s := n.Stats(); s.Failures != 0 || s.BreakerOps != 0 {
			t.Errorf("%d failures, breaker opened %d times", s.Failures, s.BreakerOps)
		}
		f.ready(ami.DefaultBackoffMin)
	})
}

// The outcome of every probe of an open breaker is recorded, however it ends, and another follows.
func TestNodeBreakerProbeIsAlwaysRecorded(t *testing.T) {
	silent := func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); time.Sleep(time.Hour) }
	for _, tt := range []struct {
		name  string
		setup func(f *fleet, c *ami.Config)
	}{
		{"refused", func(f *fleet, _ *ami.Config) { f.serve("pbx").Close() }},
		{"connect hangs", func(f *fleet, _ *ami.Config) { f.serve("pbx"); f.net.Partition("pbx") }},
		{"half-open peer", func(f *fleet, _ *ami.Config) { f.script("pbx", silent) }},
		{"greets, never answers the login", func(f *fleet, _ *ami.Config) {
			f.script("pbx", func(c net.Conn) { fmt.Fprint(c, "Asterisk Call Manager/11.0.0\r\n"); silent(c) })
		}},
		{"dial ignores its context", func(f *fleet, cfg *ami.Config) {
			cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
				time.Sleep(time.Minute)
				return nil, errors.New("late")
			}
		}},
		{"OnReady fails", func(f *fleet, cfg *ami.Config) {
			f.serve("pbx")
			cfg.OnReady = func(context.Context, *ami.Conn) error { return errors.New("no state") }
		}},
		{"OnReady panics", func(f *fleet, cfg *ami.Config) {
			f.serve("pbx")
			cfg.OnReady = func(context.Context, *ami.Conn) error { panic("no state") }
		}},
		{"no secret", func(f *fleet, cfg *ami.Config) {
			f.serve("pbx")
			cfg.Secret = func(context.Context) (ami.Secret, error) { return ami.Secret{}, errors.New("the vault is shut") }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, ami.ClusterConfig{})
				defer f.close()
				n := f.add("pbx", func(c *ami.Config) { tt.setup(f, c) })
				time.Sleep(10 * time.Minute)
				first := n.Stats()
				if first.BreakerOps != 1 {
					t.Fatalf("breaker opened %d times", first.BreakerOps)
				}
				time.Sleep(10 * time.Minute)
				later := n.Stats()
				more := later.Dials - first.Dials
				if more < 5 || more > 41 {
					t.Errorf("%d probes in ten minutes", more)
				}
				if got := uint64(later.Failures - first.Failures); got+1 < more || got > more+1 {
					t.Errorf("%d probes, %d failures recorded", more, got)
				}
				for later.State != ami.StateBreakerOpen {
					time.Sleep(time.Second)
					later = n.Stats()
				}
				if later.Cause == "" || later.Breaker != "open" {
					t.Errorf("breaker %q, cause %q", later.Breaker, later.Cause)
				}
				if err := ping(n); !errors.Is(err, ami.ErrBreakerOpen) {
					t.Errorf("a call behind an open breaker: %v", err)
				}
			})
		})
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
			r, ok := greetAndAccept(c)
			if !ok {
				return
			}
			<-drop
			c.(interface{ CloseWrite() error }).CloseWrite()
			time.Sleep(time.Second) // by then the engine has closed its end
			for {
				p, err := readPacket(r)
				if tag := p["Tag"]; tag != "" {
					got.Store(tag, err == nil)
				}
				if err != nil {
					return
				}
			}
		})
		n := f.add("pbx")
		f.ready(time.Second)
		b := ami.NewBatch(ami.BatchOptions{})
		const calls = 1000
		for i := range calls {
			a := ami.NewAction("UserEvent", "Tag", fmt.Sprint("t", i), "Body", strings.Repeat("x", 60), "Z", "z")
			if err := n.Submit(t.Context(), a, b, uint64(i)); err != nil {
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
			if seen[r.Tag] {
				t.Fatalf("call %d ended twice", r.Tag)
			}
			seen[r.Tag] = true
			if !errors.Is(r.Err, ami.ErrDisconnected) || r.Reply != nil {
				t.Errorf("call %d: %v, %v", r.Tag, r.Reply, r.Err)
			}
			ends[r.Tag] = ami.SentState(r.Err)
			count[ends[r.Tag]]++
		}
		if d := time.Since(before); d != 0 {
			t.Errorf("the calls ended after %v", d)
		}
		time.Sleep(2 * time.Second)
		for tag, sent := range ends {
			whole, some := got.Load(fmt.Sprint("t", tag))
			switch {
			case sent == ami.SentYes && (!some || !whole.(bool)), sent == ami.SentNo && some:
				t.Errorf("call %d says sent %v; the server has some of it: %v", tag, sent, some)
			}
		}
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
		b := ami.NewBatch(ami.BatchOptions{})
		for i := range 500 {
			if err := n.Submit(t.Context(), ami.NewAction("Ping", "Old", "yes"), b, uint64(i)); err != nil {
				t.Fatal(err)
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

// A caller who waits for a node gets the reason at once when waiting is futile.
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
		if _, err := down.Do(t.Context(), wait); !errors.Is(err, ami.ErrBreakerOpen) || time.Since(start) > 10*time.Second {
			t.Errorf("behind a breaker that opens, after %v: %v", time.Since(start), err)
		}
		if s := f.Stats(); !s.Ledger.Exact() || s.Ledger.Rejected != 2 {
			t.Errorf("ledger %+v", s.Ledger)
		}
	})
}

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

func TestNodeBreakerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("pbx").Close()
		n := f.add("pbx")
		time.Sleep(time.Minute)
		if s := n.Stats(); s.Breaker == "closed" {
			t.Fatal("breaker closed: the test proves nothing")
		}
		f.serve("pbx")
		f.ready(ami.DefaultBreakerOpen + time.Second)
		if s := n.Stats(); s.Breaker == "open" {
			t.Errorf("breaker open on a ready node")
		}
		time.Sleep(ami.DefaultStableAfter + time.Second)
		if s := n.Stats(); s.Breaker != "closed" || s.Failures != 0 {
			t.Errorf("breaker %s with %d failures on a session that stayed up", s.Breaker, s.Failures)
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
