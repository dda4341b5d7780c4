package ami

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipeServer is a session over a pipe whose server greets, reads one action, gives its ActionID's prefix, and then reads
// nothing more: the writer stands still in the next one.
func pipeServer(t *testing.T, flood func(w net.Conn, prefix string)) *Conn {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	t.Cleanup(func() { _ = server.Close(); <-done })
	go func() {
		defer close(done)
		r := bufio.NewReader(server)
		action := func() (id string) {
			for {
				line, err := r.ReadString('\n')
				line = strings.TrimSpace(line)
				if v, ok := strings.CutPrefix(line, "ActionID: "); ok {
					id = v
				}
				if err != nil || line == "" {
					return id
				}
			}
		}
		fmt.Fprint(server, "Asterisk Call Manager/11.0.0\r\n")
		fmt.Fprintf(server, "Response: Success\r\nActionID: %s\r\n\r\n", action())
		id := action()
		flood(server, id[:strings.LastIndexByte(id, '-')+1])
	}()
	c, err := Dial(t.Context(), Config{
		Addr: "x:1", Username: "u", Secret: StaticSecret("s"), Auth: AuthPlain, Keepalive: Keepalive{Interval: -1},
		Dial: func(context.Context, string, string) (net.Conn, error) { return client, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// The steps of Conn.response, with a cancel and a new call between its lookup and its hear.
func TestForgedAnswerFreesNoOtherCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipeServer(t, func(net.Conn, string) {})
		b := &Batch[uint64]{}
		for i := range 2 { // the first is read by the server; the writer stands still in the second
			if err := b.Submit(t.Context(), c, NewAction("Ping"), uint64(i)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		start := func(ctx context.Context) chan error {
			end := make(chan error, 1)
			go func() {
				_, err := c.Do(ctx, NewAction("Ping"))
				end <- err
			}()
			synctest.Wait()
			return end
		}
		ctx, cancel := context.WithCancel(t.Context())
		victim := start(ctx) // slot 2, generation 1; in the buffer
		id := string(c.calls.appendID(nil, callRef{slot: 2, gen: 1}))
		k, r, whose := c.calls.lookup(id) // the reader has an answer to it, which the server made up
		if whose != idOurs {
			t.Fatal("the test does not know the slot")
		}
		cancel()
		if err := <-victim; SentState(err) != SentNo {
			t.Fatal(err)
		}
		ctx2, cancel2 := context.WithCancel(t.Context())
		next := start(ctx2) // slot 2, generation 2
		used := c.pending()
		if live, known := c.hear(k, r); live || known {
			t.Errorf("a call that was given up unwritten is live %v, known %v", live, known)
		}
		c.answeredLate(k, r)
		c.releaseFreed()
		if n := c.pending(); n != used {
			t.Errorf("%d slots are taken, were %d: one was released twice", n, used)
		}
		cancel2()
		select {
		case <-next:
		case <-time.After(time.Hour):
			t.Errorf("the next call never ends, though its context is done; ledger %+v", c.Stats().Ledger)
		}
	})
}

// The same by chance, with the real reader.
func TestForgedAnswersBeforeTheWrite(t *testing.T) {
	var gen atomic.Uint64
	stop := make(chan struct{})
	c := pipeServer(t, func(w net.Conn, prefix string) {
		var buf []byte
		for {
			select {
			case <-stop:
				return
			default:
			}
			buf = buf[:0]
			g := gen.Load()
			for range 64 {
				for d := range uint64(3) {
					buf = fmt.Appendf(buf, "Response: Success\r\nActionID: %s2.%x\r\n\r\n", prefix, g+d)
				}
			}
			if _, err := w.Write(buf); err != nil {
				return
			}
		}
	})
	defer close(stop)
	b := &Batch[uint64]{}
	for i := range 2 {
		if err := b.Submit(t.Context(), c, Action{Name: "Ping", Timeout: time.Hour}, uint64(i)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	replied, cancelled := 0, 0
	for range 20_000 {
		c.stats.submitted.Add(1)
		w := c.newWaiter() // Do, and its context is done at once
		r, err := c.submit(t.Context(), &Action{Name: "Ping"}, receiver{waiter: w}, submitWait)
		if err != nil {
			t.Fatalf("after %d answers and %d cancels: %v; pending %d", replied, cancelled, err, c.pending())
		}
		gen.Store(r.gen)
		if replied+cancelled&1 == 0 {
			runtime.Gosched()
		}
		c.cancel(r, context.Canceled)
		select {
		case <-w.ch:
		case <-time.After(30 * time.Second):
			t.Fatalf("after %d answers and %d cancels a call does not end; pending %d, ledger %+v", replied, cancelled, c.pending(), c.Stats().Ledger)
		}
		if w.err == nil {
			replied++
		} else {
			cancelled++
		}
	}
	if n := c.pending(); n != 2 {
		t.Errorf("%d slots are taken, want 2", n)
	}
	if l := c.Stats().Ledger; !l.Exact() {
		t.Errorf("ledger %+v", l)
	}
	t.Logf("%d answered, %d cancelled", replied, cancelled)
}

// pending returns how many slots are taken.
func (c *Conn) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls.used
}
