package proof

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/serve"
	"github.com/apntalk/amictl/internal/serve/amidoor"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/internal/serve/web"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// A pace is how fast a world goes.
type pace struct {
	network bool          // in memory
	think   time.Duration // between a client's actions, on average
	flap    time.Duration // between two faults, on average
	away    time.Duration // how long a server stays away at most
	calls   float64       // a second, on each server
	visit   int           // how many actions a client sends before it leaves, on average
}

var (
	virtual  = pace{network: true, think: 20 * time.Second, flap: 5 * time.Minute, away: 2 * time.Minute, calls: 0.04, visit: 40}
	lifelike = pace{think: 50 * time.Millisecond, flap: 5 * time.Second, away: 3 * time.Second, calls: 3, visit: 200}
)

const (
	servers = 4
	// writeTimeout is how long a client may take no byte: longer than a busy machine keeps one waiting that reads.
	writeTimeout = 5 * time.Second
	// What is held may grow by so much from the middle of a run to its end: a fifth, and what a collector leaves.
	growth = 1.2
	slack  = 8 << 20
)

// A world is a daemon with both doors, servers that come and go, and clients.
type world struct {
	*testing.T
	pace
	memory  *amitest.Network // nil: sockets
	servers []*amitest.Server
	http    string   // the address of the door
	ami     []string // the addresses of the doors, by server

	up    *upstream.Upstream
	hide  *redact.Redactor
	stop  context.CancelFunc
	ended chan error

	books books
	flaps atomic.Uint64
}

