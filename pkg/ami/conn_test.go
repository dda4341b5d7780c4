package ami_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// TestMain fails the run if a test left a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

// A peer is the server's end of one connection of a scripted server.
type peer struct {
	net.Conn
	r *bufio.Reader
}

// action reads one action; ok is false when the connection is over.
func (p *peer) action() (headers map[string]string, ok bool) {
	headers = make(map[string]string)
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return headers, false
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return headers, true
		}
		name, value, _ := strings.Cut(line, ": ")
		headers[name] = value
	}
}

// send writes text with each LF sent as CR LF; an error ends the script's next read too.
func (p *peer) send(format string, args ...any) {
	_, _ = p.Write([]byte(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\r\n")))
}

// greet sends the banner and accepts whatever login comes.
func (p *peer) greet() (ok bool) {
	p.send("Asterisk Call Manager/11.0.0\n")
	for {
		a, ok := p.action()
		if !ok {
			return false
		}
		switch a["Action"] {
		case "Challenge":
			p.send("Response: Success\nActionID: %s\nChallenge: 123456789\n\n", a["ActionID"])
		case "Login":
			p.send("Response: Success\nActionID: %s\nMessage: Authentication accepted\n\n", a["ActionID"])
			return true
		default:
			return false
		}
	}
}

// drain reads until the connection is over.
func (p *peer) drain() {
	for {
		if _, ok := p.action(); !ok {
			return
		}
	}
}

// scripted starts a server that runs script on each connection and closes it when script returns.
func scripted(t *testing.T, script func(*peer)) (*amitest.Network, ami.Config) {
	t.Helper()
	n := amitest.NewNetwork()
	l, err := n.Listen("fake:5038")
	if err != nil {
		t.Fatal(err)
	}
	serveScript(t, l, script)
	return n, ami.Config{Addr: "fake:5038", Username: "admin", Secret: ami.StaticSecret("secret"), Dial: n.DialContext}
}

// serveScript runs script on every connection of l, until the test ends.
func serveScript(t *testing.T, l net.Listener, script func(*peer)) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				script(&peer{Conn: conn, r: bufio.NewReaderSize(conn, 64<<10)})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

// exact fails the test unless the ledger balances with nothing in flight.
func exact(t *testing.T, s ami.NodeStats) {
	t.Helper()
	if l := s.Ledger; !l.Exact() || l.InFlight != 0 {
		t.Errorf("the ledger does not balance at rest: %+v", l)
	}
}

// wantOp fails the test unless err is an *OpError of that operation and cause.
func wantOp(t *testing.T, err error, op string, cause error) *ami.OpError {
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

// A blocking action that keeps a serial server busy for a minute must not kill its session: the Ping behind it waits.
func TestBlockingActionOutlivesTheKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.Handle("Originate", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Sleep(time.Minute)
			w.Ack("Originate successfully queued")
		})
		c := mustDial(t, cfg)
		start := time.Now()
		_, err := c.Do(t.Context(), ami.Action{Name: "Originate", Timeout: 90 * time.Second})
		if d := time.Since(start); err != nil || d != time.Minute {
			t.Errorf("after %v: %v", d, err)
		}
		time.Sleep(5 * time.Minute)
		if err := c.Err(); err != nil {
			t.Errorf("the session died: %v", err)
		}
		if st := c.Stats(); st.PingsMissed != 0 || st.Pings == 0 {
			t.Errorf("%d Pings missed, %d answered", st.PingsMissed, st.Pings)
		}
	})
}

func TestDeadPeerIsFound(t *testing.T) {
	for _, busy := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n, s, cfg := simulate(t)
			cfg.Keepalive, cfg.PingTimeout, cfg.KeepaliveMisses = 15*time.Second, 10*time.Second, 3
			c := mustDial(t, cfg)
			time.Sleep(time.Hour) // a quiet and healthy one
			if c.Err() != nil {
				t.Fatalf("a healthy session died: %v", c.Err())
			}
			n.Partition(s.Name())
			start := time.Now()
			var err error
			if busy {
				_, err = c.Do(t.Context(), ami.Action{Name: "Ping", Timeout: 5 * time.Second})
				if oe := wantOp(t, err, "do", ami.ErrTimeout); oe.Sent != ami.SentYes {
					t.Errorf("sent %v", oe.Sent)
				}
			}
			mustDie(t, c)
			d, bound := time.Since(start), cfg.Keepalive+3*cfg.PingTimeout+time.Second
			if d > bound || d < 3*cfg.PingTimeout {
				t.Errorf("a dead peer was found after %v, want within %v", d, bound)
			}
			if !errors.Is(c.Err(), ami.ErrKeepalive) {
				t.Errorf("died of %v", c.Err())
			}
			exact(t, c.Stats())
			n.Heal(s.Name())
		})
	}
}

