package proof

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// flood is the process of so many nodes. It prints their addresses, reads a line "EVENTS RATE", and has each node send so many events
// to its client, at a rate a second, 0 for as fast as they are read.
func flood() {
	n, _ := strconv.Atoi(os.Getenv(floodVariable))
	begin := make(chan struct{})
	var events, rate float64
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Addr())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					if shapes.LetIn(c) == nil {
						<-begin
						sendCalls(c, events, rate)
						_, _ = io.Copy(io.Discard, c) // until the client goes
					}
				}()
			}
		}()
	}
	in := bufio.NewReader(os.Stdin)
	if _, err := fmt.Fscan(in, &events, &rate); err == nil {
		close(begin)
		_, _ = io.Copy(io.Discard, in)
	}
}

// sendCalls sends so many events of calls.
func sendCalls(c net.Conn, events, rate float64) {
	packets := strings.SplitAfter(shapes.Calls(), "\r\n\r\n")
	const some = 100
	for start, sent := time.Now(), 0; float64(sent) < events; {
		if rate > 0 {
			time.Sleep(time.Until(start.Add(time.Duration(float64(sent) / rate * float64(time.Second)))))
		}
		at := sent % (len(packets) - 1)
		n := min(some, int(events)-sent, len(packets)-1-at)
		if _, err := io.WriteString(c, strings.Join(packets[at:at+n], "")); err != nil {
			return
		}
		sent += n
	}
}

// startFlood starts the process, and returns its nodes' addresses and what begins the flood.
func startFlood(b *testing.B, n int) (addrs []string, begin func(events int, rate float64)) {
	b.Helper()
	c := exec.Command(os.Args[0]) //nolint:gosec // itself
	c.Env = append(os.Environ(), floodVariable+"="+strconv.Itoa(n))
	stdin, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stdin.Close(); _ = c.Wait() })
	lines := bufio.NewReader(out)
	for range n {
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		addrs = append(addrs, strings.TrimSpace(line))
	}
	return addrs, func(events int, rate float64) { _, _ = fmt.Fprintln(stdin, events, rate) }
}

// BenchmarkFlood is what comes from servers through a bridge and nats-server to `tail -o none`, five processes. An operation is one
// event of about 340 bytes. "max" sends as fast as the bridge reads, and what memory has no room for is dropped, and marked; the
// others send at a pace at which nothing is to be dropped.
func BenchmarkFlood(b *testing.B) {
	for _, count := range []int{8, 1} {
		for _, rate := range []int{0, 100_000, 200_000, 400_000} {
			name := fmt.Sprintf("nodes=%d/rate=%dk", count, rate/1000)
			if rate == 0 {
				name = fmt.Sprintf("nodes=%d/rate=max", count)
			}
			b.Run(name, func(b *testing.B) { benchmarkFlood(b, count, float64(rate)/float64(count)) })
		}
	}
}

func benchmarkFlood(b *testing.B, count int, rate float64) {
	if b.N == 1 { // it begins with one, which would take seconds
		return
	}
	addrs, begin := startFlood(b, count)
	none := &nodes{}
	l := &lab{t: b, dir: b.TempDir(), cluster: cluster, servers: startServers(b, 1, "").start(), nodes: none, bridges: make(map[string]*bridge)}
	l.js = l.servers.connect()
	secret, config := filepath.Join(l.dir, "secret"), filepath.Join(l.dir, "config.toml")
	text := fmt.Sprintf("context = \"lab\"\n[contexts.lab]\nuser = \"admin\"\nsecret = \"file:%s\"\nnats = %q\ncluster = %q\n", secret, l.servers.urls(), cluster)
	for i, addr := range addrs {
		text += fmt.Sprintf("[contexts.lab.nodes.pbx%d]\nurl = \"ami://%s\"\n", i+1, addr)
	}
	for path, text := range map[string]string{secret: "secret\n", config: text} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	bridge := start(b, "bridge", l.env(config), amictld, "serve", "--log", "json", "--bridge", "a")
	eventually(b, "the bridge is logged in", func() bool {
		return strings.Count(bridge.tail(mostLines), `"to":"ready"`) == count
	})
	each := b.N / count
	tail := start(b, "tail", l.env(config), amictld, "tail", "-q", "-o", "none", "--count", strconv.Itoa(each*count))
	eventually(b, "tail reads", func() bool { info := infoOf(l.js, stream); return info != nil && info.State.Consumers > 0 })
	server := l.servers.all["s1"].process
	usedBridge, usedServer := processorTime(b, bridge), processorTime(b, server)
	b.ResetTimer()
	begun := time.Now()
	begin(each, rate)
	if status := tail.end(); status != 0 {
		b.Fatalf("tail ended with %d: %s", status, tail.tail(5))
	}
	took := time.Since(begun)
	b.StopTimer()
	perEvent := func(d time.Duration) float64 { return float64(d) / float64(each*count) }
	b.ReportMetric(perEvent(processorTime(b, bridge)-usedBridge), "bridge-cpu-ns/op")
	b.ReportMetric(perEvent(processorTime(b, server)-usedServer), "server-cpu-ns/op")
	b.ReportMetric(perEvent(tail.ProcessState.UserTime()+tail.ProcessState.SystemTime()), "tail-cpu-ns/op")
	packets, dropped := uint64(0), uint64(0)
	for _, one := range l.verify() {
		packets += one.Packets
		dropped += one.Dropped
	}
	b.ReportMetric(float64(packets)/took.Seconds(), "events/s") // that were not dropped
	b.ReportMetric(float64(dropped)/float64(each*count), "dropped/op")
	if want := uint64(each * count); packets+dropped < want || packets+dropped > want+uint64(2*count) { //nolint:gosec // not negative; logins have answers
		b.Errorf("%d events were sent; %d are on the bus, and %d are marked as dropped", want, packets, dropped)
	}
}

