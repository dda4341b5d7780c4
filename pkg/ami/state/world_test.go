package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A world is one seed's servers, what goes on at them, and who watches.
type world struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	net     *amitest.Network
	servers []*amitest.Server
	cluster *ami.Cluster
	watcher *state.Watcher
	mirror  *mirror
	delay   time.Duration // of events at most
	did     map[string]int
	figures int // calls of queues that were compared with the servers' counters
}

// Delays of events behind what they tell of.
const (
	maxDelay  = 400 * time.Millisecond // as a server may have
	mostDelay = 3 * time.Second        // by which lists may be ahead of events that come another way (internal/bus)
)

func newWorld(t *testing.T, seed uint64, delay time.Duration) *world {
	w := &world{t: t, delay: delay, seed: seed, rng: rand.New(rand.NewPCG(seed, 0x57a7e)), net: amitest.NewNetwork(), did: map[string]int{}}
	versions := []amitest.Version{amitest.Version22, amitest.Version22, amitest.Version16, amitest.Version13}
	for i := range 1 + w.rng.IntN(2) {
		srv := amitest.NewServer(amitest.WithNetwork(w.net), amitest.WithName(fmt.Sprintf("pbx%d", i)), amitest.WithSeed(seed),
			amitest.WithVersion(versions[w.rng.IntN(len(versions))]), amitest.WithSettings(amitest.Settings{AuthLimit: 1000}), amitest.WithSetup(furnish))
		srv.DelayEvents(time.Duration(w.rng.Int64N(int64(w.delay))))
		w.servers = append(w.servers, srv)
	}
	w.cluster = w.connect()
	w.watcher = w.follow(w.cluster, state.Options{Audit: time.Duration(3+w.rng.IntN(20)) * time.Second})
	w.mirror = newMirror(t, w.watcher)
	return w
}

// furnish gives a server what its configuration would.
func furnish(srv *amitest.Server) {
	st := srv.State()
	for _, q := range queues {
		st.AddQueue(amitest.Queue{Name: q, ServiceLevel: 20, Members: []amitest.QueueMember{
			{Name: "Alice", Interface: "PJSIP/alice", Static: true}, {Name: "Bob", Interface: "PJSIP/bob"},
		}})
	}
	for _, e := range endpoints {
		st.AddEndpoint(amitest.Endpoint{Name: e, Contact: "sip:" + e + "@192.0.2.1:5060"})
	}
	st.AddExtension(amitest.Extension{Context: "default", Exten: "100", Hint: "PJSIP/alice"})
	srv.SetRegistration("trunk", "sip:me@example.com", "sip:example.com", "Registered")
}

var (
	queues    = []string{"sales", "support"}
	endpoints = []string{"alice", "bob", "carol"}
	rooms     = []string{"100", "200"}
)

