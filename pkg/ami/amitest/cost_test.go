package amitest

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What an idle server with one idle, logged-in session may cost.
const (
	maxIdleGoroutines = 2
	maxIdleBytes      = 32 << 10
)

func TestIdleCost(t *testing.T) {
	const servers = 2000
	n := NewNetwork()
	heap, goroutines := inUse(), runtime.NumGoroutine()
	c := NewCluster(servers, WithNetwork(n))
	defer c.Close()
	conns := make([]net.Conn, servers)
	for i, s := range c.Servers() {
		conn, err := n.DialContext(t.Context(), "tcp", s.Name()+":5038")
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = conn
		if _, err := conn.Write([]byte("Action: Login\r\nUsername: admin\r\nSecret: secret\r\n\r\nAction: Ping\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		readUntil(t, conn, "Pong")
	}
	time.Sleep(2 * burstIdle)
	got := float64(runtime.NumGoroutine()-goroutines) / servers
	if got > maxIdleGoroutines {
		t.Errorf("%.2f goroutines a server, wanted at most %d", got, maxIdleGoroutines)
	}
	per := (int64(inUse()) - int64(heap)) / servers
	if per > maxIdleBytes {
		t.Errorf("%d bytes a server, wanted at most %d", per, maxIdleBytes)
	}
	t.Logf("%.2f goroutines, %d bytes a server", got, per)
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// inUse is the memory of live heap objects and stacks.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func readUntil(t testing.TB, conn net.Conn, want string) {
	t.Helper()
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), want) {
		k, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("read %q, then %v", got.String(), err)
		}
		got.Write(buf[:k])
	}
}

func BenchmarkPing(b *testing.B) {
	for _, batch := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("pipelined=%d", batch), func(b *testing.B) {
			s := NewServer()
			defer s.Close()
			conn, err := net.Dial("tcp", s.Addr())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			_, _ = conn.Write([]byte("Action: Login\r\nUsername: admin\r\nSecret: secret\r\nEvents: off\r\n\r\n"))
			readUntil(b, conn, "accepted\r\n\r\n")
			request := []byte(strings.Repeat("Action: Ping\r\nActionID: 12345678\r\n\r\n", batch))
			answer := make([]byte, batch*len("Response: Success\r\nActionID: 12345678\r\nPing: Pong\r\nTimestamp: 1795459902.173887\r\n\r\n"))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, answer); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/ping")
		})
	}
}

// BenchmarkServe measures the server alone: parsing, running and answering.
func BenchmarkServe(b *testing.B) {
	s := NewServer(WithoutListener())
	defer s.Close()
	sess := newSession(s, discard{}, 1)
	sess.authed = true
	request := []byte(strings.Repeat("Action: Ping\r\nActionID: 12345678\r\n\r\n", 1000))
	buf := make([]byte, len(request))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, request)
		sess.consume(buf, len(buf))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/ping")
}

func BenchmarkEmit(b *testing.B) {
	s := NewServer(WithoutListener(), WithEventNumbers())
	defer s.Close()
	sess := newSession(s, discard{}, 1)
	sess.authed, sess.read = true, ClassAll
	s.replaceSessions([]*session{sess})
	evs := make([]Event, 100)
	for i := range evs {
		evs[i] = NewEvent("Newexten", "Channel", "PJSIP/100-00000001", "Context", "default", "Exten", "100", "Filler", strings.Repeat("x", 400))
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Emit(evs...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(evs)), "ns/event")
	s.replaceSessions(nil)
}

// discard is a connection that takes everything.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }
func (discard) Close() error                     { return nil }

// BenchmarkFlood measures events through a real socket, encoded once.
func BenchmarkFlood(b *testing.B) {
	s := NewServer(WithEventNumbers())
	defer s.Close()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("Action: Login\r\nUsername: admin\r\nSecret: secret\r\nEvents: call\r\n\r\n"))
	readUntil(b, conn, "accepted\r\n\r\n")
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	ev := NewEvent("Hangup", "Filler", strings.Repeat("x", 540))
	b.ResetTimer()
	if err := s.EmitRepeated(b.Context(), ev, b.N, 0); err != nil {
		b.Fatal(err)
	}
	for s.Ledger().EventsWritten < uint64(b.N) {
		time.Sleep(time.Millisecond)
	}
}