// processorTime is what a process has used so far, of all cores.
func processorTime(b *testing.B, p *process) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100
}

// BenchmarkBatches is what batches are good for: the same events, published unchained, with Msg-Ids, one a message and in batches of
// 64 KiB, in turns. An operation is an event.
func BenchmarkBatches(b *testing.B) {
	if b.N == 1 {
		return
	}
	js := startServers(b, 1, "").start().connect()
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.FileStorage}); err != nil {
		b.Fatal(err)
	}
	events := callEvents(b)
	const rounds = 4
	var one, many time.Duration
	b.ResetTimer()
	for round := range rounds {
		name := func(kind string, i int) string { return fmt.Sprintf("%s.%d.%d", kind, round, i) }
		one += publishing(b, js, 4000, func(publish func(id string, data []byte)) {
			for i := range b.N / rounds {
				publish(name("one", i), []byte(events[i%len(events)].Text()))
			}
		})
		many += publishing(b, js, 64, func(publish func(id string, data []byte)) {
			var w batch.Writer
			for i := range b.N / rounds {
				if w.Add(events[i%len(events)]); w.Len() >= 64<<10 {
					publish(name("many", i), w.Batch(nil))
				}
			}
			if w.Records() > 0 {
				publish(name("many", b.N), w.Batch(nil))
			}
		})
	}
	b.ReportMetric(float64(b.N)/one.Seconds(), "one-events/s")
	b.ReportMetric(float64(b.N)/many.Seconds(), "batched-events/s")
	b.ReportMetric(one.Seconds()/many.Seconds(), "ratio")
}

// callEvents are the events of calls, decoded.
func callEvents(b *testing.B) (all []*ami.Event) {
	b.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(shapes.Calls()))
	for {
		m, err := d.Next()
		if err != nil {
			return all
		}
		all = append(all, &ami.Event{Message: m.Clone(), Session: 1, Seq: uint64(len(all) + 1), Received: time.Now()}) //nolint:gosec // not negative
	}
}

// publishing measures until all that was published is acknowledged, with at most so many messages on the way.
func publishing(b *testing.B, js jetstream.JetStream, window int, all func(publish func(id string, data []byte))) time.Duration {
	b.Helper()
	js, err := jetstream.New(js.Conn(), jetstream.WithPublishAsyncMaxPending(window), jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) { b.Error(err) }))
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	all(func(id string, data []byte) {
		if _, err := js.PublishAsync("s.pbx", data, jetstream.WithMsgID(id), jetstream.WithStallWait(patience)); err != nil {
			b.Fatal(err)
		}
	})
	<-js.PublishAsyncComplete()
	return time.Since(begun)
}

// BenchmarkLatency is how long an event takes from a server through a bridge and nats-server to a consumer, at 1,000 events a second,
// beside a bare NATS message to a subscriber, and one through JetStream to an ordered consumer, in the same seconds. An operation is an
// event.
func BenchmarkLatency(b *testing.B) {
	if b.N < 1000 {
		return
	}
	l := newLab(b, startServers(b, 1, "").start(), 1)
	l.bridge("a", "", nil)
	l.read()
	l.owned()
	bare := bareLatency(b, l.servers)
	stored := storedLatency(b, l.servers)
	sent := make([]time.Time, b.N+1)
	came := make([]time.Time, b.N+1)
	l.reader.hear(func(number uint64, at time.Time) {
		if number <= uint64(b.N) && came[number].IsZero() { //nolint:gosec // not negative
			came[number] = at
		}
	})
	n := l.nodes.all[0]
	b.ResetTimer()
	for i, start := 1, time.Now(); i <= b.N; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Millisecond)))
		bare.send()
		stored.send()
		sent[i] = time.Now()
		n.emit("of the usual size, which is some hundred bytes: " + strings.Repeat("x", 200))
	}
	b.StopTimer()
	eventually(b, "all have come", func() bool {
		return l.reader.has(func(k *book) bool { return k.of(n.Name()).last == uint64(b.N) }) && bare.all(b.N) && stored.all(b.N) //nolint:gosec // not negative
	})
	l.reader.finish()
	var took []time.Duration
	for i := 1; i <= b.N; i++ {
		took = append(took, came[i].Sub(sent[i]))
	}
	report := func(name string, took []time.Duration) (p50, p99 float64) {
		slices.Sort(took)
		p50, p99 = took[len(took)/2].Seconds()*1e6, took[len(took)*99/100].Seconds()*1e6
		b.ReportMetric(p50, name+"-p50-us")
		b.ReportMetric(p99, name+"-p99-us")
		return p50, p99
	}
	bus50, bus99 := report("bus", took)
	for name, other := range map[string]*messages{"bare": bare, "jetstream": stored} {
		p50, p99 := report(name, other.took())
		b.ReportMetric(bus50/p50, name+"-ratio-p50")
		b.ReportMetric(bus99/p99, name+"-ratio-p99")
	}
}

