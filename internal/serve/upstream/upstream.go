package upstream

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apntalk/amictl/internal/serve/stream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// Options are how an Upstream is made.
type Options struct {
	Users    *users.Directory
	Log      *slog.Logger     // of sessions, actions and refusals; it hides secrets itself
	Redactor *redact.Redactor // for what is logged of actions
	Lean     bool             // no window and no state, and a session for actions only once there is one: no door shows them
}

// An Upstream holds the sessions. All methods are safe for concurrent use.
type Upstream struct {
	Users  *users.Directory
	Guard  *users.Guard   // of logins, over all doors
	Log    *slog.Logger   // for doors, too
	Window *stream.Window // what the event sessions receive
	State  *state.Watcher // nil if it is lean
	AMI    AMIFigures

	lean    bool
	redact  *redact.Redactor
	events  *ami.Cluster
	actions *ami.Cluster
	counts  counts
	own     ownIDs

	mu    sync.Mutex            // guards nodes: held while they are edited
	nodes map[string]ami.Config // as they were given

	cancel context.CancelFunc
	pump   sync.WaitGroup
}

// AMIFigures are those of all AMI doors.
type AMIFigures struct {
	Clients      atomic.Int64  // connected now
	Events       atomic.Uint64 // written
	CutOff       atomic.Uint64 // clients that were too slow
	LoginsFailed atomic.Uint64
}

// Open makes the sessions of some nodes, and waits for none of them.
func Open(ctx context.Context, nodes []ami.Config, o Options) (*Upstream, error) {
	ctx, cancel := context.WithCancel(ctx)
	u := &Upstream{
		Users: o.Users, Guard: users.NewGuard(), Log: o.Log, Window: stream.New(0, 0), lean: o.Lean, redact: o.Redactor, cancel: cancel,
		nodes: make(map[string]ami.Config),
	}
	u.events, u.actions = sessions(&o, "events"), sessions(&o, "actions")
	var err error
	if !o.Lean {
		err = u.watch(ctx)
	}
	if err == nil {
		err = u.SetNodes(nodes)
	}
	if err != nil {
		u.Close()
		return nil, err
	}
	return u, nil
}

// Lean reports whether there is neither window nor state.
func (u *Upstream) Lean() bool { return u.lean }

// watch fills the window and the state.
func (u *Upstream) watch(ctx context.Context) error {
	events, err := u.events.Subscribe(ami.SubscribeOptions{})
	if err != nil {
		return err
	}
	u.pump.Go(func() {
		defer events.Close()
		_ = u.Window.Pump(ctx, events) // it ends with the cluster
	})
	u.State, err = state.Follow(ctx, u.events, state.Options{})
	return err
}

// sessions are those of one kind.
func sessions(o *Options, kind string) *ami.Cluster {
	return ami.NewCluster(ami.ClusterConfig{Logger: o.Log.With(slog.String("session", kind)), Redactor: o.Redactor})
}

// Close ends everything.
func (u *Upstream) Close() {
	u.cancel()
	_ = u.actions.Close()
	_ = u.events.Close()
	if u.State != nil {
		u.State.Close()
	}
	u.pump.Wait()
}

// Drain waits until the actions that are in flight have ended, or ctx is done, and takes no new ones.
func (u *Upstream) Drain(ctx context.Context) error { return u.actions.Drain(ctx) }

// SetNodes makes the nodes those that are given: new ones are added, others removed, and one with another address, user,
// labels or source of its secret or of trust is made anew. Nothing happens to the sessions of those that stay.
func (u *Upstream) SetNodes(nodes []ami.Config) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	wanted := make(map[string]bool, len(nodes))
	for i := range nodes {
		wanted[nodes[i].Name] = true
	}
	for name, cfg := range u.nodes {
		at := slices.IndexFunc(nodes, func(n ami.Config) bool { return n.Name == name })
		if at >= 0 && SameNode(&cfg, &nodes[at]) {
			continue
		}
		u.remove(name)
	}
	for i := range nodes {
		if _, there := u.nodes[nodes[i].Name]; there {
			continue
		}
		if err := u.add(nodes[i]); err != nil {
			return err
		}
	}
	return nil
}

// Add makes the sessions of one node more.
func (u *Upstream) Add(node ami.Config) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.add(node)
}

// Remove ends those of one.
func (u *Upstream) Remove(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.remove(name)
}

