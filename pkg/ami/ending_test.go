package ami_test

import (
	"context"
	"errors"
	"math/rand/v2"
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

// answerAll answers each line that holds an ActionID with a Success.
func answerAll(p *peer) {
	answer := []byte("Response: Success\r\nActionID: ")
	if !p.greet() {
		return
	}
	for {
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
}

// Close against Do, many times: each accepted action ends once, nothing hangs, nothing is left.
func TestCloseAgainstDo(t *testing.T) {
	rounds := 10_000
	if testing.Short() && !raceEnabled {
		rounds = 500
	}
	n := amitest.NewNetwork()
	l, err := n.Listen("fake:5038")
	if err != nil {
		t.Fatal(err)
	}
	serveScript(t, l, answerAll)
	cfg := ami.Config{Addr: "fake:5038", Username: "x", Secret: ami.StaticSecret("x"), Dial: n.DialContext, Auth: ami.AuthPlain, Limits: ami.Limits{Pending: 8}}
	var ended atomic.Int64
	for round := range rounds {
		closeAgainstDo(t, cfg, round, &ended)
	}
	if ended.Load() == 0 {
		t.Error("no Do ever succeeded: the race was not tried")
	}
	t.Logf("FIGURES %d rounds of Close against Do, race detector: %t", rounds, raceEnabled)
}

// closeAgainstDo closes a connection while one caller submits and two wait for their answers, which it counts.
func closeAgainstDo(t *testing.T, cfg ami.Config, round int, ended *atomic.Int64) {
	t.Helper()
	c, err := ami.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &ami.Batch[uint64]{}
	var wg sync.WaitGroup
	var accepted atomic.Int64
	for i := range 3 {
		wg.Go(func() {
			for {
				if i == 0 {
					if b.Submit(t.Context(), c, ami.Action{Name: "Ping"}, 0) != nil {
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

// A chaosBatch is one that many callers submit to, and how often each tag is to end.
type chaosBatch struct {
	ami.Batch[uint64]
	mu       sync.Mutex // guards what follows
	tags     map[uint64]int
	accepted int
}

func (b *chaosBatch) accept(tag uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tags[tag]++
	b.accepted++
}

// chaosCaller sends actions in every way, waits for some time or not, and gives some up.
func chaosCaller(t *testing.T, c *ami.Conn, rng *rand.Rand, who int, b *chaosBatch, count *tally) {
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
			if err := b.Submit(ctx, c, a, tag); err != nil {
				count.count(t, nil, err)
			} else {
				b.accept(tag)
			}
		}
		cancel()
		if rng.IntN(8) == 0 {
			time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
		}
	}
}

func chaos(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	n, cfg := scripted(t, func(p *peer) { chaosServer(p, rand.New(rand.NewPCG(seed, 3))) })
	n.SetBuffer(1 << (10 + rng.IntN(8)))
	cfg.Limits.Pending, cfg.Limits.WriteBuffer = 1+rng.IntN(64), 160<<10
	c := mustDial(t, cfg)
	var count tally
	var wg sync.WaitGroup
	b := &chaosBatch{tags: make(map[uint64]int)}
	for who := range 12 {
		seed := rng.Uint64()
		wg.Go(func() { chaosCaller(t, c, rand.New(rand.NewPCG(seed, 4)), who, b, &count) })
	}
	if rng.IntN(2) == 0 {
		at := time.Duration(rng.IntN(20)) * time.Second
		wg.Go(func() { time.Sleep(at); n.Reset("fake") })
	}
	wg.Wait()
	for range b.accepted {
		r, err := b.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b.tags[r.Value]--; b.tags[r.Value] < 0 {
			t.Errorf("seed %d: tag %d ended twice", seed, r.Value)
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
