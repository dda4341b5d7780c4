package ami_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A stalled server greets and then reads nothing until resume is closed; it notes what it reads then and answers it.
type stalled struct {
	resume chan struct{}
	over   <-chan struct{} // the test is

	mu   sync.Mutex
	seen []string // values of the header Mark
}

func (s *stalled) script(p *peer) {
	if !p.greet() {
		return
	}
	select {
	case <-s.resume:
	case <-s.over:
		return
	}
	for {
		a, ok := p.action()
		if !ok {
			return
		}
		s.mu.Lock()
		s.seen = append(s.seen, a["Mark"])
		s.mu.Unlock()
		p.send("Response: Success\nActionID: %s\nMark: %s\n\n", a["ActionID"], a["Mark"])
	}
}

func (s *stalled) marks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// marked returns an action of about size bytes that the stalled server will know.
func marked(mark string, size int) ami.Action {
	a := ami.NewAction("Ping", "Mark", mark)
	for ; size > 0; size -= 1000 {
		a.Fields = append(a.Fields, ami.Field{Name: "Pad", Value: strings.Repeat("x", min(size, 1000))})
	}
	return a
}

// threeSent starts three calls against a stalled server with 4 KiB of network between: one whose bytes left, one whose
// bytes left in part, and one that is still in the buffer. It returns a channel each.
func threeSent(ctx context.Context, c *ami.Conn, timeout time.Duration) (ends [3]chan error) {
	for i, a := range []ami.Action{marked("yes", 100), marked("maybe", 8000), marked("no", 100)} {
		a.Timeout = timeout
		ends[i] = make(chan error, 1)
		go func() {
			_, err := c.Do(ctx, a)
			ends[i] <- err
		}()
		synctest.Wait()
	}
	return ends
}

func TestSentInEveryEnding(t *testing.T) {
	want := [3]ami.Sent{ami.SentYes, ami.SentMaybe, ami.SentNo}
	for _, tt := range []struct {
		name    string
		cause   error
		end     func(cancel func(), n *amitest.Network, c *ami.Conn)
		session bool // the session dies of it
	}{
		{"timeout", ami.ErrTimeout, func(func(), *amitest.Network, *ami.Conn) { time.Sleep(6 * time.Second) }, false},
		{"cancel", ami.ErrCancelled, func(cancel func(), _ *amitest.Network, _ *ami.Conn) { cancel() }, false},
		{"reset", ami.ErrDisconnected, func(_ func(), n *amitest.Network, _ *ami.Conn) { n.Reset("fake") }, true},
		{"close", ami.ErrClosed, func(_ func(), _ *amitest.Network, c *ami.Conn) { _ = c.Close() }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
				n, cfg := scripted(t, s.script)
				n.SetBuffer(4096)
				cfg.Keepalive = -1
				c := mustDial(t, cfg)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ends := threeSent(ctx, c, 5*time.Second)
				tt.end(cancel, n, c)
				for i, ch := range ends {
					oe := wantOp(t, <-ch, "do", tt.cause)
					if oe.Sent != want[i] {
						t.Errorf("call %d: Sent = %v, want %v", i, oe.Sent, want[i])
					}
					if oe.Action != "Ping" || oe.ActionID == "" {
						t.Errorf("call %d: the error does not name the call: %+v", i, oe)
					}
				}
				close(s.resume)
				synctest.Wait()
				if slices.Contains(s.marks(), "no") {
					t.Error("what was reported as not sent was written after all")
				}
				if tt.session {
					<-c.Done()
					exact(t, c.Stats())
					return
				}
				if got := s.marks(); !slices.Equal(got, []string{"yes", "maybe"}) {
					t.Errorf("the server read %q, want yes and maybe", got)
				}
				r, err := c.Do(t.Context(), marked("after", 0))
				if err != nil || r.Get("Mark") != "after" {
					t.Errorf("the stream is broken: %v %v", r, err)
				}
				st := c.Stats()
				exact(t, st)
				if st.Late != 2 || st.Pending != 0 {
					t.Errorf("late %d, pending %d; want 2 late answers and no slot taken", st.Late, st.Pending)
				}
			})
		})
	}
}

