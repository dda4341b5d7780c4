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
	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/internal/natsserver"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

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

func withJetStream(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(dial(t, url))
	if err != nil {
		t.Fatal(err)
	}
	if err := ensureStream(t.Context(), js, "c", Storage{Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := ensureBucket(t.Context(), js, "c", Storage{Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	return js
}

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

func never(context.Context) error { return ErrTaken }

// An owner's batches stand behind each other, each once, until another one has taken over: then none of his goes in any more.
func TestPublisher(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	first, err := takeOver(ctx, js, "c", "pbx", batch.Owner{Bridge: "a", Epoch: 10, Time: time.Now()}, never)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := first.publish(ctx, aBatch(fmt.Sprintf("Event: A%d\r\n\r\n", i))); err != nil {
			t.Fatal(err)
		}
	}
	again := *first // a batch whose answer was lost is sent again: it is there already, once
	if err := first.publish(ctx, aBatch("Event: A3\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := again.publish(ctx, aBatch("Event: A3\r\n\r\n")); err != nil || again.last != first.last {
		t.Errorf("the same batch again: %v, sequence %d, want %d", err, again.last, first.last)
	}
	second, err := takeOver(ctx, js, "c", "pbx", batch.Owner{Bridge: "b", Epoch: 11, Time: time.Now()}, never)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.publish(ctx, aBatch("Event: Late\r\n\r\n")); !errors.Is(err, ErrFenced) {
		t.Errorf("the first owner writes behind the second: %v", err)
	}
	if err := second.publish(ctx, aBatch("Event: B0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := takeOver(ctx, js, "c", "pbx", batch.Owner{Bridge: "late", Epoch: 10}, never); !errors.Is(err, ErrTaken) {
		t.Errorf("an owner of an earlier epoch takes over: %v", err)
	}
	third, err := takeOver(ctx, js, "c", "pbx", batch.Owner{Bridge: "new", Epoch: 1, Time: time.Now()}, func(context.Context) error { return nil })
	if err != nil || third.epoch != 12 {
		t.Errorf("when the leases are new, the epoch goes on: %v, %v", third, err)
	}
	want := "owner a 10;A0;A1;A2;A3;owner b 11;gap disconnect;B0;owner new 12;gap disconnect"
	if got := strings.Join(readAll(t, js.Conn(), 10), ";"); got != want {
		t.Errorf("on the bus is\n%s\nwant\n%s", got, want)
	}
}

// readAll reads so many records from the beginning.
func readAll(t *testing.T, conn *nats.Conn, n int) (all []string) {
	t.Helper()
	c, err := Read(t.Context(), conn, ReadOptions{Cluster: "c", Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
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

// What a stream no longer has when a consumer comes to it is a gap, and the owner goes on when the stream is emptied.
func TestExpiredBatches(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	p, err := takeOver(ctx, js, "c", "pbx", batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, never)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Read(ctx, js.Conn(), ReadOptions{Cluster: "c", Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, r, err := c.Next(ctx); err != nil || r.Owner == nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, eventStream("c"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Read(ctx, js.Conn(), ReadOptions{Cluster: "c", Nodes: []string{"pbx"}, Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, _, err := other.Next(ctx); err != nil { // it has read the owner's mark
		t.Fatal(err)
	}
	for i := range 3 {
		if err := p.publish(ctx, aBatch(fmt.Sprintf("Event: A%d\r\n\r\n", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject.Events("c", "pbx"))); err != nil {
		t.Fatal(err)
	}
	if err := p.publish(ctx, aBatch("Event: Last\r\n\r\n")); err != nil {
		t.Fatalf("an owner cannot go on behind a purge: %v", err)
	}
	late, err := Read(ctx, js.Conn(), ReadOptions{Cluster: "c", Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	late.places = other.places // as if it had been slow
	var got []string
	for range 2 {
		_, r, err := late.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if g := r.Event.Gap; g != nil {
			got = append(got, string(g.Reason))
		} else {
			got = append(got, strings.Clone(r.Event.Name()))
		}
	}
	if s := strings.Join(got, " "); s != "expired Last" {
		t.Errorf("a slow consumer gets %q", s)
	}
}

// A lease is one bridge's until he gives it back or ends, and renewals do not take its end away.
func TestLease(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	mine, err := acquire(ctx, js, "c", "pbx.1", "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := acquire(ctx, js, "c", "pbx.1", "b", 0); !errors.Is(err, ErrTaken) {
		t.Errorf("two have it: %v", err)
	}
	if err := mine.renew(ctx); err != nil || !mine.fresh() {
		t.Errorf("renewing: %v", err)
	}
	last, err := lastOf(ctx, js, "KV_"+leaseBucket("c"), leaseSubject("c", "pbx.1"))
	if err != nil || last == nil || !strings.Contains(string(last.Header), "Nats-TTL: 15s") {
		t.Fatalf("a renewed lease has no end: %v %v", last, err)
	}
	mine.revision = 1 << 40 // the answer to a renewal was lost: the revision is another, and still ours
	if err := mine.renew(ctx); err != nil || mine.revision != last.Sequence {
		t.Errorf("a renewal whose answer was lost: %v, revision %d", err, mine.revision)
	}
	theirs, err := acquire(ctx, js, "c", "pbx.1", "b", mine.revision) // who takes us for dead
	if err != nil || theirs.epoch <= mine.epoch {
		t.Fatalf("taking over: %v", err)
	}
	if err := mine.renew(ctx); !errors.Is(err, ErrTaken) {
		t.Errorf("a lost lease is renewed: %v", err)
	}
	if err := mine.release(ctx); err != nil {
		t.Errorf("giving back what is another's: %v", err)
	}
	if err := theirs.renew(ctx); err != nil {
		t.Errorf("it took the other's away: %v", err)
	}
	if err := theirs.release(ctx); err != nil {
		t.Fatal(err)
	}
	bucket, err := js.KeyValue(ctx, leaseBucket("c"))
	if err != nil {
		t.Fatal(err)
	}
	board, err := watchLeases(ctx, bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer board.stop()
	s := board.of("pbx.1")
	if s.holder != "" {
		t.Errorf("a lease that was given back is %q's", s.holder)
	}
	if next, err := acquire(ctx, js, "c", "pbx.1", "c", s.revision); err != nil || next.epoch <= theirs.epoch {
		t.Errorf("the next one: %v", err)
	}
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

// bridging runs a bridge until stop, which returns when it has ended.
func bridging(t *testing.T, url, name string, nodes ...*amitest.Server) (stop func()) {
	t.Helper()
	var configs []ami.Config
	for _, srv := range nodes {
		configs = append(configs, ami.Config{Name: srv.Name(), Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	}
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Conn: conn, Cluster: "c", Name: name, Nodes: func() []ami.Config { return configs }, Storage: Storage{Replicas: 1}, Log: slog.New(slog.DiscardHandler)})
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("bridge %s: %v", name, err)
			}
			conn.Close()
		})
	}
	t.Cleanup(stop)
	return stop
}

// What servers send is on the bus, each event once and in order; when a bridge ends another one goes on, and between them is a
// gap.
func TestBridge(t *testing.T) {
	url := aBus(t)
	servers := amitest.NewCluster(3)
	t.Cleanup(servers.Close)
	stopA := bridging(t, url, "a", servers.Servers()...)
	bridging(t, url, "b", servers.Servers()...)
	conn := dial(t, url)
	var c *Consumer
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if c, err = Read(t.Context(), conn, ReadOptions{Cluster: "c", Start: Start{All: true}}); err == nil {
			break
		}
		if time.Since(start) > patience {
			t.Fatal(err)
		}
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	owners, seen := make(map[string]string), make(map[string][]string)
	until := func(what string, done func() bool) {
		t.Helper()
		for !done() {
			node, r, err := c.Next(ctx)
			if err != nil {
				t.Fatalf("%s: %v; owners %v, seen %v", what, err, owners, seen)
			}
			switch {
			case r.Owner != nil:
				owners[node] = strings.Clone(r.Owner.Bridge)
				seen[node] = append(seen[node], "owner")
			case r.Event.Gap != nil:
				seen[node] = append(seen[node], "gap")
			case r.Event.Name() == "UserEvent":
				seen[node] = append(seen[node], strings.Clone(r.Event.Get("N")))
			}
		}
	}
	everywhere := func(holds func(node string) bool) func() bool {
		return func() bool {
			return !slices.ContainsFunc(servers.Servers(), func(srv *amitest.Server) bool { return !holds(srv.Name()) })
		}
	}
	until("no owners", everywhere(func(node string) bool { return owners[node] != "" }))
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
	until("no events", everywhere(func(node string) bool { return len(seen[node]) > 100 }))
	stopA()
	until("b does not take over", everywhere(func(node string) bool { return owners[node] == "b" }))
	mark := sent.Load()
	until("nothing comes from b", everywhere(func(node string) bool {
		n, _ := strconv.ParseInt(seen[node][len(seen[node])-1], 10, 64)
		return n > mark+100
	}))
	for node, list := range seen {
		previous, marks := int64(0), 0
		for i, word := range list {
			n, err := strconv.ParseInt(word, 10, 64)
			switch {
			case err != nil:
				marks++
			case n <= previous:
				t.Fatalf("%s: %d comes behind %d", node, n, previous)
			case n != previous+1 && previous != 0 && list[i-1] != "gap":
				t.Fatalf("%s: %d to %d are missing, without a gap", node, previous+1, n-1)
			}
			if err == nil {
				previous = n
			}
		}
		if marks != 1 && marks != 3 {
			t.Errorf("%s: %d marks; an owner, or two with a gap, were expected", node, marks)
		}
	}
}
