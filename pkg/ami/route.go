package ami

import (
	"context"
	"fmt"
	"slices"
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

// pick chooses a node. For the kinds other than RouteNamed it is a ready one, or the error is ErrNotReady.
func (c *Cluster) pick(r Route) (*Node, error) {
	if r.Kind == RouteNamed {
		n, ok := c.Node(r.Node)
		if !ok {
			return nil, fmt.Errorf("ami: %w: %q", ErrNoNode, r.Node)
		}
		return n, nil
	}
	candidates, err := c.candidates(r.Nodes)
	if err != nil {
		return nil, err
	}
	ready := make([]*Node, 0, len(candidates))
	for _, n := range candidates {
		if n.Ready() {
			ready = append(ready, n)
		}
	}
	if len(ready) == 0 {
		return nil, fmt.Errorf("ami: %w: none of %d", ErrNotReady, len(candidates))
	}
	switch r.Kind {
	case RouteRoundRobin:
		return ready[(c.turn.Add(1)-1)%uint64(len(ready))], nil
	case RouteLeastPending:
		return slices.MinFunc(ready, func(a, b *Node) int { return a.pending() - b.pending() }), nil
	}
	return ready[0], nil
}

// pending returns how many slots of the present session are taken.
func (n *Node) pending() int {
	if c := n.current.Load(); c != nil {
		return c.pending()
	}
	return 0
}

func (c *Cluster) candidates(names []string) ([]*Node, error) {
	if len(names) == 0 {
		return c.Nodes(), nil
	}
	nodes := make([]*Node, len(names))
	for i, name := range names {
		n, ok := c.Node(name)
		if !ok {
			return nil, fmt.Errorf("ami: %w: %q", ErrNoNode, name)
		}
		nodes[i] = n
	}
	return nodes, nil
}

// route chooses a node, waiting for a ready one within ctx and the action's timeout if the action says WaitReady.
func (c *Cluster) route(ctx context.Context, r Route, a *Action) (*Node, error) {
	n, err := c.pick(r)
	if err == nil || !a.WaitReady || r.Kind == RouteNamed {
		return n, err
	}
	candidates, listErr := c.candidates(r.Nodes)
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
			n, err := c.pick(r)
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

// A Via is a cluster seen through a route. It is safe for concurrent use.
type Via struct {
	cluster *Cluster
	route   Route
}

// Via returns the cluster as a [Doer] whose actions go where the route says. It may be kept and used again.
func (c *Cluster) Via(r Route) *Via { return &Via{c, r} }

// Do sends an action to the node that the route chooses and waits for its answer; see [Node.Do]. If none can be chosen,
// the error's Node is empty.
func (v *Via) Do(ctx context.Context, a Action) (*Reply, error) {
	n, err := v.cluster.route(ctx, v.route, &a)
	if err != nil {
		return nil, v.cluster.unrouted(&a, err)
	}
	return n.Do(ctx, a)
}

// give sends an action whose end goes to a receiver, to the node that the route chooses.
func (v *Via) give(ctx context.Context, a *Action, to receiver, mode submitMode) error {
	n, err := v.cluster.route(ctx, v.route, a)
	if err != nil {
		return v.cluster.unrouted(a, err)
	}
	return n.give(ctx, a, to, mode)
}
