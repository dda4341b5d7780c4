package ami

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami/redact"
)

// ClusterConfig holds what the nodes of a cluster share. Zero fields take the documented defaults.
type ClusterConfig struct {
	MaxDials   int              // dials and logins at once; one that hangs counts for half a second
	RedialRate int              // redials a second
	Budget     int64            // bytes that all subscriptions' rings may hold together
	Logger     *slog.Logger     // nil: silent. It is wrapped in a redact.LogSink, so that it cannot block the engine
	Redactor   *redact.Redactor // hides secrets in the log; nil: one that knows the nodes' own and the usual keys
	Hooks      Hooks
	Rand       func() float64 // jitter, in [0,1); nil: math/rand/v2. It must be safe for concurrent use
}

// Hooks are called from one goroutine of the cluster's own, in order, never under a lock. One that blocks or panics
// harms only the other hooks: what overflows the queue is dropped and counted.
type Hooks struct {
	StateChanged func(node string, from, to State, cause error)
	// Reconnected tells that a node is ready after it failed: how long it was away, and why.
	Reconnected func(node string, o Outage)
}

// An Outage is a time in which a node had no ready session.
type Outage struct {
	Since time.Time // its session ended, or its first dial failed
	Until time.Time // it was ready
	First error     // why the session ended, or the first dial failed
	Cause error     // the last failure before it was ready; First if there was no other
	Dials int       // attempts, the one that succeeded included
}

// A Cluster holds many nodes and what they share: routing, fair subscriptions, one dial queue and one memory budget.
// No node waits for another.
//
// All methods are safe for concurrent use.
type Cluster struct {
	cfg    ClusterConfig
	log    *slog.Logger
	sink   *redact.LogSink
	notes  *notifier
	queue  *dialQueue
	budget budget
	turn   atomic.Uint64 // round robin

	unroutedActions atomic.Uint64 // refused because no node could take them
	overs           atomic.Int64  // of subscriptions, those that are closed

	nodes   atomic.Pointer[[]*Node] // in the order they were added
	index   nodeIndex               // of the same
	members atomic.Uint64           // changes of nodes, counted after each
	names   sync.RWMutex            // guards byName; nothing is done under it but to look there
	byName  map[string]*Node

	mu            sync.Mutex        // guards changes of nodes, and all below
	subscriptions []*Subscription   // in the order they were made; closed ones are among them until they are half
	past          SubscriptionStats // of those that were closed and forgotten
	removals      sync.WaitGroup    // under way
	closed        bool
	ended         chan struct{} // closed when Close or Drain is through
	outcome       error         // of that, written before
	hurry         func()        // ends a Drain's patience
}

// NewCluster returns a cluster without nodes. Close it.
func NewCluster(cfg ClusterConfig) *Cluster {
	if cfg.MaxDials <= 0 {
		cfg.MaxDials = DefaultMaxDials
	}
	if cfg.RedialRate <= 0 {
		cfg.RedialRate = DefaultRedialRate
	}
	if cfg.Budget <= 0 {
		cfg.Budget = DefaultBudget
	}
	c := &Cluster{
		cfg: cfg, queue: newDialQueue(cfg.MaxDials, cfg.RedialRate), byName: make(map[string]*Node), ended: make(chan struct{}),
		log: slog.New(slog.DiscardHandler),
	}
	c.budget.limit = cfg.Budget
	if c.cfg.Redactor == nil {
		c.cfg.Redactor, _ = redact.New(redact.Config{}) // without patterns it cannot fail
	}
	if cfg.Logger != nil {
		c.sink = redact.NewLogSink(cfg.Logger.Handler(), redact.LogSinkOptions{Redactor: c.cfg.Redactor})
		c.log = slog.New(c.sink)
	}
	if cfg.Hooks.StateChanged != nil || cfg.Hooks.Reconnected != nil {
		c.notes = newNotifier(c.log)
	}
	c.nodes.Store(&[]*Node{})
	return c
}

func (c *Cluster) random() float64 {
	if c.cfg.Rand != nil {
		return c.cfg.Rand()
	}
	return rand.Float64()
}

// stateChanged logs, and posts to the hook; both only queue.
func (c *Cluster) stateChanged(n *Node, from, to State, cause error) {
	level := slog.LevelInfo
	if to == StateBackoff || to == StateBreakerOpen || to == StateStopping {
		level = slog.LevelWarn
	}
	if c.sink != nil && c.log.Enabled(context.Background(), level) {
		attrs := []slog.Attr{slog.String("node", n.cfg.Name), slog.String("from", from.String()), slog.String("to", to.String())}
		if cause != nil {
			attrs = append(attrs, slog.Any("cause", cause))
		}
		c.log.LogAttrs(context.Background(), level, "node state", attrs...)
	}
	if hook := c.cfg.Hooks.StateChanged; hook != nil {
		c.notes.post(func() { hook(n.cfg.Name, from, to, cause) })
	}
}

