package bus

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tidwall/gjson"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/natsserver"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// aBus returns the URL of a bus with a bridge of the cluster c on it, which owns these servers.
func aBus(t *testing.T, servers ...*amitest.Server) string {
	t.Helper()
	s, err := natsserver.Start(natsserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	conn, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	var nodes []ami.Config
	for _, srv := range servers {
		nodes = append(nodes, ami.Config{Name: srv.Name(), Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "on"})
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- bus.Run(ctx, bus.Options{
			Conn: conn, Cluster: "c", Name: "a", Nodes: func() []ami.Config { return nodes }, Storage: bus.Storage{Replicas: 1}, Log: quiet(),
			Same: func(a, b *ami.Config) bool { return a.Addr == b.Addr }, Events: session,
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		conn.Close()
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		info, err := bus.Inspect(ctx, conn, "c")
		owned := 0
		if err == nil {
			for _, n := range info.Nodes {
				if n.Bridge == "a" && n.Batches > 0 {
					owned++
				}
			}
		}
		if owned == len(servers) {
			return s.URL()
		}
		if time.Now().After(end) {
			t.Fatalf("the bridge owns %d of %d nodes: %v", owned, len(servers), err)
		}
	}
}

// session reads a node's events on a session that is there for nothing else.
func session(node ami.Config, o ami.SubscribeOptions) (*bus.Session, error) {
	c := ami.NewCluster(ami.ClusterConfig{})
	events, err := c.Subscribe(o)
	var n *ami.Node
	if err == nil {
		n, err = c.Add(node)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	ping := func(ctx context.Context) (*ami.Reply, error) {
		a := ami.NewAction("Ping")
		a.WaitReady = true
		return n.Do(ctx, a)
	}
	return &bus.Session{Events: events, Ping: ping, End: func() { events.Close(); _ = c.Close() }}, nil
}

// busAt is a bus that --nats and --cluster name.
func busAt(url, cluster string) (b target.Bus) {
	for i, value := range []string{url, cluster} {
		*b.Flags()[i].(*cli.StringFlag).Destination = value
	}
	return b
}

// A bridge takes a moment to own its nodes: one is for all that looks at a bus.
func TestOnABus(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	url := aBus(t, srv, runtest.Server(t, "pbx2"), runtest.Server(t, "fra1"))
	t.Run("shown", func(t *testing.T) { shown(t, url) })
	t.Run("acting", func(t *testing.T) { acting(t, url) })
	t.Run("reading", func(t *testing.T) { reading(t, url, srv) })
	t.Run("broken", func(t *testing.T) { broken(t, url) }) // the last, for it stays so
}

// What there is on a bus is shown: its nodes and who owns them, and that nothing is missing.
func shown(t *testing.T, url string) {
	for name, test := range map[string]struct {
		do   doing
		path string
		want string
	}{
		"info":   {info, "..#.[type,cluster,node,bridge]", `[["bus-node","c","fra1","a"],["bus-node","c","pbx1","a"],["bus-node","c","pbx2","a"]]`},
		"verify": {verify, "..#.[type,node,owners,faults]", `[["bus-ledger","fra1",1,[]],["bus-ledger","pbx1",1,[]],["bus-ledger","pbx2",1,[]]]`},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{})
			b := busAt(url, "c")
			if err := onBus(t.Context(), r.Run, &b, test.do); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, gjson.Get(r.Out.String(), test.path).Raw); diff != "" {
				t.Errorf("%s%s", diff, r.Out)
			}
			if said := r.Err.String(); strings.Contains(said, " batches, ") != (name == "info") || strings.Contains(said, "stand") || strings.Contains(said, "durable") {
				t.Errorf("it says %q", said)
			}
		})
	}
	for bridge, want := range map[string]string{"a": "", "zz": "zz"} {
		r := runtest.New(t, runtest.Setup{})
		b := busAt(url, "c")
		err := onBus(t.Context(), r.Run, &b, func(ctx context.Context, r *run.Run, conn *nats.Conn, cluster string) error {
			return move(ctx, r, conn, cluster, "pbx1", bridge)
		})
		runtest.Refused(t, err, fail.CodeUsage, want)
	}
}

