package ami_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A stalled server greets and then reads nothing until resume is closed; it notes what it reads then and answers it.
type stalled struct {
	resume chan struct{}
	over   <-chan struct{} // the test is

	mu   sync.Mutex
	seen []string // values of the header Mark
}

// stalledPeer is a session's server that reads nothing until it is resumed, its network, and how to dial it.
func stalledPeer(t *testing.T) (*stalled, *amitest.Network, ami.Config) {
	t.Helper()
	s := &stalled{resume: make(chan struct{}), over: t.Context().Done()}
	n, cfg := scripted(t, s.script)
	return s, n, cfg
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
				s, n, cfg := stalledPeer(t)
				n.SetBuffer(4096)
				cfg.Keepalive.Interval = -1
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
		s, n, cfg := stalledPeer(t)
		n.SetBuffer(4096)
		cfg.Keepalive.Interval = -1
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

// A gatedConn writes when it is let, once it is gated; its reader finds out of its end only when that is let too.
type gatedConn struct {
	net.Conn
	gated  atomic.Bool
	writes chan error // nil: the next write passes
	reads  chan struct{}
}

func (g *gatedConn) Write(p []byte) (int, error) {
	if g.gated.Load() {
		if err := <-g.writes; err != nil {
			return 0, err
		}
	}
	return g.Conn.Write(p)
}

func (g *gatedConn) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if err != nil {
		<-g.reads
	}
	return n, err
}

// What a failed write did not take is not sent, whoever ends the call before the session has settled.
func TestCancelBehindAFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, n, cfg := stalledPeer(t)
		cfg.Keepalive.Interval = -1
		conn := &gatedConn{writes: make(chan error), reads: make(chan struct{})}
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			var err error
			conn.Conn, err = n.DialContext(ctx, network, addr)
			return conn, err
		}
		c := mustDial(t, cfg)
		conn.gated.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ends [20]chan error
		for i := range ends { // the first is written alone, and the others together
			ends[i] = make(chan error, 1)
			callCtx := ctx
			if i%3 == 0 {
				callCtx = t.Context()
			}
			go func() {
				_, err := c.Do(callCtx, marked(strconv.Itoa(i), i*50))
				ends[i] <- err
			}()
			synctest.Wait()
		}
		conn.writes <- nil
		conn.writes <- io.ErrClosedPipe
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(conn.reads)
		for i, ch := range ends {
			cause, sent := ami.ErrCancelled, ami.SentNo
			if i%3 == 0 {
				cause = ami.ErrDisconnected
			}
			if i == 0 {
				sent = ami.SentYes
			}
			if oe := wantOp(t, <-ch, "do", cause); oe.Sent != sent {
				t.Errorf("call %d: Sent = %v, want %v", i, oe.Sent, sent)
			}
		}
		<-c.Done()
		exact(t, c.Stats())
	})
}
