package busdoor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/natsserver"
	"github.com/apntalk/amictl/internal/serve/busdoor"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/ami/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// A world is some servers, the bridges between them and a bus, and who follows them over the bus.
type world struct {
	t        *testing.T
	rng      *rand.Rand
	url      string // of the bus
	servers  []*amitest.Server
	bridges  map[string]func() // by name; each ends one
	overBus  []ami.Config
	watchers []*state.Watcher // that began at different times

	kicks, changes int // sessions that were cut, bridges that ended
	compared       int // objects
}

// TestStateOverTheBus plays random calls, queues, conferences and parking on servers whose events come late, with sessions that are cut
// and bridges that hand their nodes over or are gone for a while. At each quiet point what is held over the bus must be what somebody
// finds who asks the servers; nothing is listed again to correct it.
//
// AMICTL_SEEDS says how many seeds to run, AMICTL_SEED with which to begin.
func TestStateOverTheBus(t *testing.T) {
	first, n := max(1, number("AMICTL_SEED")), max(1, number("AMICTL_SEEDS"))
	kicks, changes := 0, 0
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, uint64(seed)) //nolint:gosec // small
			for phase := range 2 {
				for i := range 120 {
					if i%60 == 30 {
						w.watchers = append(w.watchers, w.follow(w.overBus))
					}
					w.act()
					time.Sleep(time.Duration(w.rng.IntN(30)) * time.Millisecond)
				}
				w.bridge("a") // so that somebody owns the nodes
				w.compare(fmt.Sprintf("quiet point %d", phase))
			}
			kicks, changes = kicks+w.kicks, changes+w.changes
			t.Logf("%d sessions cut, %d bridges ended, %d objects compared, nodes: %+v", w.kicks, w.changes, w.compared, *w.watchers[0].Snapshot().Nodes[0])
		})
	}
	if kicks == 0 || changes == 0 {
		t.Errorf("sessions were cut %d times, bridges ended %d times", kicks, changes)
	}
}

func number(name string) int {
	n, _ := strconv.Atoi(os.Getenv(name))
	return n
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	nats, err := natsserver.Start(natsserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 3)), url: nats.URL(), bridges: make(map[string]func())}
	for i := range 2 {
		srv := amitest.NewServer(amitest.WithName(fmt.Sprintf("pbx%d", i)), amitest.WithSeed(seed), amitest.WithSettings(amitest.Settings{AuthLimit: 1000}), amitest.WithSetup(furnish))
		srv.DelayEvents(time.Duration(w.rng.IntN(200)) * time.Millisecond)
		t.Cleanup(srv.Close)
		w.servers = append(w.servers, srv)
	}
	w.bridge("a")
	conn := w.dial()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	events, err := bus.Read(ctx, conn, bus.ReadOptions{Cluster: "c"})
	for ; err != nil && ctx.Err() == nil; events, err = bus.Read(ctx, conn, bus.ReadOptions{Cluster: "c"}) {
		time.Sleep(10 * time.Millisecond) // the bridge has yet to make the stream
	}
	if err != nil {
		t.Fatal(err)
	}
	caller, err := bus.NewCaller(conn, "c", "wall", patience)
	if err != nil {
		t.Fatal(err)
	}
	caller.Follow(events, func(err error) { t.Error(err) })
	t.Cleanup(caller.Close)
	for _, srv := range w.servers {
		w.overBus = append(w.overBus, caller.Node(srv.Name()))
	}
	w.watchers = append(w.watchers, w.follow(w.overBus))
	return w
}

func furnish(srv *amitest.Server) {
	for _, q := range queues {
		srv.State().AddQueue(amitest.Queue{Name: q, Members: []amitest.QueueMember{{Name: "Alice", Interface: "PJSIP/alice"}, {Name: "Bob", Interface: "PJSIP/bob"}}})
	}
}

var queues = []string{"sales", "support"}

