package target

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// MostDials is how many one-shot connections are opened at once.
const MostDials = 64

// Connecting is a context for the way to a session, which --connect-timeout bounds.
func Connecting(ctx context.Context, r *run.Run) (context.Context, context.CancelFunc) {
	if d := r.Settings.ConnectTimeout; d > 0 {
		return context.WithTimeout(ctx, d)
	}
	return context.WithCancel(ctx)
}

// Dial opens one session for a one-shot subcommand: it fails with the cause of the first attempt.
func Dial(ctx context.Context, r *run.Run, cfg ami.Config) (*ami.Conn, error) {
	ctx, cancel := Connecting(ctx, r)
	defer cancel()
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

// Cluster adds all nodes, supervised, without waiting for any. Each loss of a connection is told of, and each return.
func Cluster(r *run.Run, nodes []ami.Config) (*ami.Cluster, error) {
	cfg := ami.ClusterConfig{Hooks: ami.Hooks{
		StateChanged: func(node string, from, to ami.State, _ error) {
			if from == ami.StateReady && to != ami.StateClosed {
				r.Note("%s: the connection was lost; trying to get it back", node)
			}
		},
		Reconnected: func(node string, o ami.Outage) {
			r.Note("%s is back after %s: %s", node, output.Duration(o.Until.Sub(o.Since)), fail.Cause(o.First))
		},
	}}
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

// Await waits until as many nodes as needed had their first success, and has it told of the others when they fail their first
// attempt. It fails as soon as too many have, with one of their causes.
func Await(ctx context.Context, r *run.Run, c *ami.Cluster, need int) error {
	trying, cancel := Connecting(ctx, r)
	nodes := c.Nodes()
	results := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { results <- n.Connect(trying) }()
	}
	ready, failed := 0, []error(nil)
	for ready < need {
		if len(nodes)-len(failed) < need {
			cancel()
			return noSession(foremost(failed))
		}
		if err := <-results; err != nil {
			failed = append(failed, err)
		} else {
			ready++
		}
	}
	tell := func(err error) {
		if ctx.Err() == nil && !errors.Is(err, ami.ErrClosed) { // else it is the run that is over
			r.Complain(fail.Classify(err))
		}
	}
	for _, err := range failed {
		tell(err)
	}
	go func() {
		defer cancel()
		for range len(nodes) - ready - len(failed) {
			if err := <-results; err != nil {
				tell(err)
			}
		}
	}()
	return nil
}

// foremost is the error that says most of why several nodes have no session: a refused login says less than any other.
func foremost(failed []error) error {
	if i := slices.IndexFunc(failed, func(err error) bool { return !IsLogin(err) }); i >= 0 {
		return failed[i]
	}
	return failed[0]
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
