package simtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A world is one seed's cluster, its servers, and everybody who does something with them.
type world struct {
	t        *testing.T
	p        plan
	net      *amitest.Network
	cluster  *ami.Cluster
	hosts    []*host
	books    books
	seen     seen
	faults   map[string]int // by kind; the fault generator's
	watchers []*watcher
	batch    *ami.Batch[uint64]
	jobs     jobs

	mu  sync.Mutex
	all []*ami.Node // guarded by mu: every node there ever was, for the ledger

	healed  chan struct{} // closed when all faults end
	closed  bool
	closing chan struct{} // closed when the cluster is being closed
}

// A host is one server: a succession of simulated ones under one name.
type host struct {
	w       *world
	name    string
	got     sync.Map // tags of the actions that it ran → *atomic.Int64
	emitted int      // events so far; the emitter's
	dns     atomic.Bool
	hang    atomic.Bool
	slow    atomic.Bool
	removed atomic.Int64 // how often its node was removed

	mu  sync.Mutex
	srv *amitest.Server // guarded by mu; nil: down
}

func newWorld(t *testing.T, p plan) *world {
	w := &world{
		t: t, p: p, net: amitest.NewNetwork(), faults: map[string]int{}, closing: make(chan struct{}), healed: make(chan struct{}),
		batch: &ami.Batch[uint64]{},
	}
	w.net.SetLink("", p.link)
	w.net.SetBuffer(p.buffer)
	random := p.rng("jitter", 0)
	var mu sync.Mutex
	w.cluster = ami.NewCluster(ami.ClusterConfig{
		RedialRate: p.rate, Budget: p.budget,
		Rand: func() float64 { mu.Lock(); defer mu.Unlock(); return random.Float64() },
	})
	for i := range p.nodes {
		h := &host{w: w, name: fmt.Sprintf("pbx%d", i)}
		h.start()
		w.hosts = append(w.hosts, h)
		w.add(h)
	}
	return w
}

// add gives the host's node to the cluster, unless that is closed.
func (w *world) add(h *host) {
	cfg := w.p.config
	cfg.Name, cfg.Addr = h.name, h.name+":5038"
	cfg.Dial = h.dial
	n, err := w.cluster.Add(cfg)
	if err != nil {
		if !errors.Is(err, ami.ErrClosed) {
			w.t.Errorf("add: %v", err)
		}
		return
	}
	w.mu.Lock()
	w.all = append(w.all, n)
	w.mu.Unlock()
}

// dial is the host's own way to be reached: through a resolver that may fail or hang.
func (h *host) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	switch {
	case h.hang.Load():
		<-ctx.Done()
		return nil, ctx.Err()
	case h.dns.Load():
		return nil, &net.DNSError{Err: "server misbehaving", Name: addr, IsTemporary: true}
	}
	conn, err := h.w.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return lagging{conn, h.w.p.lag}, nil
}

// A lagging connection's reader learns of its end a moment behind its writer, and a write returns a moment behind its
// bytes, which may have been answered by then. What callers do in between must be safe.
type lagging struct {
	net.Conn
	lag time.Duration
}

func (l lagging) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err != nil {
		time.Sleep(l.lag)
	}
	return n, err
}

func (l lagging) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	time.Sleep(l.lag)
	return n, err
}

// start brings the server up.
func (h *host) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.srv != nil {
		return
	}
	h.srv = amitest.NewServer(amitest.WithNetwork(h.w.net), amitest.WithName(h.name), amitest.WithSeed(h.w.p.seed), amitest.WithSettings(amitest.Settings{AuthLimit: 1000}))
	h.srv.Handle("Work", h.work)
}

// stop takes it down.
func (h *host) stop() {
	h.mu.Lock()
	srv := h.srv
	h.srv = nil
	h.mu.Unlock()
	if srv != nil {
		srv.Close()
	}
}

// server returns the running one, or nil.
func (h *host) server() *amitest.Server {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.srv
}