// messages are numbered, and sent and received by this process.
type messages struct {
	publish func(data []byte)

	mu         sync.Mutex // guards what follows
	sent, came []time.Time
	heard      int
}

// send sends the next one, of an event's size.
func (m *messages) send() {
	m.mu.Lock()
	data := fmt.Appendf(nil, "%-300d", len(m.sent))
	m.came = append(m.came, time.Time{})
	m.sent = append(m.sent, time.Now())
	m.mu.Unlock()
	m.publish(data)
}

func (m *messages) take(data []byte) {
	now := time.Now()
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && n < len(m.came) {
		m.came[n] = now
		m.heard++
	}
}

func (m *messages) all(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard == n
}

// took is how long each was on the way.
func (m *messages) took() (all []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.sent {
		all = append(all, m.came[i].Sub(m.sent[i]))
	}
	return all
}

// bareLatency measures messages of NATS alone, on a connection each for who sends and who receives.
func bareLatency(b *testing.B, s *servers) *messages {
	b.Helper()
	m := &messages{}
	from, to := s.connect().Conn(), s.connect().Conn()
	m.publish = func(data []byte) {
		if err := from.Publish("bare", data); err != nil {
			b.Error(err)
		}
	}
	if _, err := to.Subscribe("bare", func(msg *nats.Msg) { m.take(msg.Data) }); err != nil {
		b.Fatal(err)
	}
	if err := to.Flush(); err != nil {
		b.Fatal(err)
	}
	return m
}

// storedLatency measures messages through a stream to an ordered consumer.
func storedLatency(b *testing.B, s *servers) *messages {
	b.Helper()
	m := &messages{}
	from, to := s.connect(), s.connect()
	kept, err := to.CreateStream(b.Context(), jetstream.StreamConfig{Name: "STORED", Subjects: []string{"stored"}, Storage: jetstream.FileStorage})
	if err != nil {
		b.Fatal(err)
	}
	m.publish = func(data []byte) {
		if _, err := from.PublishAsync("stored", data); err != nil {
			b.Error(err)
		}
	}
	ordered, err := kept.OrderedConsumer(b.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	consuming, err := ordered.Consume(func(msg jetstream.Msg) { m.take(msg.Data()) })
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(consuming.Stop)
	return m
}

// BenchmarkAction is how long a Ping takes over the bus, against the same on a session of one's own and against a bare request of NATS,
// one after the other. Its excess is what the bus adds to the direct way, in bare round trips.
func BenchmarkAction(b *testing.B) {
	users := filepath.Join(b.TempDir(), "users.toml")
	if err := os.WriteFile(users, []byte("[[users]]\nname = \"crm\"\nnats = true\nactions = [\"Ping\"]\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	l := newLab(b, startServers(b, 1, "").start(), 1, "--users", users)
	l.bridge("a", "", nil)
	l.read()
	l.owned()
	n := l.nodes.all[0]
	direct, err := ami.Dial(b.Context(), ami.Config{Addr: n.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "off"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = direct.Close() })
	echo, conn := l.servers.connect().Conn(), l.servers.connect().Conn()
	if _, err := echo.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		b.Fatal(err)
	}
	if err := echo.Flush(); err != nil {
		b.Fatal(err)
	}
	request := func(subject, want string) error {
		m, err := conn.Request(subject, nil, 10*time.Second)
		if err == nil && !strings.Contains(string(m.Data), want) {
			err = fmt.Errorf("%q", m.Data)
		}
		return err
	}
	ways := []struct {
		name string
		do   func() error
		took []time.Duration
	}{
		{name: "direct", do: func() error { _, err := direct.Do(b.Context(), ami.Action{Name: "Ping"}); return err }},
		{name: "bare", do: func() error { return request("echo", "") }},
		{name: "bus", do: func() error { return request("ami.act."+cluster+"."+n.Name()+".crm.Ping", "Response: Success") }},
	}
	for b.Loop() {
		for i := range ways {
			w := &ways[i]
			start := time.Now()
			if err := w.do(); err != nil {
				b.Fatal(w.name, err)
			}
			w.took = append(w.took, time.Since(start))
		}
	}
	at := make(map[string]float64)
	for _, w := range ways {
		slices.Sort(w.took)
		at[w.name] = w.took[len(w.took)/2].Seconds() * 1e6
		b.ReportMetric(at[w.name], w.name+"-p50-us")
	}
	b.ReportMetric((at["bus"]-at["direct"])/at["bare"], "excess")
}
