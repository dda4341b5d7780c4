package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/natsserver"
	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 2 * time.Minute

// aBus returns the URL of a NATS server with JetStream.
func aBus(t *testing.T) string {
	t.Helper()
	s, err := natsserver.Start(natsserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.URL()
}

func dial(t *testing.T, url string) *nats.Conn {
	t.Helper()
	c, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func mustJetStream(t *testing.T, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func withJetStream(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	js := mustJetStream(t, dial(t, url))
	if err := ensureStream(t.Context(), js, "c", Storage{Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	if err := ensureBucket(t.Context(), js, "c", Storage{Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	return js
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func anEvent(text string) *ami.Event {
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text))
	m, _ := d.Next()
	return &ami.Event{Message: m.Clone(), Session: 1, Received: time.Now()}
}

func aBatch(text string) []byte {
	var w batch.Writer
	w.Add(anEvent(text))
	return w.Batch(nil)
}

// readAll reads so many records from the beginning.
func readAll(t *testing.T, conn *nats.Conn, n int) []string {
	t.Helper()
	c := fromStart(t.Context(), t, conn)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return records(ctx, t, c, n)
}

// records reads so many records.
func records(ctx context.Context, t *testing.T, c *Consumer, n int) (all []string) {
	t.Helper()
	for range n {
		_, r, err := c.Next(ctx)
		if err != nil {
			t.Fatalf("%v behind %q", err, all)
		}
		switch {
		case r.Owner != nil:
			all = append(all, fmt.Sprintf("owner %s %d", r.Owner.Bridge, r.Owner.Epoch))
		case r.Event.Gap != nil:
			all = append(all, "gap "+string(r.Event.Gap.Reason))
		default:
			all = append(all, strings.Clone(r.Event.Name()))
		}
	}
	return all
}

// Each node of a dead bridge goes to one of the others, all others have their share, and no other node moves.
func TestRank(t *testing.T) {
	bridges := []string{"a/1", "b/2", "c/3", "d/4"}
	share := make(map[string]int)
	for i := range 1000 {
		node := fmt.Sprintf("pbx%d", i)
		all, without := rank(node, bridges), rank(node, bridges[1:])
		if all != bridges[0] && all != without {
			t.Errorf("%s moves from %s to %s", node, all, without)
		}
		share[all]++
	}
	for _, b := range bridges {
		if share[b] < 200 || share[b] > 300 {
			t.Errorf("%s has %d nodes of 1000", b, share[b])
		}
	}
	if rank("pbx", nil) != "" {
		t.Error("nobody comes first where there is nobody")
	}
}

func sameAddr(a, b *ami.Config) bool { return a.Addr == b.Addr }

// bridging runs a bridge until stop, which returns when it has ended.
func bridging(t *testing.T, url, name string, nodes ...*amitest.Server) (stop func()) {
	t.Helper()
	return bridgingOn(t, url, name, func() []ami.Config { return configsOf(nodes...) })
}

func configsOf(nodes ...*amitest.Server) (all []ami.Config) {
	for _, srv := range nodes {
		all = append(all, ami.Config{Name: srv.Name(), Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	}
	return all
}

func bridgingOn(t *testing.T, url, name string, nodes func() []ami.Config) (stop func()) {
	t.Helper()
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return run(t, Options{Conn: conn, Cluster: "c", Name: name, Nodes: nodes})
}

// ownSession subscribes to a node by a session that is there for nothing else.
func ownSession(log *slog.Logger) func(ami.Config, ami.SubscribeOptions) (*Session, error) {
	return func(node ami.Config, o ami.SubscribeOptions) (*Session, error) {
		sessions := ami.NewCluster(ami.ClusterConfig{Logger: log})
		node.Events = "on"
		var n *ami.Node
		events, err := sessions.Subscribe(o)
		if err == nil {
			n, err = sessions.Add(node)
		}
		if err != nil {
			_ = sessions.Close()
			return nil, err
		}
		ping := func(ctx context.Context) (*ami.Reply, error) {
			a := ami.NewAction("Ping")
			a.WaitReady = true
			return n.Do(ctx, a)
		}
		return &Session{events, ping, func() {
			events.Close()
			_ = sessions.Close()
		}}, nil
	}
}

// run runs a bridge until stop, and ends its connection.
func run(t *testing.T, o Options) (stop func()) {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet()
	}
	o.Storage, o.Same, o.Events = Storage{Replicas: 1}, sameAddr, ownSession(quiet())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("bridge %s: %v", o.Name, err)
			}
			o.Conn.Close()
		})
	}
	t.Cleanup(stop)
	return stop
}

// A busReader reads everything of a bus, and remembers by node who owns it and what was seen, in words.
type busReader struct {
	t      *testing.T
	c      *Consumer
	owners map[string]string
	seen   map[string][]string
}

// readEverything begins to read once there is something to read.
func readEverything(t *testing.T, conn *nats.Conn) *busReader {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := Read(t.Context(), conn, ReadOptions{Cluster: "c", Start: Start{All: true}})
		if err == nil {
			return &busReader{t: t, c: c, owners: make(map[string]string), seen: make(map[string][]string)}
		}
		if time.Since(start) > patience {
			t.Fatal(err)
		}
	}
}

func (r *busReader) until(ctx context.Context, what string, done func() bool) {
	r.t.Helper()
	for !done() {
		node, record, err := r.c.Next(ctx)
		if err != nil {
			r.t.Fatalf("%s: %v; owners %v, seen %v", what, err, r.owners, r.seen)
		}
		switch {
		case record.Owner != nil:
			r.owners[node] = strings.Clone(record.Owner.Bridge)
			r.seen[node] = append(r.seen[node], "owner")
		case record.Event.Gap != nil:
			r.seen[node] = append(r.seen[node], "gap")
		case record.Event.Name() == "UserEvent":
			r.seen[node] = append(r.seen[node], strings.Clone(record.Event.Get("N")))
		}
	}
}

// judge holds what was seen to: each event once and in order, none missing but at a gap, and a gap for each new owner.
func (r *busReader) judge() {
	r.t.Helper()
	for node, list := range r.seen {
		previous, marks := int64(0), 0
		for i, word := range list {
			n, err := strconv.ParseInt(word, 10, 64)
			switch {
			case err != nil:
				marks++
			case n <= previous:
				r.t.Fatalf("%s: %d comes behind %d", node, n, previous)
			case n != previous+1 && previous != 0 && list[i-1] != "gap":
				r.t.Fatalf("%s: %d to %d are missing, without a gap", node, previous+1, n-1)
			}
			if err == nil {
				previous = n
			}
		}
		if marks != 2 && marks != 4 {
			r.t.Errorf("%s: %d marks; one owner or two, each with a gap, were expected", node, marks)
		}
	}
}

// What servers send is on the bus, each event once and in order; when a bridge ends another one goes on, and between them is a
// gap.
func TestBridge(t *testing.T) {
	url := aBus(t)
	servers := amitest.NewCluster(3)
	t.Cleanup(servers.Close)
	stopA := bridging(t, url, "a", servers.Servers()...)
	bridging(t, url, "b", servers.Servers()...)
	r := readEverything(t, dial(t, url))
	defer r.c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	everywhere := func(holds func(node string) bool) func() bool {
		return func() bool {
			return !slices.ContainsFunc(servers.Servers(), func(srv *amitest.Server) bool { return !holds(srv.Name()) })
		}
	}
	r.until(ctx, "no owners", everywhere(func(node string) bool { return r.owners[node] != "" }))
	var sent atomic.Int64
	emitting, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() {
		for ; emitting.Err() == nil; time.Sleep(time.Millisecond) {
			n := fmt.Sprint(sent.Add(1))
			for _, srv := range servers.Servers() {
				srv.EmitEvent("UserEvent", "N", n)
			}
		}
	})
	r.until(ctx, "no events", everywhere(func(node string) bool { return len(r.seen[node]) > 100 }))
	stopA()
	r.until(ctx, "b does not take over", everywhere(func(node string) bool { return r.owners[node] == "b" }))
	mark := sent.Load()
	r.until(ctx, "nothing comes from b", everywhere(func(node string) bool {
		n, _ := strconv.ParseInt(r.seen[node][len(r.seen[node])-1], 10, 64)
		return n > mark+100
	}))
	r.judge()
}

// The nodes of a bridge that has died are spread over the others, as each ranks for them, whoever looks first.
func TestDeadBridgesNodesAreSpread(t *testing.T) {
	url := aBus(t)
	js := withJetStream(t, url)
	servers := amitest.NewCluster(12)
	t.Cleanup(servers.Close)
	for _, srv := range servers.Servers() {
		if _, err := acquire(t.Context(), js, "c", srv.Name(), "dead/1", 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	bridging(t, url, "a", servers.Servers()...)
	bridging(t, url, "b", servers.Servers()...)
	conn := dial(t, url)
	c := fromStart(t.Context(), t, conn)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	owned := make(map[string]int)
	for n := 0; n < len(servers.Servers()); {
		_, r, err := c.Next(ctx)
		if err != nil {
			t.Fatalf("%v; nodes are owned so: %v", err, owned)
		}
		if r.Owner != nil {
			owned[strings.Clone(r.Owner.Bridge)]++
			n++
		}
	}
	if owned["a"] == 0 || owned["b"] == 0 {
		t.Errorf("nodes are owned so: %v", owned)
	}
}

// unhurried skips a test in which bridges keep to times of theirs, seconds at most, with -short: under the race detector on a busy host
// they cannot.
func unhurried(t *testing.T) {
	t.Helper()
	if testing.Short() {
		skip.Loudly(t, "bridges keep to seconds here, which says nothing with -short: go test without it runs this")
	}
}

// fromStart begins to read the cluster c, from the start.
func fromStart(ctx context.Context, t *testing.T, conn *nats.Conn) *Consumer {
	t.Helper()
	c, err := Read(ctx, conn, ReadOptions{Cluster: "c", Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
