package ami

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Node supervises one server: it dials, logs in, and when the session is lost it backs off and makes a new one, for as
// long as its cluster holds it. A live node costs two goroutines, a reader and a writer; a node that backs off costs a
// timer.
//
// All methods are safe for concurrent use.
type Node struct {
	cfg     Config
	cluster *Cluster
	number  uint32
	stats   counters
	feed    feed
	seat    seat                 // in the cluster's index
	current atomic.Pointer[Conn] // the ready session, nil: none
	booted  atomic.Bool          // FullyBooted was seen on this session
	ending  atomic.Bool          // Shutdown was seen on this session

	ctx    context.Context // ends with the node
	cancel context.CancelFunc
	gone   sync.WaitGroup // run and setup

	mu                     sync.Mutex // guards all below
	state                  State
	since                  time.Time
	cause                  error // of the last failure; nil once ready
	sup                    supervisor
	outage                 Outage // the present one, or the one to come
	conn                   *Conn  // the session that lives, ready or not
	leaving                bool   // it is drained: the end of its session is no failure
	sessions               uint64
	lastGood               string
	banner                 string
	timer                  *time.Timer
	pendingPeak, writePeak int           // of sessions that are over
	changed                chan struct{} // closed at every change of state
}

func newNode(c *Cluster, cfg Config) *Node {
	n := &Node{cfg: cfg, cluster: c, number: nodeNumbers.Add(1), state: StateDown, since: time.Now(), changed: make(chan struct{})}
	n.sup.cfg = &n.cfg
	if secret := cfg.Secret; secret != nil {
		n.cfg.Secret = func(ctx context.Context) (Secret, error) {
			s, err := secret(ctx)
			if err == nil {
				c.cfg.Redactor.AddSecret(s)
			}
			return s, err
		}
	}
	n.feed.node, n.feed.budget = cfg.Name, &c.budget
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// Name returns the node's name.
func (n *Node) Name() string { return n.cfg.Name }

// Config returns the node's configuration with all defaults set. The caller must not change its maps and slices.
func (n *Node) Config() Config { return n.cfg }

// run is one life of a session, from its turn in the dial queue to its end, in a goroutine of its own.
func (n *Node) run() {
	defer n.gone.Done()
	if !n.become(StateDialing, nil) {
		n.cluster.queue.finished(n)
		return
	}
	n.stats.dials.Add(1)
	n.mu.Lock()
	n.sessions++
	n.sup.dialing(time.Now())
	n.outage.Dials++
	session, lastGood := n.sessions, n.lastGood
	n.mu.Unlock()
	var c *Conn
	var err error = &OpError{Op: OpDial, Node: n.cfg.Name, Err: errors.New("Dial, Wrap or Secret ended its goroutine")}
	defer func() { // whatever became of it
		n.cluster.queue.finished(n)
		if err != nil {
			n.failed(err)
			return
		}
		n.live(c)
	}()
	c, err = n.open(opening{
		cfg: &n.cfg, number: n.number, session: session, stats: &n.stats, feed: &n.feed, lastGood: lastGood,
		connected: func() { n.become(StateLogin, nil) }, onEvent: n.watch, seat: &n.seat,
	})
}

// open is open with the caller's Dial, Wrap and Secret guarded: a panic in one of them is a failed dial. What it was is
// not told unless it is the runtime's, for it could be the secret.
func (n *Node) open(o opening) (c *Conn, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = &OpError{Op: OpDial, Node: n.cfg.Name, Err: fmt.Errorf("Dial, Wrap or Secret panicked: %w", p)}
		default:
			err = &OpError{Op: OpDial, Node: n.cfg.Name, Err: fmt.Errorf("Dial, Wrap or Secret panicked with a %T", p)}
		}
	}()
	return open(n.ctx, o)
}

// live starts a session that is logged in.
func (n *Node) live(c *Conn) {
	n.mu.Lock()
	n.conn = c
	n.banner = c.banner
	if addr := c.raw.RemoteAddr(); addr != nil && (n.cfg.Dial == nil || samePort(addr.String(), n.cfg.Addr)) { // a proxy's is not the server's
		n.lastGood = addr.String()
	}
	closed := n.state == StateClosed
	n.mu.Unlock()
	if closed {
		c.kill(ErrClosed)
	} else {
		n.stats.sessions.Add(1)
		n.feed.resumed(time.Now().UnixNano())
	}
	if len(n.cfg.Filters) > 0 || n.cfg.OnReady != nil {
		n.gone.Go(func() { n.setup(c) })
	} else {
		n.ready(c)
	}
	// The rest runs on a fresh stack: the one that dialled has grown, and would stay so for as long as the session lives.
	n.gone.Go(func() { n.serve(c, closed) })
}

// samePort reports whether two addresses have the same port.
func samePort(a, b string) bool {
	_, p, err := net.SplitHostPort(a)
	_, q, _ := net.SplitHostPort(b)
	return err == nil && p == q
}

// serve reads a session to its end.
func (n *Node) serve(c *Conn, closed bool) {
	c.read()
	last := c.Stats()
	cause := fmt.Errorf("%w: %w", ErrDisconnected, c.Err())
	if n.ending.Swap(false) {
		cause = fmt.Errorf("%w: %w", ErrStopping, cause)
	}
	n.booted.Store(false)
	n.mu.Lock()
	n.conn = nil
	n.unready()
	n.pendingPeak, n.writePeak = max(n.pendingPeak, last.PendingPeak), max(n.writePeak, last.WritePeak)
	n.mu.Unlock()
	if !closed {
		n.stats.lost.Add(1)
	}
	n.failed(cause)
}