func (w *world) dial() *nats.Conn {
	w.t.Helper()
	conn, err := bus.Dial(bus.Access{URL: w.url, Name: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(conn.Close)
	return conn
}

// follow begins to follow nodes, until the test ends.
func (w *world) follow(nodes []ami.Config) *state.Watcher {
	w.t.Helper()
	cluster := ami.NewCluster(ami.ClusterConfig{})
	w.t.Cleanup(func() { _ = cluster.Close() })
	for _, n := range nodes {
		n.Events = "call,agent,system,dialplan"
		if _, err := cluster.Add(n); err != nil {
			w.t.Fatal(err)
		}
	}
	watcher, err := state.Follow(context.Background(), cluster, state.Options{Audit: -1})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(watcher.Close)
	return watcher
}

// direct is how the servers themselves are reached.
func (w *world) direct() (nodes []ami.Config) {
	for _, srv := range w.servers {
		nodes = append(nodes, ami.Config{Name: srv.Name(), Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	}
	return nodes
}

// bridge runs a bridge of that name if there is none.
func (w *world) bridge(name string) {
	w.t.Helper()
	if w.bridges[name] != nil {
		return
	}
	none := func(string) (redact.Secret, error) { return redact.Secret{}, errors.New("there are no secrets") }
	all, err := users.Load([]users.Spec{{Name: "wall", NATS: true, Actions: []string{"*"}}}, none)
	if err != nil {
		w.t.Fatal(err)
	}
	redactor, err := redact.New(redact.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	up, err := upstream.Open(context.Background(), nil, upstream.Options{Users: users.NewDirectory(all), Log: log, Redactor: redactor, Lean: true})
	if err != nil {
		w.t.Fatal(err)
	}
	conn := w.dial()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- bus.Run(ctx, bus.Options{
			Conn: conn, Cluster: "c", Name: name, Nodes: w.direct, Storage: bus.Storage{Replicas: 1}, Log: log, Same: upstream.SameNode,
			Events: func(node ami.Config, o ami.SubscribeOptions) (*bus.Session, error) {
				events, end, err := up.Subscribe(node, o)
				if err == nil {
					err = up.Add(node)
				}
				ping := func(ctx context.Context) (*ami.Reply, error) { return up.Ping(ctx, node.Name) }
				return &bus.Session{Events: events, Ping: ping, End: func() { end(); up.Remove(node.Name) }}, err
			},
			Actions: slow{busdoor.New(up)},
		})
	}()
	w.bridges[name] = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			w.t.Errorf("bridge %s: %v", name, err)
		}
		up.Close()
		conn.Close()
	})
	w.t.Cleanup(w.bridges[name])
}

// slow hands out answers late: meanwhile more events are on their way than lists know of.
type slow struct{ bus.Performer }

func (s slow) Do(ctx context.Context, q *bus.Request, answer func([]byte, bool)) {
	s.Performer.Do(ctx, q, func(packets []byte, last bool) {
		time.Sleep(rand.N(200 * time.Millisecond))
		answer(packets, last)
	})
}

// act does something at random.
func (w *world) act() {
	srv := w.servers[w.rng.IntN(len(w.servers))]
	one := func(of ...string) string { return of[w.rng.IntN(len(of))] }
	channel := func() string {
		if cs := srv.State().Channels(); len(cs) > 0 {
			return cs[w.rng.IntN(len(cs))].Uniqueid
		}
		return "none"
	}
	begin := func(caller, name string) string {
		return srv.Dial(caller, amitest.Channel{Name: "PJSIP/" + name, CallerIDNum: "100", Context: "default", Exten: "100"}).Uniqueid
	}
	switch w.rng.IntN(16) {
	case 0, 1, 2:
		srv.Answer(begin(begin("", "trunk"), one("alice", "bob", "carol")))
	case 3:
		begin("", "trunk")
	case 4, 5, 6:
		srv.Hangup(channel(), 16)
	case 7:
		srv.BlindTransfer(channel(), "300")
	case 8:
		srv.Rename(channel(), "PJSIP/"+one("x", "y")+strconv.Itoa(w.rng.IntN(1e6)))
	case 9:
		srv.JoinConference(one("1", "2"), channel())
	case 10:
		srv.JoinQueue(one(queues...), channel())
	case 11:
		srv.LeaveQueue(one(queues...), channel(), w.rng.IntN(2) == 0)
	case 12:
		srv.SetMember(one(queues...), "PJSIP/"+one("alice", "bob"), 1+w.rng.IntN(6), w.rng.IntN(2) == 0, "tea")
	case 13:
		srv.Park(channel())
	case 14:
		srv.Unpark(channel(), w.rng.IntN(2) == 0)
	case 15:
		w.fault(srv, one("kick", "bridge", "", ""))
	}
}

// fault cuts a server's sessions, or ends a bridge while another one begins, or none.
func (w *world) fault(srv *amitest.Server, kind string) {
	switch kind {
	case "kick":
		w.kicks++
		srv.Kick()
	case "bridge":
		ended := w.rng.IntN(2)
		if w.rng.IntN(3) > 0 {
			w.bridge([]string{"a", "b"}[1-ended])
		}
		if name := []string{"a", "b"}[ended]; w.bridges[name] != nil {
			w.changes++
			w.bridges[name]()
			delete(w.bridges, name)
		}
	}
}

// compare waits until what is held over the bus is what the servers say. Nobody does anything meanwhile.
func (w *world) compare(when string) {
	w.t.Helper()
	fresh := w.follow(w.direct())
	defer fresh.Close()
	diff := "there was no time"
	for i, watcher := range w.watchers {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			found, held := fresh.Snapshot(), watcher.Snapshot()
			if diff = "one of them is not synced"; synced(found) && synced(held) {
				all := known(w.t, found)
				if diff = cmp.Diff(all, known(w.t, held)); diff == "" {
					w.compared += len(all)
					break
				}
			}
		}
		if diff != "" {
			w.t.Fatalf("%s, watcher %d: -fresh +over the bus:\n%s", when, i, diff)
		}
	}
}

func synced(p *state.Snapshot) bool {
	return !slices.ContainsFunc(p.Nodes, func(n *state.Node) bool { return n.Stale })
}

// known is what does not depend on since when somebody looks.
func known(t *testing.T, p *state.Snapshot) map[string]any {
	t.Helper()
	all := make(map[string]any)
	for o := range p.Objects() {
		text, err := json.Marshal(o)
		var fields map[string]any
		if err == nil {
			err = json.Unmarshal(text, &fields)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{
			"created", "answered", "hold", "joined", "start", "answer", "since", "timeout", "listed", "partial", "transfers", "queue", "member", "caller", "callee",
			"completed", "abandoned", "holdtime_us", "talktime_us", "sl", "reach", "session", "drift", "short", "gaps", "last_call", "last_pause", "calls_taken", "in_call",
		} {
			delete(fields, key)
		}
		if channels, ok := fields["channels"].([]any); ok {
			slices.SortFunc(channels, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		all[fmt.Sprint(fields["node"], " ", o.Kind(), " ", o.Key())] = fields
	}
	return all
}