// Unsent work is cut out wherever it lies; the rest goes out whole and in order.
func TestCutWorkIsNeverWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
		n, cfg := scripted(t, s.script)
		n.SetBuffer(4096)
		cfg.Keepalive = -1
		c := mustDial(t, cfg)
		block := marked("block", 8000)
		go c.Do(t.Context(), block)
		synctest.Wait()
		var want []string
		var wg sync.WaitGroup
		for i := range 200 {
			a := marked(strconv.Itoa(i), 10+i%300)
			if i%3 == 0 {
				want = append(want, strconv.Itoa(i))
			} else {
				a.Timeout = time.Duration(1+i%7) * time.Second
			}
			wg.Go(func() {
				_, err := c.Do(t.Context(), a)
				if (err == nil) != (i%3 == 0) {
					t.Errorf("call %d ended with %v", i, err)
				}
				if err != nil && ami.SentState(err) != ami.SentNo {
					t.Errorf("call %d: %v, want not sent", i, ami.SentState(err))
				}
			})
			synctest.Wait()
		}
		time.Sleep(10 * time.Second)
		close(s.resume)
		wg.Wait()
		if diff := cmp.Diff(append([]string{"block"}, want...), s.marks()); diff != "" {
			t.Errorf("the server read (-want +got):\n%s", diff)
		}
	})
}

func TestTryDoBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
		_, cfg := scripted(t, s.script)
		cfg.Pending, cfg.Keepalive = 2, -1
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

// The write buffer is bounded in bytes, whatever its place: bytes that wait for a stuck network count.
func TestTryDoBusyByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
		n, cfg := scripted(t, s.script)
		n.SetBuffer(4096)
		cfg.WriteBuffer, cfg.Keepalive = 256<<10, -1
		c := mustDial(t, cfg)
		b := ami.NewBatch(ami.BatchOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		n1 := 0
		for ; ; n1++ {
			a := marked("x", 1000)
			a.Timeout = time.Hour
			if err := c.Submit(ctx, a, b, 0); err != nil {
				wantOp(t, err, "do", ami.ErrCancelled)
				break
			}
		}
		if held := n1 * 1000; held > cfg.WriteBuffer+16<<10 || held < cfg.WriteBuffer/2 {
			t.Errorf("%d bytes are held for a network that takes nothing, the cap is %d", held, cfg.WriteBuffer)
		}
		if _, err := c.TryDo(t.Context(), marked("y", 1000)); !errors.Is(err, ami.ErrBusy) {
			t.Errorf("TryDo: %v, want busy", err)
		}
	})
}

func TestDoGivesUpWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
		_, cfg := scripted(t, s.script)
		cfg.Pending, cfg.Keepalive = 1, -1
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
		s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
		_, cfg := scripted(t, s.script)
		cfg.Pending, cfg.Keepalive = 2, -1
		c := mustDial(t, cfg)
		for range 2 {
			a := marked("late", 0)
			a.Timeout = time.Second
			if _, err := c.Do(t.Context(), a); ami.SentState(err) != ami.SentYes || !errors.Is(err, ami.ErrTimeout) {
				t.Errorf("%v", err)
			}
		}
		st := c.Stats()
		if st.Pending != 2 || st.Ledger.InFlight != 0 {
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

func TestStrayAnswersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			var first string
			for {
				a, ok := p.action()
				if !ok {
					return
				}
				id := a["ActionID"]
				if first == "" {
					first = id
				}
				p.send("Response: Success\nActionID: someone-else\n\n")                   // foreign
				p.send("Response: Success\nActionID: %s0\n\n", id)                        // a generation never given out
				p.send("Response: Error\nMessage: Missing action in request\n\n")         // unmatched
				p.send("Some raw text\nwithout a header\n\n")                             // raw
				p.send("Event: Stray\nActionID: someone-else\n\n")                        // an item of nobody's list
				p.send("Response: Success\nActionID: %s\nMark: right\n\n", id)            // the answer
				p.send("Response: Success\nActionID: %s\nMark: wrong\n\n", id)            // duplicate
				p.send("Response: Error\nActionID: %s\nMessage: again\n\n", first)        // duplicate
				p.send("Event: StrayComplete\nActionID: %s\nEventList: Complete\n\n", id) // duplicate
			}
		})
		c := mustDial(t, cfg)
		for range 3 {
			r, err := c.Do(t.Context(), ami.NewAction("Ping"))
			if err != nil || r.Get("Mark") != "right" {
				t.Fatalf("%v %v", r, err)
			}
		}
		synctest.Wait()
		st := c.Stats()
		type tally struct{ Foreign, Unmatched, Raw, Duplicate, Late uint64 }
		got := tally{st.Foreign, st.Unmatched, st.Raw, st.Duplicate, st.Late}
		if got.Foreign+got.Duplicate != 3*5 || got.Foreign < 3 || got.Duplicate < 3*3 || got.Unmatched != 3 || got.Raw != 3 || got.Late != 0 {
			t.Errorf("counted %+v in 3 rounds", got)
		}
		exact(t, st)
	})
}

