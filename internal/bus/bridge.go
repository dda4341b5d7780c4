package bus

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
)

// Options are how a bridge works.
type Options struct {
	Conn    *nats.Conn
	Cluster string
	Name    string              // of the bridge; each of a cluster has another one
	Nodes   func() []ami.Config // that the bridges of the cluster share now
	Storage Storage
	Log     *slog.Logger

	// Same reports whether two configurations lead to the same sessions to a node.
	Same func(a, b *ami.Config) bool
	// Events begins to read a node that the bridge owns, or is about to.
	Events func(node ami.Config, o ami.SubscribeOptions) (*Session, error)
	// Each are globs of the events that are put on the bus one by one as well, as Line makes text of them; none: no events are.
	Each                  []string
	Line                  func(dst []byte, ev *ami.Event) []byte
	RingEvents, RingBytes int           // that wait in memory, of each node; 0: the defaults
	Spool                 spool.Options // of what memory has no room for, Disk over all nodes; Disk 0: there is none
	// Hot has the bridge read each node that another one owns, on a session of its own, so that it goes on without a gap when that one dies.
	Hot                 bool
	HotEvents, HotBytes int // that it remembers, of each node; 0: the defaults
	// Actions carries out what comes over the bus; nil: nothing does.
	Actions Performer
}

// A Session is what a bridge reads a node's events from.
type Session struct {
	Events *ami.Subscription
	Ping   func(context.Context) (*ami.Reply, error) // goes to the server on the session of the events, once there is one
	End    func()                                    // gives the node back
}

// A bridge puts the events of nodes on the bus, sharing the nodes with the other bridges of its cluster: each node belongs to
// one of them at a time. One that joins moves no node; nodes that nobody owns, and those of a bridge that has died, go to
// whoever ranks first for them.
type bridge struct {
	o       Options
	self    string // the name and this process: another process of the same name is another bridge
	js      jetstream.JetStream
	members *members
	leases  *leaseBoard
	free    map[string]time.Time // since when we know that a node has no owner; for look alone

	mu       sync.Mutex // guards what follows
	owners   map[string]*owner
	arrivals map[string]*arrival   // of nodes that may be moved here
	last     map[string]*arrival   // of nodes that were
	standbys map[string]*standby   // of nodes that others own
	unfit    map[string]ami.Config // nodes that can have none, as they were then
	ended    bool                  // no more of them
	all      sync.WaitGroup
}

// Run works until ctx is done; then it hands out what it has read, and gives its nodes back. An error is one of the bus: that
// it cannot be used, or that its connection was closed for good.
func Run(ctx context.Context, o Options) error {
	js, err := jetstream.New(o.Conn)
	if err != nil {
		return err
	}
	o.RingEvents, o.RingBytes = cmp.Or(o.RingEvents, DefaultRingEvents), cmp.Or(o.RingBytes, DefaultRingBytes)
	o.HotEvents, o.HotBytes = cmp.Or(o.HotEvents, DefaultHotEvents), cmp.Or(o.HotBytes, DefaultHotBytes)
	o.Spool.Shared = spool.NewLimit(o.Spool.Disk)
	b := &bridge{
		o: o, self: o.Name + "/" + nuid.Next(), js: js, free: make(map[string]time.Time), owners: make(map[string]*owner), arrivals: make(map[string]*arrival),
		last: make(map[string]*arrival), standbys: make(map[string]*standby), unfit: make(map[string]ami.Config),
	}
	if b.leases, err = begin(ctx, js, &o); err != nil {
		return err
	}
	defer b.leases.stop()
	if b.members, err = join(o.Conn, o.Cluster, b.self); err != nil {
		return err
	}
	defer b.members.leave()
	endTakes, err := b.serveTakes(ctx)
	if err != nil {
		return err
	}
	endStandings, err := b.serveStandings(ctx)
	if err != nil {
		endTakes()
		return err
	}
	defer b.stopAll()
	defer endTakes()
	defer endStandings()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			b.members.sayGoodbye()
			return ctx.Err()
		case <-tick.C:
		case <-b.leases.came:
		}
		if o.Conn.IsClosed() {
			return wrap("stay connected", cmp.Or(o.Conn.LastError(), nats.ErrConnectionClosed))
		}
		b.look(ctx)
	}
}

