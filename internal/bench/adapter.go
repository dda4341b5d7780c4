package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A Target is a server to drive.
type Target struct {
	Node   string
	Config ami.Config // Name is set from Node
}

// engineOptions shapes the engine of a run.
type engineOptions struct {
	Sessions int    // a node
	Window   int    // most actions in flight on a session
	Events   string // event mask; "" none
	Cluster  ami.ClusterConfig
}

// cluster is the engine over an ami.Cluster. Several sessions to one server are several nodes of the cluster.
type cluster struct {
	cluster *ami.Cluster
	nodes   []*ami.Node
	lanes   []laneName
	byName  map[string]int
}

// newCluster makes sessions to all targets and returns at once; they connect in the background.
func newCluster(targets []Target, o engineOptions) (*cluster, error) {
	c := &cluster{cluster: ami.NewCluster(o.Cluster), byName: map[string]int{}}
	for _, t := range targets {
		for s := range max(1, o.Sessions) {
			cfg := t.Config
			cfg.Name = t.Node
			if s > 0 {
				cfg.Name += "/" + strconv.Itoa(s+1)
			}
			if cfg.Limits.Pending == 0 && o.Window > ami.DefaultPending {
				cfg.Limits.Pending = o.Window // else it would refuse what the window lets through
			}
			if o.Events != "" {
				cfg.Events = o.Events
			}
			n, err := c.cluster.Add(cfg)
			if err != nil {
				_ = c.cluster.Close()
				return nil, &ConfigError{"nodes", "cannot be used: " + strings.TrimPrefix(err.Error(), "ami: ")}
			}
			c.byName[cfg.Name] = len(c.lanes)
			c.nodes = append(c.nodes, n)
			c.lanes = append(c.lanes, laneName{Name: cfg.Name, Node: t.Node})
		}
	}
	return c, nil
}

// Lanes implements engine.
func (c *cluster) Lanes() []laneName { return c.lanes }

// Ready implements engine.
func (c *cluster) Ready(lane int) bool { return c.nodes[lane].Ready() }

// clusterBatch is the batch over an ami.Batch.
type clusterBatch struct{ b *ami.Batch[flight] }

// NewBatch implements engine.
func (c *cluster) NewBatch() batch { return clusterBatch{new(ami.Batch[flight])} }

// Poll implements batch.
func (b clusterBatch) Poll() (ending, bool) {
	r, ok := b.b.PollBorrowed()
	if !ok {
		return ending{}, false
	}
	return end(r), true
}

// Wait implements batch.
func (b clusterBatch) Wait(ctx context.Context) (ending, error) {
	r, err := b.b.NextBorrowed(ctx)
	if err != nil {
		return ending{}, err
	}
	return end(r), nil
}

func end(r *ami.Result[flight]) ending {
	e := ending{Flight: r.Value}
	if r.Reply != nil {
		e.Received, e.Service, e.Outcome = r.Reply.Received, r.Reply.RTT, r.Reply.Outcome()
	}
	if r.Err != nil {
		e.Kind = kindOf(r.Err)
		if e.Kind == endError {
			var refused *ami.ResponseError
			if errors.As(r.Err, &refused) {
				e.Refusal = strings.Clone(refused.Message)
			}
		}
		if !e.Kind.Answered() {
			e.Received = time.Time{} // what came of a list before it was cut short is no answer
		}
	}
	return e
}

// kindOf says how an accepted action ended, from its error, as the engine's ledger books it.
func kindOf(err error) endKind {
	var refused *ami.ResponseError
	switch {
	case errors.As(err, &refused), errors.Is(err, ami.ErrListTooLong):
		return endError
	case errors.Is(err, ami.ErrTimeout):
		return endTimeout
	case errors.Is(err, ami.ErrCancelled):
		return endCancelled
	case ami.SentState(err) == ami.SentNo:
		return endUnsent
	default:
		return endMaybe
	}
}

// Submit implements engine.
func (c *cluster) Submit(lane int, a *action, b batch, f flight) bool {
	err := b.(clusterBatch).b.TrySubmit(c.nodes[lane], ami.Action{
		Name: a.Name, Fields: a.Fields, Timeout: a.Timeout, AwaitOriginate: a.Await,
	}, f)
	return err == nil
}

// Login implements engine.
func (c *cluster) Login(ctx context.Context, lane int) endKind {
	conn, err := ami.Dial(ctx, c.nodes[lane].Config())
	if err == nil {
		_ = conn.Close()
		return endReply
	}
	switch {
	case errors.Is(err, ami.ErrUnauthorized):
		return endError
	case errors.Is(err, ami.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return endTimeout
	default:
		return endUnsent
	}
}

// Channels implements counter.
func (c *cluster) Channels(ctx context.Context) (channels uint64, done Ended) {
	seen := map[string]bool{}
	for i, n := range c.nodes {
		if seen[c.lanes[i].Node] || !n.Ready() {
			continue
		}
		seen[c.lanes[i].Node] = true
		reply, err := n.Do(ctx, ami.NewAction("Command", "Command", "core show channels count"))
		if err != nil {
			var op *ami.OpError
			if errors.As(err, &op) && op.ActionID == "" {
				done.add(endRejected)
			} else {
				done.add(kindOf(err))
			}
			continue
		}
		done.add(endReply)
		for line := range reply.Output() {
			var count uint64
			if _, err := fmt.Sscanf(line, "%d active channel", &count); err == nil {
				channels += count
			}
		}
	}
	return channels, done
}

// Stats implements engine.
func (c *cluster) Stats(lane int) laneStats {
	s := c.nodes[lane].Stats()
	return laneStats{
		Books: Books{Ledger: s.Ledger, Internal: s.Internal, Late: s.Late, Strays: s.Duplicate + s.Foreign + s.Unmatched},
		Ready: s.State == ami.StateReady || s.State == ami.StateDegraded,
		Lost:  s.Lost, Reconnects: max(s.Sessions, 1) - 1,
		PendingPeak: s.PendingPeak, PendingCap: s.PendingCap, WritePeak: s.WritePeak, WriteCap: s.WriteCap,
	}
}

// Drain implements engine.
func (c *cluster) Drain(ctx context.Context) error { return c.cluster.Drain(ctx) }

// Close implements engine.
func (c *cluster) Close() error { return c.cluster.Close() }

// clusterStream is the stream over an ami.Subscription.
type clusterStream struct {
	c *cluster
	s *ami.Subscription
}

// Stream implements engine.
func (c *cluster) Stream() (stream, error) {
	s, err := c.cluster.Subscribe(ami.SubscribeOptions{})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return &clusterStream{c: c, s: s}, nil
}

// Next implements stream.
func (s *clusterStream) Next(ctx context.Context) (delivery, error) {
	ev, err := s.s.NextBorrowed(ctx)
	if err != nil {
		return delivery{}, err
	}
	d := delivery{Lane: s.c.byName[ev.Node]}
	switch {
	case ev.Gap == nil:
		d.Message = &ev.Message
	case ev.Gap.Reason == ami.GapOverflow:
		d.Dropped = ev.Gap.Dropped
	default:
		d.Lost = true
	}
	return d, nil
}

// Stats implements stream.
func (s *clusterStream) Stats() streamStats {
	return streamStats{SubscriptionStats: s.s.Stats(), CapEvents: ami.DefaultRingEvents, CapBytes: ami.DefaultRingBytes}
}

// Close implements stream.
func (s *clusterStream) Close() { s.s.Close() }