// run is the whole life of a world.
func (w *world) run() {
	for i := range w.p.watchers {
		w.watch(i)
	}
	reaped := make(chan struct{})
	go func() { defer close(reaped); w.reap() }()
	for phase := range w.p.phases {
		last := phase == w.p.phases-1
		w.phase(phase, last && w.p.abrupt)
		if w.t.Failed() {
			break
		}
		if !last || !w.p.abrupt {
			w.quiesce(fmt.Sprintf("phase %d", phase))
		}
	}
	if !w.p.abrupt && !w.t.Failed() {
		w.heal()
		w.quiesce("the end")
	}
	w.close()
	<-reaped
	for _, s := range w.watchers {
		s.stop()
		s.check()
	}
	w.check("closed")
	for _, h := range w.hosts {
		h.stop()
	}
}

// phase lets everybody loose for a while. abrupt ends it, at any instant, with Close.
func (w *world) phase(phase int, abrupt bool) {
	ctx, cancel := context.WithTimeout(context.Background(), w.p.phase)
	defer cancel()
	var all sync.WaitGroup
	for i := range w.p.workers {
		all.Go(func() { newWorker(w, phase, i).run(ctx) })
	}
	for i, h := range w.hosts {
		all.Go(func() { h.emit(ctx, w.p.rng("events", phase*100+i)) })
	}
	all.Go(func() { w.strike(ctx, w.p.rng("faults", phase)) })
	if abrupt {
		r := w.p.rng("close", 0)
		time.Sleep(time.Duration(r.Int64N(int64(w.p.phase))))
		cancel()
		w.close()
	}
	all.Wait()
}

// close closes the cluster and checks that it takes no time and leaves nothing that dials.
func (w *world) close() {
	if w.closed {
		return
	}
	w.closed = true
	close(w.closing)
	start := time.Now()
	if err := w.cluster.Close(); err != nil {
		w.t.Errorf("close: %v", err)
	}
	if d := time.Since(start); d > 100*time.Millisecond {
		w.t.Errorf("Close took %v", d)
	}
	synctest.Wait()
}

// quiesce waits until nobody owes anything, and checks everything.
func (w *world) quiesce(when string) {
	deadline := time.Now().Add(2 * maxTimeout)
	for w.books.outstanding() > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Second)
	}
	time.Sleep(time.Second)
	synctest.Wait()
	w.check(when)
}

// heal ends all faults; every node must be ready within the bound, and answer.
func (w *world) heal() {
	close(w.healed)
	for _, h := range w.hosts {
		h.dns.Store(false)
		h.hang.Store(false)
		w.net.Heal(h.name)
		w.net.SetLink(h.name, w.p.link)
		if h.slow.Load() {
			w.net.Reset(h.name)
		}
		h.start()
		h.allow(true)
		if _, ok := w.cluster.Node(h.name); !ok {
			w.add(h)
		}
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), w.p.bound())
	defer cancel()
	for _, n := range w.cluster.Nodes() {
		if err := n.WaitReady(ctx); err != nil {
			w.t.Errorf("%s is not ready %v after all faults ended: %v; %+v", n.Name(), time.Since(start), err, n.Stats())
			return
		}
	}
	// A session may still work off what it was given before, or be dead and not know it yet.
	time.Sleep(maxStall + ami.DefaultKeepalive + 3*ami.DefaultPingTimeout + maxTimeout)
	ctx, cancel = context.WithTimeout(context.Background(), w.p.bound())
	defer cancel()
	for _, n := range w.cluster.Nodes() {
		if err := n.WaitReady(ctx); err != nil {
			w.t.Errorf("%s is not ready again: %v", n.Name(), err)
		}
		w.books.begin()
		_, err := n.Do(ctx, ami.Action{Name: "Ping", WaitReady: true, Timeout: maxTimeout})
		w.books.end(err)
		if err != nil {
			w.t.Errorf("%s does not answer: %v; %+v", n.Name(), err, n.Stats())
		}
	}
}