// An ID of an older session of the same node completes nothing.
func TestAnswerOfAnOlderSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var old string
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			a, ok := p.action()
			if !ok {
				return
			}
			if old == "" {
				old = a["ActionID"]
				return // and closes
			}
			p.send("Response: Success\nActionID: %s\nMark: old\n\n", old)
			p.send("Response: Success\nActionID: %s\nMark: new\n\n", a["ActionID"])
			p.drain()
		})
		_, err := mustDial(t, cfg).Do(t.Context(), ami.NewAction("Ping"))
		if wantOp(t, err, "do", ami.ErrDisconnected).Sent != ami.SentYes {
			t.Errorf("%v", err)
		}
		c := mustDial(t, cfg)
		r, err := c.Do(t.Context(), ami.NewAction("Ping"))
		if err != nil || r.Get("Mark") != "new" {
			t.Errorf("%v %v", r, err)
		}
		if st := c.Stats(); st.Foreign != 1 {
			t.Errorf("foreign %d, want 1", st.Foreign)
		}
	})
}

func TestRefusedBeforeAByteIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		c := mustDial(t, cfg)
		before := s.Ledger()
		n := uint64(0)
		for _, tt := range []struct {
			name   string
			action ami.Action
			cause  error
		}{
			{"Login", ami.NewAction("Login"), ami.ErrReservedAction},
			{"login in another case", ami.NewAction("lOgIn"), ami.ErrReservedAction},
			{"Challenge", ami.NewAction("Challenge"), ami.ErrReservedAction},
			{"Logoff", ami.NewAction("LOGOFF"), ami.ErrReservedAction},
			{"no name", ami.NewAction(""), wire.ErrEmpty},
			{"LF in the name", ami.NewAction("Ping\nAction: Logoff"), wire.ErrNewline},
			{"LF in a value", ami.NewAction("Ping", "A", "x\nAction: Logoff"), wire.ErrNewline},
			{"CR in a value", ami.NewAction("Ping", "A", "x\rB: y"), wire.ErrNewline},
			{"NUL in a value", ami.NewAction("Ping", "A", "x\x00"), wire.ErrNUL},
			{"LF in a header name", ami.NewAction("Ping", "A\nB", "x"), wire.ErrName},
			{"colon in a header name", ami.NewAction("Ping", "A: b", "x"), wire.ErrName},
			{"empty header name", ami.NewAction("Ping", "", "x"), wire.ErrName},
			{"Action header", ami.NewAction("Ping", "action", "Logoff"), wire.ErrReserved},
			{"ActionID header", ami.NewAction("Ping", "ACTIONID", "1"), wire.ErrReserved},
			{"1,023 bytes", ami.NewAction("Ping", "A", strings.Repeat("x", 1020)), wire.ErrLineTooLong},
			{"129 headers", ami.Action{Name: "Ping", Fields: make127("A", 127)}, wire.ErrHeaders},
		} {
			_, err := c.Do(t.Context(), tt.action)
			n++
			oe := wantOp(t, err, "do", tt.cause)
			if oe.Sent != ami.SentNo || ami.Retryable(err, "Ping") {
				t.Errorf("%s: %+v; not sent, and sending it again would be refused again", tt.name, oe)
			}
			if err := tt.action.Check(); !errors.Is(err, tt.cause) {
				t.Errorf("%s: Check says %v", tt.name, err)
			}
		}
		for _, a := range []ami.Action{
			ami.NewAction("Ping", "A", strings.Repeat("x", 1019)),
			{Name: "Ping", Fields: make127("A", 126)},
			ami.NewAction("Ping", "Empty", "", "UTF", "ü€", "Colon", "a: b"),
		} {
			if _, err := c.Do(t.Context(), a); err != nil {
				t.Errorf("at the limit: %v", err)
			}
		}
		after := s.Ledger()
		if got := after.ActionsReceived - before.ActionsReceived; got != 3 {
			t.Errorf("the server received %d actions, want the 3 good ones", got)
		}
		if l := c.Stats().Ledger; l.Rejected != n || l.Accepted != 3 || l.Submitted != n+3 {
			t.Errorf("ledger %+v", l)
		}
		exact(t, c.Stats())
	})
}

