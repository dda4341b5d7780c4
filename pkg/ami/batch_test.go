package ami_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		c := mustDial(t, cfg)
		b := &ami.Batch[uint64]{}
		const n = 20_000
		go func() {
			for i := range n {
				name := "Ping"
				if i%10 == 0 {
					name = "NoSuch"
				}
				if err := b.Submit(t.Context(), c, ami.NewAction(name), uint64(i)); err != nil {
					t.Error(err)
				}
			}
		}()
		for i := range n { // a serial server answers in order
			r, err := b.Next(t.Context())
			if err != nil || r.Value != uint64(i) || r.Reply == nil || (r.Err != nil) != (i%10 == 0) {
				t.Fatalf("result %d: %+v %v", i, r, err)
			}
		}
		if b.Outstanding() != 0 {
			t.Errorf("outstanding %d", b.Outstanding())
		}
		if err := b.Submit(t.Context(), c, ami.NewAction("Login"), 1); err == nil || b.Outstanding() != 0 {
			t.Errorf("a refused action: %v, outstanding %d", err, b.Outstanding())
		}
		l := c.Stats().Ledger
		if l.Replied != n-n/10 || l.ErrorReplies != n/10 || l.Rejected != 1 {
			t.Errorf("ledger %+v", l)
		}
		exact(t, c.Stats())
		synctest.Wait() // the server books a reply behind its write
		if sl := s.Ledger(); sl.RepliesSent != sl.ActionsReceived || sl.ActionsReceived < n {
			t.Errorf("the server counted %+v", sl)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next with nothing: %v", err)
		}
	})
}

// Once accepted, a submitted action is bounded by its timeout and the context's deadline, not by a cancel.
func TestSubmitOutlivesItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, cfg := stalledPeer(t)
		cfg.Keepalive.Interval = -1
		c := mustDial(t, cfg)
		b := &ami.Batch[uint64]{}
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		_ = b.Submit(ctx, c, ami.Action{Name: "Ping", Timeout: 20 * time.Second}, 1)
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		_ = b.Submit(ctx, c, ami.Action{Name: "Ping", Timeout: 20 * time.Second}, 2)
		for _, want := range []struct {
			tag   uint64
			after time.Duration
		}{{2, 7 * time.Second}, {1, 20 * time.Second}} {
			r, _ := b.Next(t.Context())
			d := time.Since(start)
			if r.Value != want.tag || !errors.Is(r.Err, ami.ErrTimeout) || d < want.after || d > want.after+100*time.Millisecond {
				t.Errorf("tag %d after %v: %v; want tag %d after %v", r.Value, d, r.Err, want.tag, want.after)
			}
		}
		close(s.resume)
		synctest.Wait()
		if st := c.Stats(); st.Ledger.TimedOut != 2 || st.Late != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// A mixedBatch is a batch of actions whose answers are of every kind, and the first answer to each.
type mixedBatch struct {
	c    *ami.Conn
	b    ami.Batch[uint64]
	want [300]*ami.Reply
}

// submit submits every action, and waits until they have ended.
func (m *mixedBatch) submit(t *testing.T) {
	t.Helper()
	for i := range m.want {
		a := ami.NewAction("Ping")
		switch i % 10 {
		case 3:
			a = ami.NewAction("NoSuch")
		case 6:
			a = ami.NewAction("ListCommands") // its answer has some hundred headers
		}
		if err := m.b.Submit(t.Context(), m.c, a, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
}

// same says what is wrong with the result of the action i: it is not its own, or not the first one any more.
func (m *mixedBatch) same(i int, r *ami.Result[uint64]) error {
	if r.Value != uint64(i) || r.Node != m.c.Name() || r.Item != nil || r.Reply == nil {
		return fmt.Errorf("result %d: %+v", i, r)
	}
	if (r.Err != nil) != (i%10 == 3) || r.Reply.Success() != (i%10 != 3) {
		return fmt.Errorf("result %d: %v, %v", i, r.Reply.Name(), r.Err)
	}
	w := m.want[i]
	if w == nil {
		return nil
	}
	if r.Reply.Text() != w.Text() || r.Reply.Seq != w.Seq || r.Reply.Session != w.Session || r.Reply.Node != w.Node || !r.Reply.Received.Equal(w.Received) || r.Reply.RTT != w.RTT {
		return fmt.Errorf("result %d changed: %q, first %q", i, r.Reply.Text(), w.Text())
	}
	return nil
}

// What NextBorrowed returns is good until the next result is taken, and what Next returns for ever, whether the reply
// was packed, was too long for that, or a refusal.
func TestBatchBorrowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		m := &mixedBatch{c: mustDial(t, cfg)}
		m.submit(t)
		var kept []ami.Result[uint64]
		for i := range m.want {
			r, err := m.b.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := m.same(i, &r); err != nil {
				t.Fatal(err)
			}
			own := *r.Reply
			own.Message = r.Reply.Clone()
			m.want[i] = &own
			kept = append(kept, r)
		}
		for range 2 { // there are two buffers to overwrite
			m.submit(t)
			for i := range m.want {
				r, err := m.b.NextBorrowed(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				first := m.want[i]
				m.want[i] = nil
				if err := m.same(i, r); err != nil {
					t.Fatal(err)
				}
				if r.Reply.Get("ActionID") == first.Get("ActionID") {
					t.Errorf("result %d is an old one: %q", i, r.Reply.Text())
				}
				m.want[i] = first
			}
		}
		for i := range kept {
			if err := m.same(i, &kept[i]); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := m.b.PollBorrowed(); ok || m.b.Outstanding() != 0 {
			t.Errorf("more than was submitted, or %d outstanding", m.b.Outstanding())
		}
		exact(t, m.c.Stats())
	})
}