// add is Add. Called under mu.
func (u *Upstream) add(node ami.Config) error {
	event := node
	event.Events, event.OnReady = "on", u.own.greets(node.Name)
	if _, err := u.events.Add(event); err != nil {
		return err
	}
	if !u.lean {
		if _, err := u.addActions(node); err != nil {
			_ = u.events.Remove(node.Name)
			return err
		}
	}
	u.nodes[node.Name] = node
	return nil
}

// addActions makes a node's session for actions.
func (u *Upstream) addActions(node ami.Config) (*ami.Node, error) {
	node.Events, node.Filters = "off", nil
	node.OnReady = u.own.learn
	return u.actions.Add(node)
}

// node returns what actions on a node go through, ErrUnknownNode if there is none.
func (u *Upstream) node(ctx context.Context, name string) (*ami.Node, error) {
	if n, ok := u.actions.Node(name); ok {
		return n, nil
	}
	n, err := u.firstAction(name)
	if err == nil {
		_ = n.Connect(ctx) // if it cannot, the action says why
	}
	return n, err
}

// firstAction makes the session for actions of a lean node.
func (u *Upstream) firstAction(name string) (*ami.Node, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n, ok := u.actions.Node(name); ok { // another action was faster
		return n, nil
	}
	cfg, ok := u.nodes[name]
	if !ok {
		return nil, ErrUnknownNode
	}
	return u.addActions(cfg)
}

// remove is Remove. Called under mu.
func (u *Upstream) remove(name string) {
	_ = u.actions.Remove(name)
	_ = u.events.Remove(name)
	delete(u.nodes, name)
}

// SameNode reports whether two configurations lead to the same sessions. What a secret is, is asked at each login anyway; where it
// comes from is in the fingerprint.
func SameNode(a, b *ami.Config) bool {
	return a.Name == b.Name && a.Addr == b.Addr && a.Fingerprint == b.Fingerprint && a.Username == b.Username && a.Auth == b.Auth && reflect.DeepEqual(a.Labels, b.Labels) &&
		reflect.DeepEqual(a.Filters, b.Filters) && (a.TLS == nil) == (b.TLS == nil) && a.Timeouts == b.Timeouts
}

// Subscribe subscribes to the events of one node, beside the window.
func (u *Upstream) Subscribe(node ami.Config, o ami.SubscribeOptions) (events *ami.Subscription, end func(), err error) {
	o.Nodes = []string{node.Name}
	if events, err = u.events.Subscribe(o); err != nil {
		return nil, nil, err
	}
	return events, events.Close, nil
}

// Ping asks a node's server on its event session, and waits for that: what was sent to everybody before the server saw it stands before
// the answer.
func (u *Upstream) Ping(ctx context.Context, node string) (*ami.Reply, error) {
	n, ok := u.events.Node(node)
	if !ok {
		return nil, ErrUnknownNode
	}
	ping := ami.NewAction("Ping")
	ping.WaitReady = true
	return n.Do(ctx, ping)
}

// Nodes returns the names of the nodes that a user may know of, sorted.
func (u *Upstream) Nodes(who *users.User) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	names := make([]string, 0, len(u.nodes))
	for name := range u.nodes {
		if who.SeesNode(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Readiness is how many nodes take actions and events now.
type Readiness struct{ Ready, Nodes int }

// Readiness counts the nodes.
func (u *Upstream) Readiness() Readiness {
	var r Readiness
	for _, n := range u.events.Nodes() {
		r.Nodes++
		if actions, ok := u.actions.Node(n.Name()); n.Ready() && (!ok || actions.Ready()) {
			r.Ready++
		}
	}
	return r
}

// Away says why a node takes no actions now, nil if it does.
func (u *Upstream) Away(node string) error {
	n, ok := u.actions.Node(node)
	if !ok {
		n, ok = u.events.Node(node)
	}
	if !ok {
		return ErrUnknownNode
	}
	return away(n)
}

// Deaf says why a node's events do not come now, nil if they do.
func (u *Upstream) Deaf(node string) error {
	n, ok := u.events.Node(node)
	if !ok {
		return ErrUnknownNode
	}
	return away(n)
}

func away(n *ami.Node) error {
	if n.Ready() {
		return nil
	}
	_, cause := n.State()
	if cause == nil {
		cause = ami.ErrNotReady
	}
	return cause
}

// EventStats are the engine's figures of the event sessions.
func (u *Upstream) EventStats() ami.ClusterStats { return u.events.Stats() }

// ActionStats are those of the action sessions.
func (u *Upstream) ActionStats() ami.ClusterStats { return u.actions.Stats() }
