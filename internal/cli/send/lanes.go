package send

import (
	"cmp"
	"context"
	"errors"

	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// A lane is where actions for one node, or for the route, wait for their turn.
type lane struct {
	node   string // "" for the route
	submit func(ctx context.Context, a ami.Action, tag uint64) error
	queue  chan lineRequest // nil: the only lane
	most   int              // in flight
	wake   chan struct{}    // room for one

	flying int  // guarded by the sender's mu
	waits  bool // likewise: somebody waits for wake
}

// A slot remembers the origin of an action in flight; its number is the action's tag. It is written before the action is
// submitted and read behind its end.
type slot struct {
	origin output.Origin
	lane   *lane
}

const pageSlots = 64

type slotPage [pageSlots]slot

// laneQueue is how many lines may wait for a node beyond those in flight.
const laneQueue = 256

func (s *lineSender) addLanes(nodes []ami.Config) {
	most := defaultParallel
	if s.flags.parallel.Given {
		most = s.flags.parallel.Value
	}
	newLane := func(submit func(context.Context, ami.Action, uint64) error) *lane {
		return &lane{submit: submit, most: most, wake: make(chan struct{}, 1)}
	}
	for _, n := range nodes {
		node, ok := s.cluster.Node(n.Name)
		if !ok {
			continue
		}
		s.lanes[n.Name] = newLane(func(ctx context.Context, a ami.Action, tag uint64) error {
			return node.Submit(ctx, a, s.batch, tag)
		})
		s.lanes[n.Name].node = n.Name
		if len(nodes) == 1 {
			s.route = s.lanes[n.Name]
		}
	}
	if len(nodes) == 1 {
		return
	}
	if s.flags.Route != "" {
		kind := target.RouteKinds[s.flags.Route]
		s.route = newLane(func(ctx context.Context, a ami.Action, tag uint64) error {
			return s.cluster.Submit(ctx, ami.Route{Kind: kind}, a, s.batch, tag)
		})
		s.queues = append(s.queues, s.route)
	}
	for _, l := range s.lanes {
		s.queues = append(s.queues, l)
	}
	for _, l := range s.queues {
		l.queue = make(chan lineRequest, laneQueue)
	}
}

// drive submits a lane's lines in order.
func (s *lineSender) drive(ctx context.Context, l *lane) {
	for r := range l.queue {
		s.submit(ctx, l, r)
	}
}

// submit sends a line when fewer are in flight than --parallel allows.
func (s *lineSender) submit(ctx context.Context, l *lane, r lineRequest) {
	tag, ok := s.take(ctx, l, r)
	if !ok {
		return
	}
	if err := l.submit(ctx, r.action, tag); err != nil {
		s.release(tag)
		if ctx.Err() == nil {
			s.refuse(r, nodeOf(err, r.node), err)
		}
	}
}

// nodeOf returns the node that an error of the engine is about.
func nodeOf(err error, otherwise string) string {
	var op *ami.OpError
	if errors.As(err, &op) {
		return cmp.Or(op.Node, otherwise)
	}
	return otherwise
}

// take finds a slot for a line once its lane has room, or reports that ctx is done.
func (s *lineSender) take(ctx context.Context, l *lane, r lineRequest) (tag uint64, ok bool) {
	for ctx.Err() == nil {
		s.mu.Lock()
		if l.flying < l.most {
			l.flying++
			tag = s.slot(slot{origin: output.Origin{Action: r.action.Name, ID: r.id, Line: r.line}, lane: l})
			s.mu.Unlock()
			return tag, true
		}
		l.waits = true
		s.mu.Unlock()
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
	return 0, false
}

// slot puts an entry into a free slot. Called under mu.
func (s *lineSender) slot(entry slot) (tag uint64) {
	if len(s.free) == 0 {
		first := uint64(len(s.slots)) * pageSlots
		s.slots = append(s.slots, new(slotPage))
		for i := range pageSlots {
			s.free = append(s.free, first+uint64(i))
		}
	}
	tag = s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	*at(s.slots, tag) = entry
	return tag
}

func at(slots []*slotPage, tag uint64) *slot {
	return &slots[tag/pageSlots][tag%pageSlots]
}

// release empties slots, and lets their lanes know if they wait for one.
func (s *lineSender) release(tags ...uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tag := range tags {
		l := at(s.slots, tag).lane
		*at(s.slots, tag) = slot{}
		l.flying--
		if l.waits {
			l.waits = false
			l.wake <- struct{}{} // nobody else waits: there is room
		}
	}
	s.free = append(s.free, tags...)
}
