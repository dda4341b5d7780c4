package ami_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

func TestTryDoBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, cfg := stalledPeer(t)
		cfg.Limits.Pending, cfg.Keepalive.Interval = 2, -1
		c := mustDial(t, cfg)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, err := c.Do(t.Context(), marked("x", 0)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		_, err := c.TryDo(t.Context(), marked("refused", 0))
		oe := wantOp(t, err, "do", ami.ErrBusy)
		if oe.Sent != ami.SentNo || !ami.Retryable(err, "Originate") {
			t.Errorf("a refused action: %+v; it was not sent and may be retried", oe)
		}
		close(s.resume)
		wg.Wait()
		synctest.Wait()
		if _, err := c.TryDo(t.Context(), marked("again", 0)); err != nil {
			t.Errorf("with room: %v", err)
		}
		if slices.Contains(s.marks(), "refused") {
			t.Error("the refused action was written")
		}
		exact(t, c.Stats())
		if l := c.Stats().Ledger; l.Rejected != 1 || l.Submitted != 4 {
			t.Errorf("ledger %+v, want 4 submitted, 1 rejected", l)
		}
	})
}

// stuckWriteBuffer is the cap of a stuckNetwork's write buffer.
const stuckWriteBuffer = 256 << 10

// stuckNetwork returns a session whose network takes 4 KiB and no more, and a batch.
func stuckNetwork(t *testing.T) (*ami.Conn, *ami.Batch[uint64]) {
	t.Helper()
	_, n, cfg := stalledPeer(t)
	n.SetBuffer(4096)
	cfg.Limits.WriteBuffer, cfg.Keepalive.Interval = stuckWriteBuffer, -1
	return mustDial(t, cfg), &ami.Batch[uint64]{}
}

// The write buffer is bounded in bytes, whatever its place: bytes that wait for a stuck network count.
func TestTryDoBusyByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := stuckNetwork(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		n1 := 0
		for ; ; n1++ {
			a := marked("x", 1000)
			a.Timeout = time.Hour
			if err := b.Submit(ctx, c, a, 0); err != nil {
				wantOp(t, err, "do", ami.ErrCancelled)
				break
			}
		}
		if held := n1 * 1000; held > stuckWriteBuffer+16<<10 || held < stuckWriteBuffer/2 {
			t.Errorf("%d bytes are held for a network that takes nothing, the cap is %d", held, stuckWriteBuffer)
		}
		if _, err := c.TryDo(t.Context(), marked("y", 1000)); !errors.Is(err, ami.ErrBusy) {
			t.Errorf("TryDo: %v, want busy", err)
		}
	})
}

func TestDoGivesUpWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, cfg := stalledPeer(t)
		cfg.Limits.Pending, cfg.Keepalive.Interval = 1, -1
		c := mustDial(t, cfg)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Do(t.Context(), ami.Action{Name: "Ping", Timeout: time.Hour}) })
		synctest.Wait()

		start := time.Now()
		_, err := c.Do(t.Context(), ami.Action{Name: "Ping", Timeout: 3 * time.Second})
		oe := wantOp(t, err, "do", ami.ErrTimeout)
		if d := time.Since(start); d != 3*time.Second || oe.Sent != ami.SentNo || !errors.Is(err, ami.ErrBusy) {
			t.Errorf("after %v: %v (sent %v); want 3s, busy, not sent", d, err, oe.Sent)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = c.Do(ctx, ami.Action{Name: "Ping"})
		if oe := wantOp(t, err, "do", ami.ErrCancelled); oe.Sent != ami.SentNo {
			t.Errorf("sent %v", oe.Sent)
		}
		// One that gave up must not have taken the turn of the next.
		close(s.resume)
		wg.Wait()
		if _, err := c.Do(t.Context(), ami.Action{Name: "Ping"}); err != nil {
			t.Error(err)
		}
		exact(t, c.Stats())
	})
}

func TestZombiesCountAgainstTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, cfg := stalledPeer(t)
		cfg.Limits.Pending, cfg.Keepalive.Interval = 2, -1
		c := mustDial(t, cfg)
		for range 2 {
			a := marked("late", 0)
			a.Timeout = time.Second
			if _, err := c.Do(t.Context(), a); ami.SentState(err) != ami.SentYes || !errors.Is(err, ami.ErrTimeout) {
				t.Errorf("%v", err)
			}
		}
		st := c.Stats()
		if st.Pending != 3 || st.Ledger.InFlight != 0 { // and the answer to a Ping behind them
			t.Errorf("pending %d, in flight %d; two answers are still owed, nobody waits", st.Pending, st.Ledger.InFlight)
		}
		if _, err := c.TryDo(t.Context(), marked("x", 0)); !errors.Is(err, ami.ErrBusy) {
			t.Errorf("with two answers outstanding: %v", err)
		}
		close(s.resume)
		synctest.Wait()
		if _, err := c.TryDo(t.Context(), marked("y", 0)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if st := c.Stats(); st.Late != 2 || st.Pending != 0 {
			t.Errorf("late %d, pending %d, want 2 and 0", st.Late, st.Pending)
		}
		exact(t, c.Stats())
	})
}

func TestDoWaitsForRoomInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			for {
				a, ok := p.action()
				if !ok {
					return
				}
				mu.Lock()
				order = append(order, a["Mark"])
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
				p.send("Response: Success\nActionID: %s\n\n", a["ActionID"])
			}
		})
		cfg.Limits.Pending = 2
		c := mustDial(t, cfg)
		var wg sync.WaitGroup
		var want []string
		for i := range 100 {
			want = append(want, strconv.Itoa(i))
			wg.Go(func() {
				if _, err := c.Do(t.Context(), marked(strconv.Itoa(i), 0)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("the order at the server (-want +got):\n%s", diff)
		}
	})
}

// A slot is free when Do returns: who sends one action at a time needs room for one.
func TestRoomIsFreeWhenDoReturns(t *testing.T) {
	_, _, cfg := simulate(t)
	cfg.Limits.Pending = 1
	c := mustDial(t, cfg)
	for i := range 3000 {
		if _, err := c.TryDo(t.Context(), ami.NewAction("Ping")); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}

// What the writer holds and the network has not taken counts against the write buffer's cap too.
func TestWriteBufferCapHoldsWhatTheWriterTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan struct{})
		n, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			for {
				select {
				case <-read:
				case <-t.Context().Done():
					return
				}
				if _, ok := p.action(); !ok {
					return
				}
			}
		})
		n.SetBuffer(4096)
		cfg.Limits.WriteBuffer, cfg.Keepalive.Interval = stuckWriteBuffer, -1
		c := mustDial(t, cfg)
		b := &ami.Batch[uint64]{}
		fill := func() (taken int) {
			for {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				a := marked("x", 1000)
				a.Timeout = time.Hour
				err := b.Submit(ctx, c, a, 0)
				cancel()
				if err != nil {
					return taken
				}
				taken += 1000
			}
		}
		held := fill()
		for i := 0; i < 1000 && c.Stats().Write > stuckWriteBuffer/4; i++ { // until the writer has taken the rest
			read <- struct{}{}
			held -= 1000
			synctest.Wait()
		}
		held += fill()
		if held > stuckWriteBuffer+32<<10 {
			t.Errorf("%d bytes are held for a network that takes nothing, the cap is %d", held, stuckWriteBuffer)
		}
		if st := c.Stats(); st.Write < held-32<<10 {
			t.Errorf("the statistics show %d bytes of %d", st.Write, held)
		}
	})
}

// A small action that would fit does not overtake a large one that waits for room.
func TestSmallActionDoesNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := stuckNetwork(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel) // a deadline would be the actions' too
		for i := 0; ; i++ {
			a := marked("x", 1000)
			a.Timeout = time.Hour
			switch i {
			case 10:
				synctest.Wait() // the writer is stuck now, and takes no more
			case 100:
				a.Timeout = 10 * time.Second // leaves a hole that a small action fits into
			}
			if err := b.Submit(ctx, c, a, 0); err != nil {
				break
			}
		}
		time.Sleep(11 * time.Second)
		large := marked("y", 3000)
		large.Timeout = time.Hour
		var wg sync.WaitGroup
		defer wg.Wait()
		waiting, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		wg.Go(func() { _, _ = c.Do(waiting, large) })
		synctest.Wait()
		try, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := c.TryDo(try, ami.Action{Name: "Ping"}); !errors.Is(err, ami.ErrBusy) {
			t.Errorf("a newcomer: %v, want busy", err)
		}
		giveUp()
		synctest.Wait()
		if _, err := c.TryDo(try, ami.Action{Name: "Ping"}); errors.Is(err, ami.ErrBusy) {
			t.Error("with nobody in line the small action does not fit either: the test proves nothing")
		}
	})
}
