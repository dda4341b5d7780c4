package ami_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The limit: a socket that pipelines encoded Pings and counts the answers' ends.
func benchRawPipeline(b *testing.B, addr string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	r := bufio.NewReaderSize(nc, 64<<10)
	_, _ = r.ReadString('\n')
	_, _ = io.WriteString(nc, "Action: Login\r\nActionID: 1\r\nUsername: u\r\nSecret: s\r\nEvents: off\r\n\r\n")
	for line := ""; line != "\r\n"; {
		line, _ = r.ReadString('\n')
	}
	b.ResetTimer()
	go func() {
		var out []byte
		for i := range b.N {
			out = fmt.Appendf(out, "Action: Ping\r\nActionID: 1-0123456789abcdef0123-%x.%x\r\n\r\n", i%4096, i/4096)
			if len(out) > 32<<10 || i == b.N-1 {
				_, _ = nc.Write(out)
				out = out[:0]
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for lines := 0; lines < 5*b.N; {
		k, err := r.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		lines += bytes.Count(buf[:k], []byte("\n"))
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
}

// What a straightforward engine does: a lock and a write a call, a channel and a timer a call, textproto for answers.
func BenchmarkReferenceNaive256(b *testing.B) {
	n := newNaive(b, newBenchServer(b, pong).Addr().String())
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 256 {
		wg.Go(func() {
			for next.Add(1) <= int64(b.N) {
				n.do(b)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
}

type naive struct {
	nc      net.Conn
	mu      sync.Mutex
	seq     int
	pending map[string]chan textproto.MIMEHeader
}

func newNaive(b testing.TB, addr string) *naive {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { nc.Close() })
	n := &naive{nc: nc, pending: map[string]chan textproto.MIMEHeader{}}
	r := textproto.NewReader(bufio.NewReader(nc))
	_, _ = r.ReadLine()
	_, _ = io.WriteString(nc, "Action: Login\r\nActionID: 1\r\n\r\n")
	_, _ = r.ReadMIMEHeader()
	go func() {
		for {
			h, err := r.ReadMIMEHeader()
			if err != nil {
				return
			}
			n.mu.Lock()
			ch := n.pending[h.Get("ActionID")]
			delete(n.pending, h.Get("ActionID"))
			n.mu.Unlock()
			ch <- h
		}
	}()
	return n
}

func (n *naive) do(b testing.TB) {
	ch := make(chan textproto.MIMEHeader, 1)
	n.mu.Lock()
	n.seq++
	id := fmt.Sprintf("naive-%d", n.seq)
	n.pending[id] = ch
	_, err := fmt.Fprintf(n.nc, "Action: Ping\r\nActionID: %s\r\n\r\n", id)
	n.mu.Unlock()
	if err != nil {
		b.Error(err)
		return
	}
	select {
	case <-ch:
	case <-time.After(30 * time.Second):
		b.Error("timed out")
	}
}

func benchSocket(b *testing.B, read func(net.Conn, int)) {
	const block = 1000
	data := manyEvents(block)
	repeat := b.N/block + 1
	start := make(chan struct{})
	s := newBenchServer(b, flood(data, repeat, start))
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, "Action: Login\r\nActionID: 1\r\n\r\n")
	for got, want := 0, len("Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n"); got < want; {
		n, err := nc.Read(make([]byte, want-got))
		if err != nil {
			b.Fatal(err)
		}
		got += n
	}
	b.ReportAllocs()
	b.ResetTimer()
	close(start)
	read(nc, repeat*len(data))
	b.StopTimer()
	b.ReportMetric(float64(repeat*block)/b.Elapsed().Seconds(), "events/s")
}

// The limit: a socket that reads and discards.
func BenchmarkReferenceDiscard(b *testing.B) {
	benchSocket(b, func(nc net.Conn, bytes int) {
		buf := make([]byte, 64<<10)
		for bytes > 0 {
			n, err := nc.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			bytes -= n
		}
	})
}

func BenchmarkReferenceTextprotoSocket(b *testing.B) {
	benchSocket(b, func(nc net.Conn, bytes int) {
		c := &countingReader{Conn: nc}
		r := textproto.NewReader(bufio.NewReaderSize(c, 64<<10))
		events := make(chan textproto.MIMEHeader, 1024)
		go func() {
			defer close(events)
			for c.n < bytes || r.R.Buffered() > 0 {
				h, err := r.ReadMIMEHeader()
				if err != nil {
					b.Error(err)
					return
				}
				events <- h
			}
		}()
		for range events {
		}
	})
}

type countingReader struct {
	net.Conn
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n += n
	return n, err
}

// A baseline for many nodes: a goroutine, a timer and a write a call.
func BenchmarkReferenceNaiveNodes100x16(b *testing.B)  { benchNaiveNodes(b, 100) }
func BenchmarkReferenceNaiveNodes1000x16(b *testing.B) { benchNaiveNodes(b, 1000) }

func benchNaiveNodes(b *testing.B, count int) {
	s := newBenchServer(b, pong)
	var next atomic.Int64
	var wg sync.WaitGroup
	var nodes []*naive
	for range count {
		nodes = append(nodes, newNaive(b, s.Addr().String()))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, n := range nodes {
		for range 16 {
			wg.Go(func() {
				for next.Add(1) <= int64(b.N) {
					n.do(b)
				}
			})
		}
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
}
