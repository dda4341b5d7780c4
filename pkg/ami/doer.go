package ami

import "context"

// A Doer does actions: a [Conn], a [Node], a cluster seen through a route ([Cluster.Via]), or a fake in a test.
type Doer interface {
	// Do sends an action and waits for its complete answer, within ctx and the action's timeout. The error is an *OpError
	// that says whether bytes left the process; a server's refusal comes as a Reply together with an error that wraps a
	// *ResponseError.
	Do(ctx context.Context, a Action) (*Reply, error)
}

var (
	_ Doer = (*Conn)(nil)
	_ Doer = (*Node)(nil)
	_ Doer = (*Via)(nil)
)