// A Ping is sent only into silence.
func TestKeepaliveIsQuietWhileEventsFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		cfg.Events = "on"
		c := mustDial(t, cfg)
		for range 100 {
			s.EmitEvent("Tick", "N", "1")
			time.Sleep(10 * time.Second)
		}
		if st := c.Stats(); st.Pings+st.PingsMissed != 0 || st.Internal != 2 && st.Internal != 1 {
			t.Errorf("%d Pings though something was heard every 10 s (%d internal actions)", st.Pings, st.Internal)
		}
		cfg.Keepalive = -1
		c = mustDial(t, cfg)
		time.Sleep(time.Hour)
		if st := c.Stats(); st.Pings != 0 {
			t.Errorf("%d Pings with keepalive switched off", st.Pings)
		}
	})
}

// A missed Ping is forgiven when the server speaks again.
func TestMissedPingIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s, cfg := simulate(t)
		c := mustDial(t, cfg)
		for range 5 {
			n.Partition(s.Name())
			time.Sleep(29 * time.Second) // one or two Pings of 10 s each go unanswered
			n.Heal(s.Name())
			time.Sleep(2 * time.Minute)
		}
		synctest.Wait() // a Ping may be under way at this very instant
		if c.Err() != nil {
			t.Errorf("died of %v", c.Err())
		}
		if st := c.Stats(); st.PingsMissed == 0 || st.Pending != 0 {
			t.Errorf("%d missed, %d slots taken at rest", st.PingsMissed, st.Pending)
		}
	})
}

// Pings have room of their own when the pending table is full.
func TestKeepaliveWithAFullTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s, cfg := simulate(t)
		cfg.Pending = 1
		s.Handle("Hold", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Hour); w.Ack("") })
		c := mustDial(t, cfg)
		_, err := c.Do(t.Context(), ami.Action{Name: "Hold", Timeout: time.Second})
		wantOp(t, err, "do", ami.ErrTimeout)
		n.Partition(s.Name())
		start := time.Now()
		mustDie(t, c)
		if d := time.Since(start); d > time.Minute {
			t.Errorf("with a full table a dead peer was found after %v", d)
		}
		n.Heal(s.Name())
	})
}

func TestConnDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(5 * time.Second); w.Ack("done") })
		var logoff atomic.Int64
		s.Handle("Logoff", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			logoff.Add(1)
			w.Reply("Goodbye", amitest.Header{Name: "Message", Value: "Thanks for all the fish."})
			w.Close()
		})
		c := mustDial(t, cfg)
		ends := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := c.Do(t.Context(), ami.NewAction("Slow"))
				ends <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- c.Drain(t.Context()) }()
		synctest.Wait()
		_, err := c.Do(t.Context(), ami.NewAction("Ping"))
		if oe := wantOp(t, err, "do", ami.ErrDraining); oe.Sent != ami.SentNo {
			t.Errorf("sent %v", oe.Sent)
		}
		if err := <-drained; err != nil || time.Since(start) != 15*time.Second {
			t.Errorf("Drain: %v after %v, want 15s", err, time.Since(start))
		}
		for range 3 {
			if err := <-ends; err != nil {
				t.Errorf("a call in flight: %v", err)
			}
		}
		if logoff.Load() != 1 {
			t.Errorf("%d Logoffs", logoff.Load())
		}
		exact(t, c.Stats())
	})
}

func TestConnDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if p.greet() {
				p.drain()
			}
		})
		c := mustDial(t, cfg)
		end := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), ami.Action{Name: "Ping", Timeout: time.Hour})
			end <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := c.Drain(ctx)
		wantOp(t, err, "drain", context.DeadlineExceeded)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("Drain took %v", d)
		}
		if oe := wantOp(t, <-end, "do", ami.ErrDisconnected); oe.Sent != ami.SentYes {
			t.Errorf("sent %v", oe.Sent)
		}
	})
}

func TestConnClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, cfg := scripted(t, func(p *peer) {
			if p.greet() {
				p.drain()
			}
		})
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		end := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), ami.NewAction("Ping"))
			end <- err
		}()
		synctest.Wait()
		for range 3 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		wantOp(t, <-end, "do", ami.ErrClosed)
		select {
		case <-c.Done():
		default:
			t.Error("Done is open after Close")
		}
		if !errors.Is(c.Err(), ami.ErrClosed) {
			t.Errorf("Err = %v", c.Err())
		}
		_, err = c.Do(t.Context(), ami.NewAction("Ping"))
		if oe := wantOp(t, err, "do", ami.ErrClosed); oe.Sent != ami.SentNo || ami.Retryable(err, "Ping") {
			t.Errorf("%+v", oe)
		}
		synctest.Wait()
		if got := n.Conns("fake"); got != 0 {
			t.Errorf("%d connections are left", got)
		}
		exact(t, c.Stats())
	})
}