const (
	lookEvery  = 100 * time.Millisecond
	leftFree   = time.Second    // a node that is free for so long may be taken by whoever does not rank first for it
	lapsedFree = 2 * renewEvery // and one whose lease has ended by itself, while the bridge that had it is alive and about to renew it
)

// look takes the nodes that are free, or whose bridge is dead, and are ours by rank.
func (b *bridge) look(ctx context.Context) {
	nodes := b.o.Nodes()
	b.dropOthers(nodes)
	b.standBy(nodes)
	for i := range nodes {
		if l := b.leases.of(nodes[i].Name); l.holder == b.self && l.handed != nil && !b.owns(nodes[i].Name) {
			b.take(ctx, &nodes[i], l)
		}
	}
	if !b.members.hears() {
		return // cut off, or just begun: who is silent may be well
	}
	for i := range nodes {
		node := &nodes[i]
		l := b.leases.of(node.Name)
		// One of our own that we do not own was lost on the way.
		if b.owns(node.Name) || l.holder != "" && l.holder != b.self && b.members.alive(l.holder) {
			delete(b.free, node.Name)
			continue
		}
		if _, known := b.free[node.Name]; !known {
			b.free[node.Name] = time.Now()
		}
		if time.Since(b.free[node.Name]) >= b.leaves(node.Name, l) {
			b.take(ctx, node, l)
		}
	}
}

// leaves is for how long we leave a node that is free to others, who may have more of a right to it.
func (b *bridge) leaves(node string, l leaseState) time.Duration {
	switch {
	case l.lapsed != b.self && b.members.alive(l.lapsed): // the clock of the bus has jumped, say
		return lapsedFree
	case !b.ready(node, l):
		return 2 * leftFree
	case rank(node, b.members.list()) != b.self:
		return leftFree
	}
	return 0
}

// dropOthers gives up the nodes that are no longer ours to have, or are at another place now.
func (b *bridge) dropOthers(nodes []ami.Config) {
	b.mu.Lock()
	defer b.mu.Unlock()
	stays := func(node *ami.Config) bool {
		return slices.ContainsFunc(nodes, func(n ami.Config) bool { return n.Name == node.Name && b.o.Same(&n, node) })
	}
	for _, o := range b.owners {
		if !stays(&o.node) {
			o.end()
		}
	}
	for name, s := range b.standbys {
		if !stays(&s.node) {
			b.dismiss(name)
		}
	}
}

// makeLeases makes the bucket of the leases if there is none.
func (b *bridge) makeLeases(ctx context.Context) error {
	return ensureBucket(ctx, b.js, b.o.Cluster, b.o.Storage)
}

// read begins to read a node.
func (b *bridge) read(node ami.Config) (*Session, error) {
	return b.o.Events(node, ami.SubscribeOptions{RingEvents: b.o.RingEvents, RingBytes: b.o.RingBytes, Packets: true})
}

func (b *bridge) owns(node string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.owners[node] != nil
}

// take tries to become a node's owner.
func (b *bridge) take(ctx context.Context, node *ami.Config, l leaseState) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it outlives ctx until its last batch is stored
	o := &owner{bridge: b, node: *node, cancel: cancel, stop: make(chan struct{}), gone: make(chan struct{}), handed: l.handed, ceded: l.ceded, log: b.o.Log.With(slog.String("node", node.Name))}
	b.mu.Lock()
	b.owners[node.Name] = o
	o.arrival = b.arrived(node.Name, l.handed)
	b.mu.Unlock()
	b.all.Go(func() {
		defer cancel()
		o.run(work, l.revision)
		b.mu.Lock()
		delete(b.owners, node.Name)
		b.mu.Unlock()
	})
}

// stopAll ends all ownership, in order.
func (b *bridge) stopAll() {
	b.mu.Lock()
	for _, o := range b.owners {
		o.end()
	}
	b.mu.Unlock()
	limit := time.AfterFunc(stopTime, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, o := range b.owners {
			o.cancel()
		}
	})
	defer limit.Stop()
	b.all.Wait()
}

// stopTime is how long the last batches may take when a bridge stops.
const stopTime = 10 * time.Second