// setup runs the caller's OnReady guarded: a panic in it, or an exit of its goroutine, costs this session and is reported.
func (n *Node) setup(c *Conn) {
	err := errors.New("OnReady ended its goroutine")
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("OnReady panicked: %v", p)
		}
		switch {
		case err == nil:
			n.ready(c)
		case errors.As(err, new(*OpError)):
			c.kill(err)
		default:
			c.kill(&OpError{Op: OpSetup, Node: n.cfg.Name, Err: err})
		}
	}()
	err = c.setup(n.ctx)
}

// watch looks at the events that concern the node itself. It runs in the reader.
func (n *Node) watch(m *wire.Message) {
	switch name := m.Name(); len(name) {
	case len("Shutdown"):
		if wire.EqualFold(name, "Shutdown") {
			n.ending.Store(true)
		}
	case len("FullyBooted"):
		if wire.EqualFold(name, "FullyBooted") {
			n.booted.Store(true)
		}
	}
}

// ready lets actions in, unless the session died meanwhile: the reader takes it out under the same lock.
func (n *Node) ready(c *Conn) {
	n.mu.Lock()
	if n.conn != c || c.Err() != nil {
		n.mu.Unlock()
		return
	}
	now := time.Now()
	n.sup.ready(now)
	n.current.Store(c)
	c.tellPending()
	n.seat.setReady(true)
	n.change(StateReady, nil)
	if o := n.outage; o.Cause != nil {
		o.Until = now
		n.cluster.reconnected(n, o)
	}
	n.outage = Outage{}
	n.mu.Unlock()
}

// unready lets no more actions in.
func (n *Node) unready() {
	n.current.Store(nil)
	n.seat.setReady(false)
}

// failed decides what follows a failed dial or the end of a session.
func (n *Node) failed(cause error) {
	var refused *OpError
	switch {
	case errors.Is(cause, ErrUnauthorized):
		n.stats.loginFailures.Add(1)
	case errors.As(cause, &refused) && refused.Op != OpSetup:
		n.stats.dialFailures.Add(1)
	}
	random := n.cluster.random() // the caller's code: not under mu
	n.mu.Lock()
	if n.state == StateClosed || n.leaving {
		n.mu.Unlock()
		return
	}
	wasOpen, now := n.sup.open, time.Now()
	state, wait := n.sup.failed(now, cause, random)
	if n.outage.Cause == nil {
		n.outage.Since, n.outage.First = now, cause
	}
	n.outage.Cause = cause
	if n.sup.open && !wasOpen {
		n.stats.breakerOpens.Add(1)
	}
	n.change(state, cause)
	// Never a wait of 0: a bubble's first timer that is due at once crashes the race detector (runtime.unlockAndRun).
	n.timer = time.AfterFunc(max(wait, 1), n.redial)
	n.mu.Unlock()
}

// redial puts the node in line again, unless it was closed: then nothing must start any more.
func (n *Node) redial() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state != StateClosed {
		n.cluster.queue.ask(n, true)
	}
}

// become changes the state and tells whoever waits for it. It reports false if the node is closed.
func (n *Node) become(state State, cause error) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state == StateClosed {
		return false
	}
	n.change(state, cause)
	return true
}

// change changes the state, but not that of a closed node. Called under mu, which keeps the log and the hook's queue in
// order; neither blocks.
func (n *Node) change(state State, cause error) {
	from := n.state
	if from == StateClosed || from == state {
		return
	}
	n.state, n.since = state, time.Now()
	if cause != nil || state == StateReady {
		n.cause = cause
	}
	close(n.changed)
	n.changed = make(chan struct{})
	n.cluster.stateChanged(n, from, state, cause)
}

// State returns the node's state and the cause of the last failure, which is nil once it is ready.
func (n *Node) State() (State, error) {
	l := n.look()
	return l.state, l.cause
}

// A look is what a node goes through at one instant.
type look struct {
	state   State
	cause   error
	open    bool            // the breaker
	changed <-chan struct{} // closed when any of it changes
}

func (n *Node) look() look {
	n.mu.Lock()
	l, c := look{state: n.state, cause: n.cause, open: n.sup.open, changed: n.changed}, n.conn
	n.mu.Unlock()
	if l.state == StateReady && c != nil && c.degraded() {
		l.state = StateDegraded
	}
	return l
}

// Ready reports whether the node takes actions now.
func (n *Node) Ready() bool { return n.current.Load() != nil }

// Booted reports whether the server sent FullyBooted on the current session, which it does only if the session's event mask
// includes "system".
func (n *Node) Booted() bool { return n.booted.Load() }

// Subscribe starts a stream of this node's events over all its sessions, with gaps where one was lost.
func (n *Node) Subscribe(o SubscribeOptions) (*Subscription, error) {
	o.Nodes = []string{n.cfg.Name}
	return n.cluster.Subscribe(o)
}

// close ends the node for good, with drain gracefully within ctx, and waits for its goroutines.
func (n *Node) close(ctx context.Context, drain bool) error {
	n.mu.Lock()
	c := n.conn
	n.leaving = true
	n.mu.Unlock()
	var err error
	if drain && c != nil { // ready or not: OnReady's actions count too
		err = c.Drain(ctx)
	}
	n.become(StateClosed, ErrClosed)
	n.mu.Lock()
	if n.timer != nil {
		n.timer.Stop()
	}
	c = n.conn
	n.mu.Unlock()
	n.cancel()
	n.cluster.queue.leave(n)
	if c != nil {
		c.kill(ErrClosed)
	}
	n.gone.Wait()
	n.unready()
	return err
}