// Close against Do, many times: each accepted action ends once, nothing hangs, nothing is left.
func TestCloseAgainstDo(t *testing.T) {
	rounds := 10_000
	if testing.Short() {
		rounds = 500
	}
	n := amitest.NewNetwork()
	l, err := n.Listen("fake:5038")
	if err != nil {
		t.Fatal(err)
	}
	answer := []byte("Response: Success\r\nActionID: ")
	serveScript(t, l, func(p *peer) {
		if !p.greet() {
			return
		}
		for { // an answer for each line that holds an ActionID
			line, err := p.r.ReadSlice('\n')
			if err != nil {
				return
			}
			if id, ok := strings.CutPrefix(string(line), "ActionID: "); ok {
				if _, err := p.Write(append(append(answer[:len(answer):len(answer)], id...), '\r', '\n')); err != nil {
					return
				}
			}
		}
	})
	cfg := ami.Config{Addr: "fake:5038", Username: "x", Secret: ami.StaticSecret("x"), Dial: n.DialContext, Auth: ami.AuthPlain, Pending: 8}
	var ended atomic.Int64
	for round := range rounds {
		c, err := ami.Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		b := ami.NewBatch(ami.BatchOptions{})
		var wg sync.WaitGroup
		var accepted atomic.Int64
		for i := range 3 {
			wg.Go(func() {
				for {
					if i == 0 {
						if c.Submit(t.Context(), ami.Action{Name: "Ping"}, b, 0) != nil {
							return
						}
						accepted.Add(1)
						continue
					}
					if _, err := c.Do(t.Context(), ami.Action{Name: "Ping"}); err != nil {
						if !errors.Is(err, ami.ErrClosed) {
							t.Errorf("round %d: %v", round, err)
						}
						return
					}
					ended.Add(1)
				}
			})
		}
		for range round % 7 {
			runtime.Gosched()
		}
		_ = c.Close()
		wg.Wait()
		for range accepted.Load() {
			if _, ok := b.Poll(); !ok {
				t.Fatalf("round %d: of %d submitted actions some never ended", round, accepted.Load())
			}
		}
		if r, ok := b.Poll(); ok || b.Outstanding() != 0 {
			t.Fatalf("round %d: one end too many: %+v", round, r)
		}
		if s := c.Stats(); !s.Ledger.Exact() || s.Ledger.InFlight != 0 || s.Pending < 0 {
			t.Fatalf("round %d: %+v", round, s.Ledger)
		}
	}
	if ended.Load() == 0 {
		t.Error("no Do ever succeeded: the race was not tried")
	}
}

// Chaos: callers of every kind against a server that is slow, resets, stalls and lies. Every accepted action ends
// once, and the ledger says which way.
func TestEveryAcceptedActionEndsOnce(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { chaos(t, seed) })
	}
}

// tally is what the callers themselves count.
type tally struct{ refused, ok, refusedByServer, timedOut, cancelled, unsent, maybe atomic.Int64 }

func (y *tally) count(t *testing.T, reply *ami.Reply, err error) {
	var oe *ami.OpError
	var refused *ami.ResponseError
	switch errors.As(err, &oe); {
	case err == nil:
		y.ok.Add(1)
	case oe.ActionID == "":
		y.refused.Add(1)
	case errors.As(err, &refused):
		y.refusedByServer.Add(1)
	case errors.Is(err, ami.ErrTimeout):
		y.timedOut.Add(1)
	case errors.Is(err, ami.ErrCancelled):
		y.cancelled.Add(1)
	case errors.Is(err, ami.ErrDisconnected) && oe.Sent == ami.SentNo:
		y.unsent.Add(1)
	case errors.Is(err, ami.ErrDisconnected):
		y.maybe.Add(1)
	default:
		t.Errorf("an end of no kind: %v (reply %v)", err, reply)
	}
}

