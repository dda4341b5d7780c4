package ami_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A benchServer answers as fast as a server can that does next to nothing, so that what is measured is the client.
type benchServer struct {
	net.Listener
	serve func(*benchSession)
}

type benchSession struct {
	net.Conn
	r *bufio.Reader
}

func newBenchServer(b testing.TB, serve func(*benchSession)) *benchServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	s := &benchServer{l, serve}
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go s.session(nc)
		}
	}()
	return s
}

// session greets, takes the login and hands over.
func (s *benchServer) session(nc net.Conn) {
	defer nc.Close()
	_, _ = io.WriteString(nc, "Asterisk Call Manager/11.0.0\r\n")
	bs := &benchSession{nc, bufio.NewReaderSize(nc, 64<<10)}
	id := ""
	for {
		line, err := bs.r.ReadString('\n')
		if err != nil {
			return
		}
		if len(line) > 10 && line[:10] == "ActionID: " {
			id = line[10:]
		}
		if line == "\r\n" {
			break
		}
	}
	_, _ = io.WriteString(nc, "Response: Success\r\nActionID: "+id+"Message: Authentication accepted\r\n\r\n")
	s.serve(bs)
}

// pong answers Pings, all that one read brought with one write.
func pong(s *benchSession) {
	in := make([]byte, 0, 256<<10)
	var out []byte
	for {
		n, err := s.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in = in[:len(in)+n]
		out = out[:0]
		rest := in
		for {
			end := bytes.Index(rest, []byte("\r\n\r\n"))
			if end < 0 {
				break
			}
			i := bytes.Index(rest[:end], []byte("ActionID: "))
			id := rest[i+10 : end]
			if j := bytes.IndexByte(id, '\r'); j >= 0 {
				id = id[:j]
			}
			out = append(out, "Response: Success\r\nActionID: "...)
			out = append(out, id...)
			out = append(out, "\r\nPing: Pong\r\nTimestamp: 1795435200.123456\r\n\r\n"...)
			rest = rest[end+4:]
		}
		in = in[:copy(in[:cap(in)], rest)]
		if _, err := s.Write(out); err != nil {
			return
		}
	}
}

// readLines answers Pings as a plain server does: line by line, and its answers leave when nothing more is at hand.
func readLines(s *benchSession) {
	w := bufio.NewWriterSize(s, 64<<10)
	var id []byte
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return
		}
		name, value, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("ActionID")):
			id = append(id[:0], bytes.TrimSpace(value)...)
		case len(name) == 0:
			fmt.Fprintf(w, "Response: Success\r\nActionID: %s\r\nPing: Pong\r\nTimestamp: 1795435200.123456\r\n\r\n", id)
			if s.r.Buffered() == 0 && w.Flush() != nil {
				return
			}
		}
	}
}