func make127(name string, n int) []ami.Field {
	return slices.Repeat([]ami.Field{{Name: name, Value: "1"}}, n)
}

func TestServerRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		c := mustDial(t, cfg)
		r, err := c.Do(t.Context(), ami.NewAction("NoSuchAction"))
		var refused *ami.ResponseError
		if r == nil || !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, "Invalid/unknown command: NoSuchAction") {
			t.Fatalf("%v, %v", r, err)
		}
		oe := wantOp(t, err, "do", nil)
		if oe.Sent != ami.SentYes || oe.ActionID == "" || refused.Action != "NoSuchAction" || r.Success() || ami.Retryable(err, "Ping") {
			t.Errorf("%+v %+v", oe, refused)
		}
		if l := c.Stats().Ledger; l.ErrorReplies != 1 || l.Replied != 0 {
			t.Errorf("ledger %+v", l)
		}
	})
}

func TestListsOnTheSimulator(t *testing.T) {
	for _, v := range []amitest.Version{amitest.Version22, amitest.Version13} {
		t.Run(v.AMI, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s, cfg := simulate(t, amitest.WithVersion(v))
				for i := range 50 {
					s.State().AddQueue(amitest.Queue{Name: fmt.Sprint("q", i)})
				}
				c := mustDial(t, cfg)
				r, err := c.Do(t.Context(), ami.NewAction("QueueStatus"))
				if err != nil || len(r.Events) != 50 || r.End.Name() != "QueueStatusComplete" {
					t.Fatalf("%v: %d items, end %q", err, len(r.Events), r.End.Name())
				}
				for i, ev := range r.Events {
					if ev.Name() != "QueueParams" || ev.Get("Queue") != fmt.Sprint("q", i) {
						t.Fatalf("item %d is %s", i, ev.Text())
					}
				}
				b := ami.NewBatch(ami.BatchOptions{Items: true})
				if err := c.Submit(t.Context(), ami.NewAction("QueueStatus"), b, 9); err != nil {
					t.Fatal(err)
				}
				for i := range 51 {
					res, err := b.Next(t.Context())
					if err != nil || res.Tag != 9 || (res.Item != nil) != (i < 50) {
						t.Fatalf("result %d: %+v %v", i, res, err)
					}
					if i == 50 && (res.Err != nil || len(res.Reply.Events) != 0) {
						t.Errorf("the end: %+v", res)
					}
				}
				if b.Outstanding() != 0 {
					t.Errorf("outstanding %d", b.Outstanding())
				}
			})
		})
	}
}

