package ami

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// A RouteKind says how a node is chosen for an action.
type RouteKind uint8

const (
	// RouteNamed takes the named node and no other: if it is not ready the action fails.
	RouteNamed RouteKind = iota
	// RouteRoundRobin takes the ready nodes in turn.
	RouteRoundRobin
	// RouteFailover takes the first ready node in order.
	RouteFailover
	// RouteLeastPending takes the ready node with the fewest actions in flight.
	RouteLeastPending
)

// A Route chooses a node for an action.
type Route struct {
	Kind  RouteKind
	Node  string   // RouteNamed
	Nodes []string // the others: choose among these, in this order; none means all
}

// A Via is a cluster seen through a route. It is safe for concurrent use.
type Via struct {
	cluster *Cluster
	route   Route
	listed  atomic.Pointer[nodeList] // the route's nodes as last found; nil: not yet
}

// Via returns the cluster as a [Doer] whose actions go where the route says. It may be kept and used again, which saves
// finding the nodes that the route names each time.
func (c *Cluster) Via(r Route) *Via { return &Via{cluster: c, route: r} }

// A nodeList is the nodes that a route names, in its order.
type nodeList struct {
	members uint64 // of the cluster, as they were
	nodes   []*Node
	runs    []run // of the same
}

// list finds the nodes that the route names, anew if nodes were added or removed since.
func (v *Via) list() (*nodeList, error) {
	members := v.cluster.members.Load() // before they are looked at
	if l := v.listed.Load(); l != nil && l.members == members {
		return l, nil
	}
	names := v.route.Nodes
	if v.route.Kind == RouteNamed {
		names = []string{v.route.Node}
	}
	l := &nodeList{members: members, nodes: make([]*Node, 0, len(names))}
	for _, name := range names {
		n, ok := v.cluster.Node(name)
		if !ok {
			return nil, fmt.Errorf("ami: %w: %q", ErrNoNode, name)
		}
		l.nodes, l.runs = append(l.nodes, n), appendRun(l.runs, n)
	}
	v.listed.Store(l)
	return l, nil
}

// candidates returns the nodes among which the route chooses.
func (v *Via) candidates() ([]*Node, error) {
	if v.route.Kind != RouteNamed && len(v.route.Nodes) == 0 {
		return v.cluster.Nodes(), nil
	}
	l, err := v.list()
	if err != nil {
		return nil, err
	}
	return l.nodes, nil
}

// pick chooses a node. For the kinds other than RouteNamed it is a ready one, or the error is ErrNotReady.
func (v *Via) pick() (n *Node, err error) {
	c := v.cluster
	var runs []run
	if v.route.Kind == RouteNamed || len(v.route.Nodes) > 0 {
		l, err := v.list()
		if err != nil {
			return nil, err
		}
		if v.route.Kind == RouteNamed {
			return l.nodes[0], nil
		}
		runs = l.runs
	} else {
		runs = c.index.runs()
	}
	switch v.route.Kind {
	case RouteRoundRobin:
		n = inTurn(runs, c.turn.Add(1)-1)
	case RouteLeastPending:
		c.count()
		n = least(runs)
	default:
		n = first(runs)
	}
	if n == nil {
		all, _ := v.candidates()
		return nil, fmt.Errorf("ami: %w: none of %d", ErrNotReady, len(all))
	}
	return n, nil
}

// count has the nodes tell how many actions they have in flight, which costs each action a little.
func (c *Cluster) count() {
	if c.index.counted.Load() {
		return
	}
	c.index.counted.Store(true) // what a session does from here on it tells itself
	for _, n := range c.Nodes() {
		if conn := n.current.Load(); conn != nil {
			conn.tellPending()
		}
	}
}

// choose chooses a node, waiting for a ready one within ctx and the action's timeout if the action says WaitReady.
func (v *Via) choose(ctx context.Context, a *Action) (*Node, error) {
	n, err := v.pick()
	if err == nil || !a.WaitReady || v.route.Kind == RouteNamed {
		return n, err
	}
	candidates, listErr := v.candidates()
	if listErr != nil || len(candidates) == 0 {
		return nil, err
	}
	if err := allLeftAlone(candidates); err != nil {
		return nil, err
	}
	timeout := a.Timeout
	if timeout <= 0 { // that of the node, which is not known yet: the longest
		for _, n := range candidates {
			timeout = max(timeout, n.cfg.Timeouts.Action)
		}
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	results := make(chan error, len(candidates))
	for _, n := range candidates {
		go func() { results <- n.WaitReady(ctx) }()
	}
	for range candidates {
		if waitErr := <-results; waitErr == nil {
			cancel() // the other waits end at once
			n, err := v.pick()
			if err == nil { // one deadline for the wait and the answer
				if a.Timeout <= 0 {
					timeout = n.cfg.Timeouts.Action
				}
				a.Timeout = max(timeout-time.Since(start), 1)
			}
			return n, err
		} else {
			err = waitErr
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrNotReady, err)
}

// allLeftAlone returns why an action waits for none of the nodes, or nil if there is one to wait for.
func allLeftAlone(nodes []*Node) (err error) {
	for _, n := range nodes {
		if err = leftAlone(n.look()); err == nil {
			return nil
		}
	}
	return err
}

// unrouted books an action that no node got.
func (c *Cluster) unrouted(a *Action, err error) error {
	c.unroutedActions.Add(1)
	return &OpError{Op: OpDo, Action: a.Name, Err: err}
}

// Do sends an action to the node that the route chooses and waits for its answer; see [Node.Do]. If none can be chosen,
// the error's Node is empty.
func (v *Via) Do(ctx context.Context, a Action) (*Reply, error) {
	n, err := v.choose(ctx, &a)
	if err != nil {
		return nil, v.cluster.unrouted(&a, err)
	}
	return n.Do(ctx, a)
}

// give sends an action whose end goes to a receiver, to the node that the route chooses.
func (v *Via) give(ctx context.Context, a *Action, to receiver, mode submitMode) error {
	n, err := v.choose(ctx, a)
	if err != nil {
		return v.cluster.unrouted(a, err)
	}
	return n.give(ctx, a, to, mode)
}
