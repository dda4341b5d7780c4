package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A Target is a server to drive.
type Target struct {
	Node   string
	Config ami.Config // Name is set from Node
}

// EngineOptions shapes the engine of a run.
type EngineOptions struct {
	Sessions int    // a node
	Window   int    // most actions in flight on a session
	Events   string // event mask; "" none
	Cluster  ami.ClusterConfig
	Ring     int // events a session and subscription; 0: the engine's default
	RingSize int // bytes likewise
}

// Cluster is the Engine over an ami.Cluster. Several sessions to one server are several nodes of the cluster.
type Cluster struct {
	cluster *ami.Cluster
	nodes   []*ami.Node
	lanes   []Lane
	byName  map[string]int
	o       EngineOptions
}

// NewCluster makes sessions to all targets and returns at once; they connect in the background.
func NewCluster(targets []Target, o EngineOptions) (*Cluster, error) {
	c := &Cluster{cluster: ami.NewCluster(o.Cluster), byName: map[string]int{}, o: o}
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
				return nil, errors.Join(fmt.Errorf("bench: %w", err), c.cluster.Close())
			}
			c.byName[cfg.Name] = len(c.lanes)
			c.nodes = append(c.nodes, n)
			c.lanes = append(c.lanes, Lane{Name: cfg.Name, Node: t.Node})
		}
	}
	return c, nil
}

// Lanes implements Engine.
func (c *Cluster) Lanes() []Lane { return c.lanes }

// Ready implements Engine.
func (c *Cluster) Ready(lane int) bool { return c.nodes[lane].Ready() }

// clusterBatch is the Batch over an ami.Batch.
type clusterBatch struct{ b *ami.Batch[Flight] }

// NewBatch implements Engine.
func (c *Cluster) NewBatch() Batch { return clusterBatch{new(ami.Batch[Flight])} }

// Poll implements Batch.
func (b clusterBatch) Poll() (End, bool) {
	r, ok := b.b.PollBorrowed()
	if !ok {
		return End{}, false
	}
	return end(r), true
}

// Wait implements Batch.
func (b clusterBatch) Wait(ctx context.Context) (End, error) {
	r, err := b.b.NextBorrowed(ctx)
	if err != nil {
		return End{}, err
	}
	return end(r), nil
}

func end(r *ami.Result[Flight]) End {
	e := End{Flight: r.Value}
	if r.Reply != nil {
		e.Received, e.Service, e.Outcome = r.Reply.Received, r.Reply.RTT, r.Reply.Outcome()
	}
	if r.Err != nil {
		e.Kind = kindOf(r.Err)
		if !e.Kind.Answered() {
			e.Received = time.Time{} // what came of a list before it was cut short is no answer
		}
	}
	return e
}

// kindOf says how an accepted action ended, from its error, as the engine's ledger books it.
func kindOf(err error) EndKind {
	var refused *ami.ResponseError
	switch {
	case errors.As(err, &refused), errors.Is(err, ami.ErrListTooLong):
		return EndError
	case errors.Is(err, ami.ErrTimeout):
		return EndTimeout
	case errors.Is(err, ami.ErrCancelled):
		return EndCancelled
	case ami.SentState(err) == ami.SentNo:
		return EndUnsent
	default:
		return EndMaybe
	}
}

// Submit implements Engine.
func (c *Cluster) Submit(lane int, a *Action, b Batch, f Flight) bool {
	err := b.(clusterBatch).b.TrySubmit(c.nodes[lane], ami.Action{
		Name: a.Name, Fields: a.Fields, Timeout: a.Timeout, AwaitOriginate: a.Await,
	}, f)
	return err == nil
}

// Login implements Engine.
func (c *Cluster) Login(ctx context.Context, lane int) EndKind {
	conn, err := ami.Dial(ctx, c.nodes[lane].Config())
	if err == nil {
		_ = conn.Close()
		return EndReply
	}
	switch {
	case errors.Is(err, ami.ErrUnauthorized):
		return EndError
	case errors.Is(err, ami.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return EndTimeout
	default:
		return EndUnsent
	}
}

// Channels implements Counter.
func (c *Cluster) Channels(ctx context.Context) (channels uint64, done Ended) {
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
				done.add(EndRejected)
			} else {
				done.add(kindOf(err))
			}
			continue
		}
		done.add(EndReply)
		for line := range reply.Output() {
			var count uint64
			if _, err := fmt.Sscanf(line, "%d active channel", &count); err == nil {
				channels += count
			}
		}
	}
	return channels, done
}

// Stats implements Engine.
func (c *Cluster) Stats(lane int) LaneStats {
	s := c.nodes[lane].Stats()
	l := s.Ledger
	return LaneStats{
		Books: Books{
			Submitted: l.Submitted, Rejected: l.Rejected, Accepted: l.Accepted, InFlight: l.InFlight,
			Replied: l.Replied, ErrorReplies: l.ErrorReplies, TimedOut: l.TimedOut, Cancelled: l.Cancelled,
			DisconnectedUnsent: l.DisconnectedUnsent, DisconnectedMaybe: l.DisconnectedMaybe,
			Internal: s.Internal, Late: s.Late, Strays: s.Duplicate + s.Foreign + s.Unmatched,
		},
		Ready: s.State == ami.StateReady || s.State == ami.StateDegraded,
		Lost:  s.Lost, Reconnects: max(s.Sessions, 1) - 1,
		PendingPeak: s.PendingPeak, PendingCap: s.PendingCap, WritePeak: s.WritePeak, WriteCap: s.WriteCap,
	}
}

// Drain implements Engine.
func (c *Cluster) Drain(ctx context.Context) error { return c.cluster.Drain(ctx) }

// Close implements Engine.
func (c *Cluster) Close() error { return c.cluster.Close() }

// clusterStream is the Stream over an ami.Subscription.
type clusterStream struct {
	c *Cluster
	s *ami.Subscription
}

// Stream implements Engine.
func (c *Cluster) Stream() (Stream, error) {
	s, err := c.cluster.Subscribe(ami.SubscribeOptions{RingEvents: c.o.Ring, RingBytes: c.o.RingSize})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return &clusterStream{c: c, s: s}, nil
}

// Next implements Stream.
func (s *clusterStream) Next(ctx context.Context) (Delivery, error) {
	ev, err := s.s.NextBorrowed(ctx)
	if err != nil {
		return Delivery{}, err
	}
	d := Delivery{Lane: s.c.byName[ev.Node]}
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

// Stats implements Stream.
func (s *clusterStream) Stats() StreamStats {
	t := s.s.Stats()
	out := StreamStats{
		Offered: t.Offered, Filtered: t.Filtered, Delivered: t.Delivered, Dropped: t.Dropped,
		Discarded: t.Discarded, Queued: t.Queued, PeakEvents: t.PeakEvents, PeakBytes: t.PeakBytes,
		CapEvents: uint64(s.c.o.Ring), CapBytes: uint64(s.c.o.RingSize),
	}
	if out.CapEvents == 0 {
		out.CapEvents = ami.DefaultRingEvents
	}
	if out.CapBytes == 0 {
		out.CapBytes = ami.DefaultRingBytes
	}
	return out
}

// Close implements Stream.
func (s *clusterStream) Close() { s.s.Close() }