func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		c := mustDial(t, cfg)
		b := ami.NewBatch(ami.BatchOptions{})
		const n = 20_000
		go func() {
			for i := range n {
				name := "Ping"
				if i%10 == 0 {
					name = "NoSuch"
				}
				if err := c.Submit(t.Context(), ami.NewAction(name), b, uint64(i)); err != nil {
					t.Error(err)
				}
			}
		}()
		for i := range n { // a serial server answers in order
			r, err := b.Next(t.Context())
			if err != nil || r.Tag != uint64(i) || r.Reply == nil || (r.Err != nil) != (i%10 == 0) {
				t.Fatalf("result %d: %+v %v", i, r, err)
			}
		}
		if b.Outstanding() != 0 {
			t.Errorf("outstanding %d", b.Outstanding())
		}
		if err := c.Submit(t.Context(), ami.NewAction("Login"), b, 1); err == nil || b.Outstanding() != 0 {
			t.Errorf("a refused action: %v, outstanding %d", err, b.Outstanding())
		}
		l := c.Stats().Ledger
		if l.Replied != n-n/10 || l.ErrorReplies != n/10 || l.Rejected != 1 {
			t.Errorf("ledger %+v", l)
		}
		exact(t, c.Stats())
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
		s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
		_, cfg := scripted(t, s.script)
		cfg.Keepalive = -1
		c := mustDial(t, cfg)
		b := ami.NewBatch(ami.BatchOptions{})
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		_ = c.Submit(ctx, ami.Action{Name: "Ping", Timeout: 20 * time.Second}, b, 1)
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		_ = c.Submit(ctx, ami.Action{Name: "Ping", Timeout: 20 * time.Second}, b, 2)
		for _, want := range []struct {
			tag   uint64
			after time.Duration
		}{{2, 7 * time.Second}, {1, 20 * time.Second}} {
			r, _ := b.Next(t.Context())
			d := time.Since(start)
			if r.Tag != want.tag || !errors.Is(r.Err, ami.ErrTimeout) || d < want.after || d > want.after+100*time.Millisecond {
				t.Errorf("tag %d after %v: %v; want tag %d after %v", r.Tag, d, r.Err, want.tag, want.after)
			}
		}
		close(s.resume)
		synctest.Wait()
		if st := c.Stats(); st.Ledger.TimedOut != 2 || st.Late != 2 {
			t.Errorf("%+v", st)
		}
	})
}

func TestDoDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
		_, cfg := scripted(t, s.script)
		cfg.ActionTimeout, cfg.Keepalive = 9*time.Second, -1
		c := mustDial(t, cfg)
		for _, tt := range []struct {
			name              string
			ctx, action, want time.Duration
		}{
			{"the node's", 0, 0, 9 * time.Second},
			{"the action's", 0, 2 * time.Second, 2 * time.Second},
			{"a longer action's", 0, 40 * time.Second, 40 * time.Second},
			{"the context's", time.Second, 5 * time.Second, time.Second},
			{"the action's before the context's", 5 * time.Second, time.Second, time.Second},
		} {
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if tt.ctx > 0 {
				ctx, cancel = context.WithTimeout(ctx, tt.ctx)
			}
			start := time.Now()
			_, err := c.Do(ctx, ami.Action{Name: "Ping", Timeout: tt.action})
			cancel()
			if d := time.Since(start); d < tt.want || d > tt.want+100*time.Millisecond || !errors.Is(err, ami.ErrTimeout) {
				t.Errorf("%s: %v after %v, want a timeout after %v", tt.name, err, d, tt.want)
			}
		}
		close(s.resume)
		synctest.Wait()
		if l := c.Stats().Ledger; l.TimedOut != 5 || l.Cancelled != 0 {
			t.Errorf("ledger %+v", l)
		}
	})
}

func TestAwaitOriginate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.State().AddExtension(amitest.Extension{Context: "default", Exten: "200"},
			amitest.Extension{Context: "default", Exten: "300", Outcome: "busy"},
			amitest.Extension{Context: "default", Exten: "301", Outcome: "congestion"})
		cfg.Events = "call"
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"OriginateResponse"}})
		if err != nil {
			t.Fatal(err)
		}
		a := ami.NewAction("Originate", "Channel", "Local/200@default", "Context", "default", "Exten", "200", "Priority", "1", "Async", "true")
		r, err := c.Do(t.Context(), a)
		if err != nil || r.End.Len() != 0 || !r.Success() {
			t.Errorf("by the acknowledgement: %v %v", r, err)
		}
		if _, err := sub.Next(t.Context()); err != nil {
			t.Error(err)
		}
		a.AwaitOriginate = true
		r, err = c.Do(t.Context(), a)
		if err != nil || r.End.Name() != "OriginateResponse" || r.End.Get("Response") != "Success" || r.Get("Message") == "" {
			t.Errorf("awaited: %v %v", r, err)
		}
		if ev, err := sub.Next(t.Context()); err != nil || ev.Name() != "OriginateResponse" {
			t.Errorf("it is news for the subscribers as well: %v %v", ev, err)
		}
		for channel, reason := range map[string]string{"Local/300@default": "5", "Local/301@default": "8", "Local/999@default": "0"} {
			a.Fields[0].Value = channel
			r, err = c.Do(t.Context(), a)
			var refused *ami.ResponseError
			if r == nil || r.Success() || !errors.As(err, &refused) || refused.Reason != reason || r.End.Get("Response") != "Failure" {
				t.Errorf("%s: %+v %v, want a refusal for reason %s", channel, refused, err, reason)
			}
		}
		exact(t, c.Stats())
	})
}

func TestAwaitOriginateWithoutTheEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t) // Events: off
		c := mustDial(t, cfg)
		a := ami.NewAction("Originate", "Channel", "Local/200@default", "Context", "default", "Exten", "200", "Priority", "1", "Async", "true")
		a.AwaitOriginate, a.Timeout = true, 5*time.Second
		_, err := c.Do(t.Context(), a)
		if oe := wantOp(t, err, "do", ami.ErrTimeout); oe.Sent != ami.SentYes {
			t.Errorf("sent %v, want yes", oe.Sent)
		}
		// Its slot is not lost for ever: nobody will answer.
		for range 5 {
			if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Second)
		}
		synctest.Wait()
		if st := c.Stats(); st.Pending != 0 {
			t.Errorf("%d slots are taken at rest", st.Pending)
		}
	})
}

// Replies and events carry their place in the session's stream.
func TestSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			for i := 0; ; i++ {
				a, ok := p.action()
				if !ok {
					return
				}
				p.send("Event: Before\nPrivilege: call,all\nN: %d\n\nResponse: Success\nActionID: %s\n\nEvent: After\nPrivilege: call,all\nN: %d\n\n", i, a["ActionID"], i)
			}
		})
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(0)
		for range 10 {
			r, err := c.Do(t.Context(), ami.NewAction("Ping"))
			if err != nil {
				t.Fatal(err)
			}
			before, _ := sub.Next(t.Context())
			after, _ := sub.Next(t.Context())
			if before.Name() != "Before" || after.Name() != "After" || before.Seq <= last || r.Seq <= before.Seq || after.Seq <= r.Seq {
				t.Errorf("%s %d, reply %d, %s %d: not in order", before.Name(), before.Seq, r.Seq, after.Name(), after.Seq)
			}
			last = after.Seq
		}
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
		cfg.Pending = 2
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
	cfg.Pending = 1
	c := mustDial(t, cfg)
	for i := range 3000 {
		if _, err := c.TryDo(t.Context(), ami.NewAction("Ping")); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}

// AwaitOriginate is for an asynchronous Originate; elsewhere no OriginateResponse comes, and the reply is the end.
func TestAwaitOriginateIsForAsyncOriginate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		cfg.Events = "call"
		c := mustDial(t, cfg)
		for _, a := range []ami.Action{
			{Name: "Ping"},
			{Name: "QueueStatus"},
			ami.NewAction("Originate", "Channel", "Local/200@default", "Application", "Wait", "Data", "1"),
			ami.NewAction("Originate", "Channel", "Local/200@default", "Application", "Wait", "Data", "1", "Async", "false"),
		} {
			a.AwaitOriginate = true
			if _, err := c.Do(t.Context(), a); err != nil {
				t.Errorf("%v", err)
			}
		}
	})
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
		cfg.WriteBuffer, cfg.Keepalive = 256<<10, -1
		c := mustDial(t, cfg)
		b := ami.NewBatch(ami.BatchOptions{})
		fill := func() (taken int) {
			for {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				a := marked("x", 1000)
				a.Timeout = time.Hour
				err := c.Submit(ctx, a, b, 0)
				cancel()
				if err != nil {
					return taken
				}
				taken += 1000
			}
		}
		held := fill()
		for i := 0; i < 1000 && c.Stats().Write > cfg.WriteBuffer/4; i++ { // until the writer has taken the rest
			read <- struct{}{}
			held -= 1000
			synctest.Wait()
		}
		held += fill()
		if held > cfg.WriteBuffer+32<<10 {
			t.Errorf("%d bytes are held for a network that takes nothing, the cap is %d", held, cfg.WriteBuffer)
		}
		if st := c.Stats(); st.Write < held-32<<10 {
			t.Errorf("the statistics show %d bytes of %d", st.Write, held)
		}
	})
}