func benchConn(b testing.TB, s *benchServer, events string) *ami.Conn {
	c, err := ami.Dial(context.Background(), ami.Config{Addr: s.Addr().String(), Username: "u", Secret: ami.StaticSecret("s"), Events: events})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// checkLedger voids a figure whose ledger is not exact.
func checkLedger(b testing.TB, l ami.Ledger) {
	b.Helper()
	if !l.Exact() || l.InFlight != 0 || l.Replied != l.Submitted {
		b.Fatalf("the ledger is not exact: %+v", l)
	}
}

func benchCallers(b *testing.B, callers int) {
	c := benchConn(b, newBenchServer(b, pong), "off")
	ctx := context.Background()
	ping := ami.NewAction("Ping")
	latency := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				start := time.Now()
				if _, err := c.Do(ctx, ping); err != nil {
					b.Error(err)
					return
				}
				latency[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	checkLedger(b, c.Stats().Ledger)
	slices.Sort(latency)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
	b.ReportMetric(float64(latency[len(latency)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkActions16(b *testing.B)  { benchCallers(b, 16) }
func BenchmarkActions256(b *testing.B) { benchCallers(b, 256) }

// Against a server that does next to nothing, and against a plain one.
func BenchmarkActionsBatch(b *testing.B)                    { benchBatch(b, pong) }
func BenchmarkActionsBatchPlainServer(b *testing.B)         { benchBatch(b, readLines) }
func BenchmarkReferenceRawPipeline(b *testing.B)            { benchRawPipeline(b, pong) }
func BenchmarkReferenceRawPipelinePlainServer(b *testing.B) { benchRawPipeline(b, readLines) }

func benchBatch(b *testing.B, serve func(*benchSession)) {
	c := benchConn(b, newBenchServer(b, serve), "off")
	ctx := context.Background()
	ping := ami.NewAction("Ping")
	batch := ami.NewBatch(ami.BatchOptions{})
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for i := range b.N {
			if err := c.Submit(ctx, ping, batch, uint64(i)); err != nil {
				b.Error(err)
			}
		}
	}()
	for range b.N {
		if r, err := batch.Next(ctx); err != nil || r.Err != nil {
			b.Fatal(err, r.Err)
		}
	}
	b.StopTimer()
	checkLedger(b, c.Stats().Ledger)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
}

// The limit: a socket that pipelines encoded Pings and counts the answers' ends.
func benchRawPipeline(b *testing.B, serve func(*benchSession)) {
	s := newBenchServer(b, serve)
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	r := bufio.NewReaderSize(nc, 64<<10)
	_, _ = r.ReadString('\n')
	_, _ = io.WriteString(nc, "Action: Login\r\nActionID: 1\r\n\r\n")
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

// manyEvents is a stream of n events of some 590 bytes and 24 headers.
func manyEvents(n int) []byte {
	var buf bytes.Buffer
	for i := range n {
		fmt.Fprintf(&buf, "Event: Newexten\r\nPrivilege: dialplan,all\r\nSequenceNumber: %d\r\nChannel: PJSIP/agent%04d-%08x\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: 1555%07d\r\nCallerIDName: Caller Number %d\r\nConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: acct-%d\r\nContext: from-internal-queue\r\nExten: s\r\nPriority: %d\r\nUniqueid: 1795435200.%d\r\nLinkedid: 1795435200.%d\r\nExtension: s\r\nApplication: Set\r\nAppData: CDR(userfield)=campaign-%d,stage-%d,attempt-3\r\nNode: pbx-3.example.com\r\nDomain: sip.example.com\r\nTransport: transport-udp\r\nExtra: 0123456789\r\n\r\n",
			i, i%1000, i, i, i, i%10, i%20, i, i, i%50, i%7)
	}
	return buf.Bytes()
}

// flood sends n events once told to, in large writes, and stays.
func flood(data []byte, repeat int, start <-chan struct{}) func(*benchSession) {
	return func(s *benchSession) {
		<-start
		for range repeat {
			if _, err := s.Write(data); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, s)
	}
}

func benchEvents(b *testing.B, o ami.SubscribeOptions, next func(*ami.Subscription) (*ami.Gap, error)) {
	const block = 1000
	data := manyEvents(block)
	repeat := b.N/block + 1
	start := make(chan struct{})
	s := newBenchServer(b, flood(data, repeat, start))
	c := benchConn(b, s, "on")
	o.RingEvents, o.RingBytes = 131072, 128<<20
	sub, err := c.Subscribe(o)
	if err != nil {
		b.Fatal(err)
	}
	total := repeat * block
	b.ReportAllocs()
	b.ResetTimer()
	close(start)
	if o.Events == nil {
		for range total {
			if gap, err := next(sub); err != nil || gap != nil {
				b.Fatal(err, gap)
			}
		}
	}
	for sub.Stats().Offered < uint64(total) {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	if st := sub.Stats(); st.Dropped > 0 || st.Offered != uint64(total) || st.Delivered+st.Filtered != uint64(total) {
		b.Fatalf("the ledger is not exact: %+v", st)
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkEvents(b *testing.B) {
	benchEvents(b, ami.SubscribeOptions{}, func(s *ami.Subscription) (*ami.Gap, error) {
		ev, err := s.Next(context.Background())
		return ev.Gap, err
	})
}

func BenchmarkEventsBorrowed(b *testing.B) {
	benchEvents(b, ami.SubscribeOptions{}, func(s *ami.Subscription) (*ami.Gap, error) {
		ev, err := s.NextBorrowed(context.Background())
		if err != nil {
			return nil, err
		}
		return ev.Gap, nil
	})
}

func BenchmarkEventsFiltered(b *testing.B) {
	benchEvents(b, ami.SubscribeOptions{Events: []string{"Hangup"}}, nil)
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

func benchNodes(b *testing.B, nodes, callers int) {
	s := newBenchServer(b, pong)
	cl := ami.NewCluster(ami.ClusterConfig{})
	defer cl.Close()
	ctx := context.Background()
	for i := range nodes {
		if _, err := cl.Add(ami.Config{Name: fmt.Sprint(i), Addr: s.Addr().String(), Username: "u", Secret: ami.StaticSecret("s")}); err != nil {
			b.Fatal(err)
		}
	}
	for _, n := range cl.Nodes() {
		if err := n.WaitReady(ctx); err != nil {
			b.Fatal(err)
		}
	}
	ping := ami.NewAction("Ping")
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for _, n := range cl.Nodes() {
		for range callers {
			wg.Go(func() {
				for next.Add(1) <= int64(b.N) {
					if _, err := n.Do(ctx, ping); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	b.StopTimer()
	checkLedger(b, cl.Stats().Ledger)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "actions/s")
}

func BenchmarkNodes100x16(b *testing.B)  { benchNodes(b, 100, 16) }
func BenchmarkNodes1000x16(b *testing.B) { benchNodes(b, 1000, 16) }

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