func chaos(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	n, cfg := scripted(t, func(p *peer) { chaosServer(p, rand.New(rand.NewPCG(seed, 3))) })
	n.SetBuffer(1 << (10 + rng.IntN(8)))
	cfg.Pending, cfg.WriteBuffer = 1+rng.IntN(64), 160<<10
	c := mustDial(t, cfg)
	var count tally
	var wg sync.WaitGroup
	b := ami.NewBatch(ami.BatchOptions{})
	tags := make(map[uint64]int)
	var mu sync.Mutex
	accepted := 0
	for who := range 12 {
		seed := rng.Uint64()
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 4))
			for i := range 60 {
				a := marked("x", rng.IntN(3000))
				a.Timeout = time.Duration(1+rng.IntN(4000)) * time.Millisecond
				ctx, cancel := context.WithCancel(t.Context())
				if rng.IntN(4) == 0 {
					time.AfterFunc(time.Duration(rng.IntN(3000))*time.Millisecond, cancel)
				}
				switch rng.IntN(3) {
				case 0:
					reply, err := c.Do(ctx, a)
					count.count(t, reply, err)
				case 1:
					reply, err := c.TryDo(ctx, a)
					count.count(t, reply, err)
				default:
					tag := uint64(who*1000 + i)
					if err := c.Submit(ctx, a, b, tag); err != nil {
						count.count(t, nil, err)
					} else {
						mu.Lock()
						tags[tag]++
						accepted++
						mu.Unlock()
					}
				}
				cancel()
				if rng.IntN(8) == 0 {
					time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
				}
			}
		})
	}
	if rng.IntN(2) == 0 {
		at := time.Duration(rng.IntN(20)) * time.Second
		wg.Go(func() { time.Sleep(at); n.Reset("fake") })
	}
	wg.Wait()
	for range accepted {
		r, err := b.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if tags[r.Tag]--; tags[r.Tag] < 0 {
			t.Errorf("seed %d: tag %d ended twice", seed, r.Tag)
		}
		count.count(t, r.Reply, r.Err)
	}
	_ = c.Close()
	if r, ok := b.Poll(); ok {
		t.Errorf("seed %d: an end too many: %+v", seed, r)
	}
	s := c.Stats()
	exact(t, s)
	got := [...]uint64{s.Ledger.Rejected, s.Ledger.Replied, s.Ledger.ErrorReplies, s.Ledger.TimedOut, s.Ledger.Cancelled, s.Ledger.DisconnectedUnsent, s.Ledger.DisconnectedMaybe}
	for i, own := range []*atomic.Int64{&count.refused, &count.ok, &count.refusedByServer, &count.timedOut, &count.cancelled, &count.unsent, &count.maybe} {
		if uint64(own.Load()) != got[i] {
			t.Errorf("seed %d: count %d: the callers saw %d, the ledger has %d (%+v)", seed, i, own.Load(), got[i], s.Ledger)
		}
	}
}

// chaosServer answers in every wrong way now and then.
func chaosServer(p *peer, rng *rand.Rand) {
	if !p.greet() {
		return
	}
	var before string
	for {
		a, ok := p.action()
		if !ok {
			return
		}
		id := a["ActionID"]
		switch rng.IntN(24) {
		case 0:
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		case 1:
			continue // never answered
		case 2:
			p.send("Response: Error\nActionID: %s\nMessage: no\n\n", id)
			continue
		case 3:
			p.send("Response: Success\nActionID: %s\n\n", before) // twice
		case 4:
			p.send("Response: Success\nActionID: %s\nEventList: start\n\nEvent: E\nActionID: %s\n\n", id, id)
			time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
			p.send("Event: EComplete\nActionID: %s\nEventList: Complete\n\n", id)
			continue
		case 5:
			if rng.IntN(40) == 0 {
				return
			}
		case 6:
			p.send("Response: Success\nActionID: %s1\n\n", id)
		}
		p.send("Response: Success\nActionID: %s\n\n", id)
		before = id
	}
}

// A second Drain finds nothing left to do, every time.
func TestDrainTwice(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			_, _, cfg := simulate(t)
			c := mustDial(t, cfg)
			for i := range 2 {
				if err := c.Drain(t.Context()); err != nil {
					t.Fatalf("Drain %d: %v", i, err)
				}
			}
		})
	}
}

// Drain says nil only if everything in flight was answered: not when the session is lost meanwhile.
func TestDrainOfALostSession(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			n, cfg := scripted(t, func(p *peer) {
				if p.greet() {
					p.drain()
				}
			})
			c := mustDial(t, cfg)
			end := make(chan error, 1)
			go func() {
				_, err := c.Do(t.Context(), ami.NewAction("Originate"))
				end <- err
			}()
			synctest.Wait()
			drained := make(chan error, 1)
			go func() { drained <- c.Drain(t.Context()) }()
			synctest.Wait()
			n.Reset("fake")
			wantOp(t, <-end, "do", ami.ErrDisconnected)
			if err := <-drained; err == nil {
				t.Fatal("Drain says that all was answered")
			} else {
				wantOp(t, err, "drain", nil)
			}
		})
	}
}
