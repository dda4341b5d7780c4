package ami

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A sink takes all that is written to it, and remembers the longest write.
type sink struct {
	net.Conn
	taken, longest atomic.Int64
}

func (s *sink) Write(p []byte) (int, error) {
	s.longest.Store(max(s.longest.Load(), int64(len(p))))
	s.taken.Add(int64(len(p)))
	return len(p), nil
}

// Over TLS the writer goes on with what is answered, and never has more than the window unanswered; only an answer that
// takes too long lets it pass. Plain connections are not held up.
func TestWriterPacesWhatIsUnansweredOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		c := &Conn{cfg: &Config{TLS: &tls.Config{}}, nc: s, acks: make(chan struct{}, 1), done: make(chan struct{})} //nolint:gosec // no TLS is spoken
		const size = 100 << 10
		done := make(chan int)
		go func() {
			n, _ := c.writeAll(make([]byte, size))
			done <- n
		}()
		taken := func() int64 { synctest.Wait(); return s.taken.Load() }
		if got := taken(); got > tlsWindow || got < tlsWindow-maxRecord {
			t.Fatalf("%d bytes were written before any answer, the window is %d", got, tlsWindow)
		}
		for _, acked := range []uint64{500, 1000, 20_000, 20_000, 45_000} {
			c.ack(acked)
			if got := taken(); got > int64(acked)+tlsWindow || got < int64(acked)+tlsWindow-maxRecord {
				t.Fatalf("%d bytes were written with %d answered, the window is %d", got, acked, tlsWindow)
			}
		}
		before := taken()
		time.Sleep(paceLimit - time.Millisecond)
		if got := taken(); got != before {
			t.Fatalf("%d bytes more were written before the limit", got-before)
		}
		time.Sleep(time.Millisecond)
		if got := taken(); got != before+maxRecord && got != size {
			t.Fatalf("%d bytes more were written when the limit was over, want one record", got-before)
		}
		c.ack(size)
		if n := <-done; n != size || s.longest.Load() > maxRecord {
			t.Errorf("wrote %d of %d, the longest record %d", n, size, s.longest.Load())
		}

		plain := &sink{}
		c = &Conn{cfg: &Config{}, nc: plain}
		if n, err := c.writeAll(make([]byte, size)); n != size || err != nil || plain.longest.Load() != size {
			t.Errorf("plain: %d, %v, the longest write %d", n, err, plain.longest.Load())
		}
	})
}

// A busy session keeps its write buffers, though it is idle for a moment behind each write; a quiet one lets them go.
func TestWriteBuffersFitTheLoad(t *testing.T) {
	var f bufferFit
	for range 100 {
		f.used(200)
		f.used(60_000)
		if !f.wanted(64 << 10) {
			t.Fatal("a buffer that is in use was let go")
		}
	}
	for i := range quietWrites {
		f.used(60) // a Ping
		if got := f.wanted(64 << 10); got != (i < quietWrites-1) {
			t.Errorf("after %d small writes: wanted %v", i+1, got)
		}
	}
	for range 10 {
		if !f.wanted(4 << 10) {
			t.Error("a small buffer was let go")
		}
	}
}

// The write buffers of an idle session hold little, though a burst went into one of the two alone.
func TestWriteBuffersOfOneBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		c := pipeServer(t, func(w net.Conn, _ string) {
			<-gate
			_, _ = io.Copy(io.Discard, w)
		})
		b := &Batch[uint64]{}
		submit := func() {
			if err := b.Submit(t.Context(), c, NewAction("Ping"), 0); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the first is read, the writer stands still in the second
			submit()
			synctest.Wait()
		}
		for range 3000 {
			submit()
		}
		close(gate)
		largest := 0
		for i := range 400 {
			synctest.Wait()
			c.mu.Lock()
			if i >= 390 {
				largest = max(largest, cap(c.out.buf))
			}
			c.mu.Unlock()
			submit()
		}
		if largest > 4<<10 {
			t.Errorf("a buffer of %d bytes is kept after 390 small writes", largest)
		}
	})
}
