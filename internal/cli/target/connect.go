package target

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// MostDials is how many one-shot connections are opened at once.
const MostDials = 64

// Dial opens one session for a one-shot subcommand: it fails with the cause of the first attempt.
func Dial(ctx context.Context, r *run.Run, cfg ami.Config) (*ami.Conn, error) {
	if d := r.Settings.ConnectTimeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	if r.Flags.Verbose {
		r.Logger().Info("dialling", slog.String("node", cfg.Name), slog.String("addr", cfg.Addr), slog.Bool("tls", cfg.TLS != nil))
	}
	c, err := ami.Dial(ctx, cfg)
	switch {
	case !r.Flags.Verbose:
	case err != nil:
		r.Logger().Warn("no session", slog.String("node", cfg.Name), slog.Any("cause", err))
	default:
		r.Logger().Info("ready", slog.String("node", cfg.Name), slog.String("banner", c.Banner()))
	}
	return c, err
}

// Bounds of a session's polite end. With nothing in flight only a Goodbye is waited for, and that may be far behind in a
// flood of events.
const (
	leaveTimeout   = 250 * time.Millisecond
	goodbyeTimeout = 20 * time.Millisecond
)

// Leave logs off, or just closes when the run was cut short.
func Leave(ctx context.Context, c *ami.Conn) {
	if ctx.Err() != nil {
		_ = c.Close()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	_ = c.Drain(ctx)
}

// Cluster adds all nodes, supervised, without waiting for any.
func Cluster(r *run.Run, nodes []ami.Config) (*ami.Cluster, error) {
	cfg := ami.ClusterConfig{Hooks: ami.Hooks{Reconnected: func(node string, o ami.Outage) {
		r.Note("%s is back after %s: %s", node, output.Duration(o.Until.Sub(o.Since)), fail.Cause(o.First))
	}}}
	if r.Flags.Verbose {
		cfg.Logger = r.Logger()
	}
	c := ami.NewCluster(cfg)
	r.CountSent(func() uint64 { return c.Stats().Ledger.Accepted })
	for _, n := range nodes {
		if _, err := c.Add(n); err != nil {
			_ = c.Close()
			return nil, fail.Usage("`amictl context show` lists the nodes", "%v", fail.Cause(err))
		}
	}
	return c, nil
}

// Await waits until as many nodes as needed had their first success. It fails as soon as too many have failed their
// first attempt, with one of their causes.
func Await(ctx context.Context, r *run.Run, c *ami.Cluster, need int) error {
	if d := r.Settings.ConnectTimeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	nodes := c.Nodes()
	results := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { results <- n.Connect(ctx) }()
	}
	ready, failed := 0, 0
	var first error
	for range nodes {
		err := <-results
		if err == nil {
			if ready++; ready >= need {
				return nil
			}
			continue
		}
		failed++
		if first == nil || IsLogin(first) && !IsLogin(err) {
			first = err
		}
		if len(nodes)-failed < need {
			return noSession(first)
		}
	}
	return noSession(first)
}

// noSession makes sure that an error from before the first session is one of connecting: what ended the wait (--timeout,
// --deadline, --connect-timeout) must not be taken for an answer that did not come.
func noSession(err error) error {
	f := fail.Classify(err)
	return &fail.Error{Code: f.Code, Message: f.Message, Hint: f.Hint}
}

// Absent says why a node has no session now: what its last attempt, or its last session, came to.
func Absent(n *ami.Node) error {
	_, cause := n.State()
	if cause == nil {
		cause = ami.ErrNotReady
	}
	if errors.As(cause, new(*ami.OpError)) {
		return cause
	}
	return &ami.OpError{Op: ami.OpConnect, Node: n.Name(), Err: cause}
}

// IsLogin reports whether the server refused the login.
func IsLogin(err error) bool { return errors.Is(err, ami.ErrUnauthorized) }

// Finish ends a cluster: politely, or at once when the run was cut short.
func Finish(ctx context.Context, c *ami.Cluster) {
	if ctx.Err() != nil {
		_ = c.Close()
		return
	}
	limit := leaveTimeout
	if c.Stats().Ledger.InFlight == 0 {
		limit = goodbyeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_ = c.Drain(ctx)
	_ = c.Close()
}

// Buffers of a subscription of the command line, for each node.
const (
	RingEvents = 131_072
	RingBytes  = 128 << 20
)

// RouteKinds are the choices of --route.
var RouteKinds = map[string]ami.RouteKind{
	"round-robin": ami.RouteRoundRobin, "failover": ami.RouteFailover, "least-pending": ami.RouteLeastPending,
}