func newWorld(t *testing.T, p pace) *world {
	t.Helper()
	w := &world{T: t, pace: p, ended: make(chan error, 1)}
	var opts []amitest.Option
	if p.network {
		w.memory = amitest.NewNetwork()
		opts = append(opts, amitest.WithNetwork(w.memory))
	}
	for i := range servers {
		s := amitest.NewServer(append(opts, amitest.WithName(fmt.Sprintf("pbx%d", i)), amitest.WithSeed(uint64(i)))...)
		s.State().AddQueue(amitest.Queue{Name: "support", Strategy: "ringall", Members: []amitest.QueueMember{{Name: "One", Interface: "Local/100@default", Status: 1}}})
		w.servers = append(w.servers, s)
	}
	var err error
	if w.hide, err = redact.New(redact.Config{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// dial connects to a door or a server.
func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.memory != nil {
		return w.memory.DialContext(ctx, network, addr)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

func (w *world) listen(name string) net.Listener {
	w.Helper()
	var l net.Listener
	var err error
	if w.memory != nil {
		l, err = w.memory.Listen(name + ":80")
	} else {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// addr is where a client finds a listener.
func (w *world) addr(name string, l net.Listener) string {
	if w.memory != nil {
		return name + ":80"
	}
	return l.Addr().String()
}

// open starts the daemon, and waits until its nodes are ready.
func (w *world) open() {
	w.Helper()
	list, err := users.Load([]users.Spec{{Name: "all", Secret: "env:all", Events: []string{"*"}, Actions: []string{"*"}, Commands: []string{"core"}, Contexts: []string{"*"}}},
		func(string) (redact.Secret, error) { return redact.NewSecret(word), nil })
	if err != nil {
		w.Fatal(err)
	}
	o := serve.Options{Loaded: serve.Loaded{Users: list}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Redactor: w.hide, Grace: 10 * time.Second}
	opened := make(chan *upstream.Upstream, 1)
	door := w.listen("http")
	w.http = w.addr("http", door)
	o.Listeners = append(o.Listeners, serve.Listener{Name: "http", At: door, Open: func(ctx context.Context, up *upstream.Upstream) serve.Door {
		opened <- up
		handler, wait := web.New(up, web.Options{Stopping: ctx.Done(), Require: 1})
		return &serve.HTTP{Log: o.Log, Handler: handler, Wait: wait}
	}})
	for i, s := range w.servers {
		o.Nodes = append(o.Nodes, ami.Config{
			Name: s.Name(), Addr: s.Addr(), Dial: w.dial, Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
		})
		name := fmt.Sprintf("ami%d", i)
		l := w.listen(name)
		w.ami = append(w.ami, w.addr(name, l))
		o.Listeners = append(o.Listeners, serve.Listener{Name: "ami", At: l, Open: func(_ context.Context, up *upstream.Upstream) serve.Door {
			return amidoor.New(up, amidoor.Options{Node: s.Name(), WriteTimeout: writeTimeout})
		}})
	}
	ctx, stop := context.WithCancel(w.Context())
	w.stop = stop
	go func() { w.ended <- serve.Serve(ctx, o) }()
	w.up = <-opened
	w.eventually("all nodes are ready, and listed", func() bool {
		nodes := w.up.State.Snapshot().Nodes
		for i := range nodes {
			if nodes[i].Stale {
				return false
			}
		}
		return len(nodes) == servers && w.up.Readiness().Ready == servers
	})
}

// eventually waits for something that is to come about.
func (w *world) eventually(what string, done func() bool) {
	w.Helper()
	for range 6000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.Fatalf("it never came about that %s", what)
}

// run lets the world go on for a while, and holds what is to be held then.
func (w *world) run(length time.Duration) {
	w.Helper()
	w.open()
	w.settle()
	before, at := runtime.NumGoroutine(), places()

	ctx, cancel := context.WithTimeout(w.Context(), length)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range w.servers {
		all.Go(func() { s.Traffic(ctx, amitest.TrafficConfig{CallsPerSecond: w.calls, Seed: 1}) })
	}
	for i, life := range lives {
		all.Go(func() { life(ctx, &client{world: w, rng: rand.New(rand.NewPCG(1, uint64(i))), node: i % servers}) })
	}
	var troubles sync.WaitGroup
	troubles.Go(func() { w.trouble(ctx, rand.New(rand.NewPCG(2, 2))) })
	held := w.weigh(ctx, length)
	all.Wait()
	troubles.Wait()

	w.eventually("all nodes are ready again", func() bool { return w.up.Readiness().Ready == servers })
	w.settle()
	w.flat(held)
	gone := func() bool { return w.up.AMI.Clients.Load() == 0 && runtime.NumGoroutine() <= before }
	for range 600 {
		if gone() {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !gone() {
		w.Errorf("clients have left %d sessions, and %d goroutines where %d were before them", w.up.AMI.Clients.Load(), runtime.NumGoroutine(), before)
		for place, n := range places() {
			if n != at[place] {
				w.Logf("%d, before %d, at %s", n, at[place], place)
			}
		}
	}
	w.agree()
	w.stop()
	if err := <-w.ended; err != nil && !strings.Contains(err.Error(), "canceled") {
		w.Errorf("the daemon ends with %v", err)
	}
	for _, s := range w.servers {
		s.Close()
	}
	w.Logf("FIGURES %v: %d faults, %v", length, w.flaps.Load(), &w.books)
}

// places are where goroutines are, and how many are there.
func places() map[string]int {
	var text strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&text, 1)
	all := make(map[string]int)
	for block := range strings.SplitSeq(text.String(), "\n\n") {
		var n int
		var stack []string
		for line := range strings.Lines(block) {
			if columns := strings.Fields(line); len(columns) > 2 && columns[0] == "#" {
				stack = append(stack, columns[2])
			} else if len(columns) > 1 && columns[1] == "@" {
				n, _ = strconv.Atoi(columns[0])
			}
		}
		all[strings.Join(stack, " < ")] += n
	}
	return all
}

// settle waits until calls that were set up are over, and what was said of them is read.
func (w *world) settle() {
	idle := func() bool {
		for _, s := range w.servers {
			if len(s.State().Channels()) > 0 {
				return false
			}
		}
		return w.up.ActionStats().Ledger.InFlight == 0
	}
	for range 3000 {
		if idle() {
			break
		}
		for _, s := range w.servers {
			for _, c := range s.State().Channels() {
				s.Hangup(c.Name, 16)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second)
}

// trouble takes servers away, and brings them back.
func (w *world) trouble(ctx context.Context, rng *rand.Rand) {
	for rest(ctx, rng, w.flap) {
		s := w.servers[rng.IntN(servers)]
		w.flaps.Add(1)
		switch rng.IntN(3) {
		case 0:
			s.Kick()
		case 1:
			s.SetDown(true)
			rest(ctx, rng, w.away/2)
			s.SetDown(false)
		default:
			if w.memory == nil {
				s.Kick()
				continue
			}
			w.memory.Partition(s.Name())
			rest(ctx, rng, w.away/2)
			w.memory.Heal(s.Name())
		}
	}
}

// rest waits for a random time, twice the mean at most. It reports false at the end of ctx.
func rest(ctx context.Context, rng *rand.Rand, mean time.Duration) bool {
	t := time.NewTimer(time.Duration(rng.Int64N(int64(2 * mean))))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// weigh returns what is held on the heap, beside the window's events, at each of 24 moments.
func (w *world) weigh(ctx context.Context, length time.Duration) (held []uint64) {
	tick := time.NewTicker(length / 25)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return held
		case <-tick.C:
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		held = append(held, m.HeapAlloc-min(m.HeapAlloc, uint64(w.up.Window.Stats().Bytes)))
	}
}

// flat holds that the last third of a run held no more than the one before it. Each moment has answers that are on their way, so
// it is the medians that count.
func (w *world) flat(held []uint64) {
	w.Helper()
	third := len(held) / 3
	if third == 0 {
		w.Fatalf("memory was weighed %d times", len(held))
	}
	middle, last := median(held[third:2*third]), median(held[2*third:])
	w.Logf("FIGURES heap without the window's events: %d KiB in the middle, %d KiB at the end (medians); %d events in the window", middle>>10, last>>10, w.up.Window.Stats().Held)
	if float64(last) > growth*float64(middle)+slack {
		w.Errorf("memory grows: %d", held)
	}
}

func median(of []uint64) uint64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}