// A bus that is not given, or not there, is told of with its URL, without a password that stands in it.
func TestNoBus(t *testing.T) {
	none := func(context.Context, *run.Run, *nats.Conn, string) error { return errors.New("it went on") }
	r := runtest.New(t, runtest.Setup{})
	b := busAt("", "")
	runtest.Refused(t, onBus(t.Context(), r.Run, &b, none), fail.CodeUsage, "no bus is given")
	b = busAt("nats://127.0.0.1:1", "")
	runtest.Refused(t, onBus(t.Context(), r.Run, &b, none), fail.CodeUsage, "may have several clusters")
	b = busAt("nats://u:geheim@127.0.0.1:1", "c")
	err := onBus(t.Context(), r.Run, &b, none)
	runtest.Refused(t, err, fail.CodeUsage, "a secret in a URL is refused")
	if strings.Contains(fail.Classify(err).Message, "geheim") {
		t.Errorf("it says %v", err)
	}
	b = busAt("nats://127.0.0.1:1", "c")
	runtest.Refused(t, onBus(t.Context(), r.Run, &b, none), fail.CodeConnect, "nats://127.0.0.1:1: ")
	if _, err := read(t.Context(), run.BusQuery{BusAddress: run.BusAddress{URL: "nats://127.0.0.1:1", Cluster: "c"}, Log: quiet()}); err == nil {
		t.Error("a bus that is not there is read")
	}
	if _, err := act(t.Context(), run.BusQuery{BusAddress: run.BusAddress{URL: "nats://127.0.0.1:1", Cluster: "c"}, Log: quiet()}, time.Second); err == nil {
		t.Error("a bus that is not there takes actions")
	}
}

// A move needs a node and a bridge, and a bus.
func TestWordsOfAMove(t *testing.T) {
	for words, want := range map[string]string{"": "bus move needs a node and a bridge", "pbx1": "bus move needs", "pbx1 a b": "bus move needs", "pbx1 b": "no bus is given"} {
		r := runtest.New(t, runtest.Setup{})
		err := moveCommand(r.Run).Run(t.Context(), append([]string{"move"}, strings.Fields(words)...))
		runtest.Refused(t, err, fail.CodeUsage, want)
	}
}

// What is on a bus that no bridge wrote is a fault, of its node alone.
func broken(t *testing.T, url string) {
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), subject.Events("c", "pbx2"), []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	r := runtest.New(t, runtest.Setup{})
	b := busAt(url, "c")
	err = onBus(t.Context(), r.Run, &b, verify)
	if f := fail.Classify(err); f.Exit != fail.ExitFailed {
		t.Errorf("a stream with rubbish is verified with %d: %v", f.Exit, err)
	}
	if got := gjson.Get(r.Out.String(), `..#(faults.#>0)#.node`).Raw; got != `["pbx2"]` {
		t.Errorf("faults are those of %s: %s", got, r.Out)
	}
}

// What is done with a bus by a run that is stopped ends as the run does.
func TestStoppedOnABus(t *testing.T) {
	s, err := natsserver.Start(natsserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r := runtest.New(t, runtest.Setup{})
	b := busAt(s.URL(), "c")
	err = onBus(ctx, r.Run, &b, func(ctx context.Context, _ *run.Run, _ *nats.Conn, _ string) error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	runtest.Refused(t, onBus(t.Context(), r.Run, &b, info), fail.CodeConnect, s.URL())
}

// Nodes are meant by name, by a glob or all; only for names the bus is not asked.
func acting(t *testing.T, url string) {
	for of, want := range map[string]string{"": "fra1 pbx1 pbx2", "pbx*": "pbx1 pbx2", "pbx2": "pbx2", "nosuch": "nosuch", "fra1 pbx?": "fra1 pbx1 pbx2", "z*": ""} {
		for _, events := range []bool{false, true} {
			q := run.BusQuery{BusAddress: run.BusAddress{URL: url, Cluster: "c", User: "amictl"}, Nodes: strings.Fields(of), Events: events, Log: quiet()}
			ctx, cancel := context.WithCancel(t.Context())
			nodes, err := act(ctx, q, time.Second)
			var names []string
			for _, n := range nodes {
				names = append(names, n.Name)
			}
			if got := strings.Join(names, " "); got != want || err != nil {
				t.Errorf("%q: %q, %v", of, got, err)
			}
			cancel()
		}
	}
	if _, err := act(t.Context(), run.BusQuery{BusAddress: run.BusAddress{URL: url, Cluster: "nosuch", User: "amictl"}, Log: quiet()}, time.Second); err == nil {
		t.Error("a cluster that is not there has nodes")
	}
}

// Events of a bus are read as far as it has them; a stream that ends early says so, and one that is stopped does not.
func reading(t *testing.T, url string, srv *amitest.Server) {
	at := run.BusQuery{BusAddress: run.BusAddress{URL: url, Cluster: "c"}, All: true, Log: quiet()}
	stored := at
	stored.Stored = true
	s, err := read(t.Context(), stored)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = s.NextBorrowed(t.Context())
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("what is stored ends with %v", err)
	}
	s.Close()
	if s, err = read(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	srv.EmitEvent("Mine", "A", "1")
	for {
		ev, err := s.NextBorrowed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ev.Gap == nil && ev.Name() == "Mine" {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.NextBorrowed(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a reading that is stopped ends with %v", err)
	}
	s.Close()
	at.Cluster = "nosuch"
	if _, err := read(t.Context(), at); err == nil {
		t.Error("a cluster that is not there is read")
	}
}
