package main

import (
	"context"
	"errors"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// A lane is where actions for one node, or for the route, wait for their turn.
type lane struct {
	node  string // "" for the route
	to    ami.Doer
	queue chan lineRequest // nil: the only lane
	most  int              // in flight
	wake  chan struct{}    // room for one

	flying int  // guarded by the sender's mu
	waits  bool // likewise: somebody waits for wake
}

// A sentLine is what is remembered of a line in flight.
type sentLine struct {
	origin output.Origin
	lane   *lane
}

// laneQueue is how many lines may wait for a node beyond those in flight.
const laneQueue = 256

func (s *lineSender) addLanes(nodes []ami.Config) {
	most := defaultParallel
	if s.flags.parallel.set {
		most = s.flags.parallel.n
	}
	newLane := func(node string, to ami.Doer) *lane {
		return &lane{node: node, to: to, most: most, wake: make(chan struct{}, 1)}
	}
	for _, n := range nodes {
		node, ok := s.cluster.Node(n.Name)
		if !ok {
			continue
		}
		s.lanes[n.Name] = newLane(n.Name, node)
		if len(nodes) == 1 {
			s.route = s.lanes[n.Name]
		}
	}
	if len(nodes) == 1 {
		return
	}
	if s.flags.route != "" {
		s.route = newLane("", s.cluster.Via(ami.Route{Kind: routeKinds[s.flags.route]}))
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
	if !s.take(ctx, l) {
		return
	}
	line := sentLine{origin: output.Origin{Action: r.action.Name, ID: r.id, Line: r.line}, lane: l}
	if err := s.batch.Submit(ctx, l.to, r.action, line); err != nil {
		s.release(l)
		if ctx.Err() == nil {
			s.refuse(r, nodeOf(err, r.node), err)
		}
	}
}

// nodeOf returns the node that an error of the engine is about.
func nodeOf(err error, otherwise string) string {
	var op *ami.OpError
	if errors.As(err, &op) {
		return firstOf(op.Node, otherwise)
	}
	return otherwise
}

// take waits until a lane has room for one more line, or reports that ctx is done.
func (s *lineSender) take(ctx context.Context, l *lane) bool {
	for ctx.Err() == nil {
		s.mu.Lock()
		if l.flying < l.most {
			l.flying++
			s.mu.Unlock()
			return true
		}
		l.waits = true
		s.mu.Unlock()
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
	return false
}

// release books lines that are over, and lets their lanes know if they wait for room.
func (s *lineSender) release(lanes ...*lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lanes {
		l.flying--
		if l.waits {
			l.waits = false
			l.wake <- struct{}{} // nobody else waits: there is room
		}
	}
}