// connect makes a cluster of all servers.
func (w *world) connect() *ami.Cluster {
	c := ami.NewCluster(ami.ClusterConfig{Rand: func() float64 { return 0.5 }})
	for _, srv := range w.servers {
		_, err := c.Add(ami.Config{
			Name: srv.Name(), Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
			Events: "on", Dial: w.net.DialContext, Timeouts: ami.Timeouts{Action: 3 * time.Second}, Redial: ami.Redial{BackoffMax: time.Second},
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return c
}

func (w *world) follow(c *ami.Cluster, o state.Options) *state.Watcher {
	watcher, err := state.Follow(context.Background(), c, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return watcher
}

func (w *world) close() {
	w.mirror.close()
	w.watcher.Close()
	_ = w.cluster.Close()
	for _, srv := range w.servers {
		srv.Close()
	}
}

// run plays some scenes with faults among them, and looks at what is held at each quiet point.
func (w *world) run() {
	for phase := range 2 + w.rng.IntN(2) {
		for range 20 + w.rng.IntN(60) {
			srv := w.servers[w.rng.IntN(len(w.servers))]
			scene := scenes[w.rng.IntN(len(scenes))]
			if scene.rare > 0 && w.rng.IntN(scene.rare) > 0 {
				continue
			}
			w.did[scene.name]++
			scene.play(w, srv)
			if w.rng.IntN(3) > 0 {
				time.Sleep(time.Duration(w.rng.Int64N(int64(300 * time.Millisecond))))
			}
		}
		w.quiesce()
		w.check(fmt.Sprintf("seed %d, quiet point %d", w.seed, phase))
		if w.t.Failed() {
			return
		}
	}
	for _, srv := range w.servers {
		for _, c := range srv.State().Channels() {
			srv.Hangup(c.Uniqueid, 16)
		}
	}
	w.quiesce()
	w.check(fmt.Sprintf("seed %d, the end", w.seed))
	time.Sleep(state.GoneTime + 5*time.Second)
	synctest.Wait()
	if left := w.watcher.Leftovers(); left != "" {
		w.t.Errorf("seed %d: all channels are gone, and %s", w.seed, left)
	}
}

// quiesce waits until nothing is under way: faults are over, events have come, every node is synced.
func (w *world) quiesce() {
	for _, srv := range w.servers {
		srv.ClearFaults()
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		time.Sleep(2 * w.delay)
		synctest.Wait()
		synced := true
		for _, n := range w.watcher.Snapshot().Nodes {
			synced = synced && !n.Stale
			synced = synced && cmp.Equal(n.Parts, full) // a list that was refused, or failed often, comes with the next audit
		}
		if synced {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("seed %d: not synced after two minutes without faults: %+v", w.seed, w.watcher.Snapshot().Nodes[0])
		}
	}
}

// check compares what is held with what somebody finds who comes new, and with what the mirror made of the changes.
func (w *world) check(when string) {
	w.t.Helper()
	held := w.watcher.Snapshot()
	if diff := w.mirror.diff(held); diff != "" {
		w.t.Errorf("%s: -held +as changes tell:\n%s", when, diff)
	}
	if err := w.watcher.Check(); err != nil {
		w.t.Errorf("%s: %v", when, err)
	}
	for _, n := range held.Nodes {
		if n.Drift > 0 || n.Refused > 0 {
			w.t.Errorf("%s: %+v", when, n)
		}
	}
	c := w.connect()
	defer c.Close()
	fresh := w.follow(c, state.Options{Audit: -1})
	defer fresh.Close()
	for range 100 {
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		found := fresh.Snapshot()
		synced := len(found.Nodes) == len(w.servers)
		for _, n := range found.Nodes {
			synced = synced && !n.Stale
		}
		if !synced {
			continue
		}
		if diff := cmp.Diff(comparable(found), comparable(held)); diff != "" {
			w.t.Errorf("%s: -fresh +held:\n%s", when, diff)
		}
		w.checkChannels(when, held)
		w.checkFigures(when, found, held)
		return
	}
	w.t.Errorf("%s: a second watcher was not synced", when)
}

// checkChannels compares the channels with those that the servers know of.
func (w *world) checkChannels(when string, held *state.Snapshot) {
	want, got := map[string]string{}, map[string]string{}
	for _, srv := range w.servers {
		for _, c := range srv.State().Channels() {
			want[srv.Name()+" "+c.Uniqueid] = c.Name + " " + c.Linkedid
		}
	}
	for _, c := range held.Channels {
		got[c.Node+" "+c.Uniqueid] = c.Name + " " + c.Linkedid
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("%s: -there +held:\n%s", when, diff)
	}
}

// checkFigures compares what was counted of queues with the servers' own counters, where no event is missing.
func (w *world) checkFigures(when string, found, held *state.Snapshot) {
	w.mirror.mu.Lock()
	defer w.mirror.mu.Unlock()
	whole := map[string]bool{}
	for _, n := range held.Nodes {
		whole[n.Node] = n.Gaps == 0
	}
	got := map[string]string{}
	for _, q := range w.mirror.figures.Queues(time.Now()) {
		got[q.Node+" "+q.Queue] = fmt.Sprintf("completed %d, abandoned %d", q.Completed, q.Abandoned)
		taken := 0
		for _, m := range q.Members {
			taken += m.Completed
		}
		if taken != q.Completed {
			w.t.Errorf("%s: members completed %d of %d calls of %s", when, taken, q.Completed, q.Queue)
		}
	}
	for _, q := range found.Queues {
		key := q.Node + " " + q.Name
		if want := fmt.Sprintf("completed %d, abandoned %d", q.Completed, q.Abandoned); whole[q.Node] && got[key] != want {
			w.t.Errorf("%s: %s: %s, and the server says %s", when, key, got[key], want)
		}
		if whole[q.Node] {
			w.figures += q.Completed + q.Abandoned
		}
	}
}

// comparable leaves out what only who was there from the beginning can know.
func comparable(p *state.Snapshot) map[string]any {
	all := map[string]any{}
	put := func(node string, o state.Object) { all[node+" "+string(o.Kind())+" "+o.Key()] = o }
	for o := range p.Objects() {
		switch o := o.(type) {
		case *state.Channel:
			c := *o
			c.Created, c.Answered, c.Hold = time.Time{}, time.Time{}, false
			put(c.Node, &c)
		case *state.Bridge:
			b := *o
			b.Created, b.Channels = time.Time{}, sortedCopy(b.Channels)
			put(b.Node, &b)
		case *state.Call:
			put(o.Node, &state.Call{Node: o.Node, Linkedid: o.Linkedid, Legs: o.Legs, Channels: sortedCopy(o.Channels), State: o.State})
		case *state.Queue:
			q := *o
			q.Abandoned, q.Completed, q.ServicePerf, q.Listed = 0, 0, "", time.Time{}
			put(q.Node, &q)
		case *state.Caller:
			c := *o
			c.Joined = time.Time{}
			put(c.Node, &c)
		case *state.Endpoint:
			e := *o
			e.Reach = ""
			put(e.Node, &e)
		case *state.Registration:
			put(o.Node, &state.Registration{Node: o.Node, Technology: o.Technology, Username: o.Username, Domain: o.Domain, State: o.State})
		case *state.Conference:
			c := *o
			c.Start = time.Time{}
			put(c.Node, &c)
		case *state.Parked:
			k := *o
			k.Since, k.Timeout = time.Time{}, time.Time{}
			put(k.Node, &k)
		case *state.Member:
			put(o.Node, o)
		case *state.Device:
			put(o.Node, o)
		case *state.Hint:
			put(o.Node, o)
		}
	}
	return all
}

// A mirror keeps what a consumer of the changes would.
type mirror struct {
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	held    map[string]state.Object // guarded by mu
	records int                     // guarded by mu
	figures *state.Figures          // guarded by mu
}

func newMirror(t *testing.T, w *state.Watcher) *mirror {
	ctx, stop := context.WithCancel(context.Background())
	m := &mirror{stop: stop, done: make(chan struct{}), held: map[string]state.Object{}, figures: state.NewFigures(state.FiguresOptions{})}
	go func() {
		defer close(m.done)
		for ch, err := range w.Changes(ctx) {
			if err != nil {
				return
			}
			m.take(t, ch)
		}
	}()
	return m
}

func (m *mirror) take(t *testing.T, ch state.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.figures.Add(&ch)
	if ch.Op == state.OpReset {
		clear(m.held)
		return
	}
	key := ch.Node + " " + string(ch.Object.Kind()) + " " + ch.Object.Key()
	_, there := m.held[key]
	switch ch.Op {
	case state.OpAdd:
		if there {
			t.Errorf("%s was added twice", key)
		}
		m.held[key] = ch.Object
	case state.OpChange:
		if !there || len(ch.Changed) == 0 {
			t.Errorf("%s was changed: there %v, keys %v", key, there, ch.Changed)
		}
		m.held[key] = ch.Object
	case state.OpRemove:
		if !there {
			t.Errorf("%s was removed and not there", key)
		}
		delete(m.held, key)
	case state.OpRecord:
		m.records++
	}
}

func (m *mirror) diff(p *state.Snapshot) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	want := map[string]state.Object{}
	for o := range p.Objects() {
		node := ""
		for _, n := range p.Nodes { // objects do not tell their node through the interface
			if v, ok := m.held[n.Node+" "+string(o.Kind())+" "+o.Key()]; ok && v == o {
				node = n.Node
			}
		}
		want[node+" "+string(o.Kind())+" "+o.Key()] = o
	}
	return cmp.Diff(want, m.held)
}

func (m *mirror) close() {
	m.stop()
	<-m.done
}