// reconnected is stateChanged for the end of an outage.
func (c *Cluster) reconnected(n *Node, o Outage) {
	if c.sink != nil && c.log.Enabled(context.Background(), slog.LevelInfo) {
		c.log.LogAttrs(context.Background(), slog.LevelInfo, "node is back", slog.String("node", n.cfg.Name),
			slog.Duration("away", o.Until.Sub(o.Since)), slog.Int("dials", o.Dials), slog.Any("first", o.First), slog.Any("cause", o.Cause))
	}
	if hook := c.cfg.Hooks.Reconnected; hook != nil {
		c.notes.post(func() { hook(n.cfg.Name, o) })
	}
}

// Add starts supervising a server and returns at once. Node names are unique.
func (c *Cluster) Add(cfg Config) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, fmt.Errorf("ami: add %s: %w", cfg.Name, ErrClosed)
	}
	if _, ok := c.Node(cfg.Name); ok {
		c.mu.Unlock()
		return nil, fmt.Errorf("ami: add %s: there is a node of that name", cfg.Name)
	}
	n := newNode(c, cfg)
	for _, s := range c.subscriptions {
		s.attach(&n.feed)
	}
	nodes := append(*c.nodes.Load(), n) // behind what anybody has seen of the array
	c.nodes.Store(&nodes)
	c.index.join(n)
	c.names.Lock()
	c.byName[n.cfg.Name] = n
	c.names.Unlock()
	c.members.Add(1)
	c.mu.Unlock()
	c.queue.ask(n, false)
	return n, nil
}

// Remove ends a node at once and forgets it; its calls in flight end as disconnected.
func (c *Cluster) Remove(name string) error {
	c.mu.Lock()
	n, ok := c.Node(name)
	if !ok {
		c.mu.Unlock()
		return fmt.Errorf("ami: remove: %w: %s", ErrNoNode, name)
	}
	nodes := slices.DeleteFunc(slices.Clone(c.Nodes()), func(o *Node) bool { return o == n })
	c.nodes.Store(&nodes)
	c.index.leave(n)
	c.names.Lock()
	delete(c.byName, name)
	c.names.Unlock()
	c.members.Add(1)
	subscriptions := slices.Clone(c.subscriptions)
	if !c.closed { // Close waits for it
		c.removals.Add(1)
		defer c.removals.Done()
	}
	c.mu.Unlock()
	err := n.close(context.Background(), false)
	for _, s := range subscriptions {
		s.detach(&n.feed)
	}
	return err
}

// Nodes returns all nodes in the order they were added. The caller must not change the slice.
func (c *Cluster) Nodes() []*Node {
	nodes := *c.nodes.Load()
	return nodes[:len(nodes):len(nodes)]
}

// Node finds a node by name.
func (c *Cluster) Node(name string) (*Node, bool) {
	c.names.RLock()
	defer c.names.RUnlock()
	n, ok := c.byName[name]
	return n, ok
}

// Subscribe starts a stream of the nodes' events, fair among them.
func (c *Cluster) Subscribe(o SubscribeOptions) (*Subscription, error) {
	s, err := newSubscription(o)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("ami: subscribe: %w", ErrClosed)
	}
	for _, n := range c.Nodes() {
		s.attach(&n.feed)
	}
	if c.overs.Load() > int64(len(c.subscriptions)/2) {
		c.forgetClosed()
	}
	s.ends = &c.overs
	c.subscriptions = append(c.subscriptions, s)
	return s, nil
}

// forgetClosed keeps only the sum of subscriptions that are closed. Called under mu.
func (c *Cluster) forgetClosed() {
	c.subscriptions = slices.DeleteFunc(c.subscriptions, func(old *Subscription) bool {
		over := old.closed()
		if over {
			c.overs.Add(-1)
			c.past.Add(old.Stats())
		}
		return over
	})
}

// Close ends everything at once: calls in flight end as disconnected, subscriptions as closed. When it returns, no
// goroutine and no descriptor of the cluster is left.
func (c *Cluster) Close() error { return c.end(context.Background(), false) }

// Drain takes no new actions, waits within ctx for those in flight, logs off and closes everything. It returns nil if
// all of them ended by themselves.
func (c *Cluster) Drain(ctx context.Context) error { return c.end(ctx, true) }

func (c *Cluster) end(ctx context.Context, drain bool) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		if !drain {
			c.hurry()
		}
		stop := context.AfterFunc(ctx, c.hurry) // nobody waits longer than it said
		defer stop()
		<-c.ended // a second caller may rely on it as well
		if !drain {
			return nil
		}
		return c.outcome
	}
	c.closed = true
	ctx, c.hurry = context.WithCancel(ctx)
	defer c.hurry()
	defer close(c.ended)
	subscriptions, nodes := c.subscriptions, c.Nodes()
	c.mu.Unlock()
	c.queue.close()
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = n.close(ctx, drain) })
	}
	all.Wait()
	c.removals.Wait()
	for _, s := range subscriptions {
		s.Close()
	}
	if c.notes != nil {
		c.notes.close()
	}
	if c.sink != nil {
		_ = c.sink.Close()
	}
	c.outcome = errors.Join(errs...)
	return c.outcome
}
