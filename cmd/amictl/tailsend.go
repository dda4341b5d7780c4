package main

import (
	"context"
	"sync"

	"github.com/apntalk/amictl/pkg/ami"
)

// A sender sends the action behind `--` and keeps its answers until they are taken. wait is done whenever there is
// one, so that who waits for events looks.
type sender struct {
	ctx  context.Context
	wait context.Context

	mu   sync.Mutex
	ends []ending           // guarded by mu
	wake context.CancelFunc // guarded by mu: ends wait
}

// newSender starts sending. A nil action sends nothing.
func newSender(ctx context.Context, a *app, c *ami.Cluster, f *fanout, action *ami.Action) *sender {
	s := &sender{ctx: ctx}
	s.wait, s.wake = context.WithCancel(ctx)
	if action == nil {
		return s
	}
	ask := *action
	ask.Timeout, ask.WaitReady = a.timeout(), true
	if f.route != "" && len(c.Nodes()) > 1 {
		go func() {
			reply, err := c.Do(ctx, ami.Route{Kind: routeKinds[f.route]}, ask)
			s.put(ending{replyNode(reply), reply, err})
		}()
		return s
	}
	for _, n := range c.Nodes() {
		go func() {
			reply, err := n.Do(ctx, ask)
			s.put(ending{n.Name(), reply, err})
		}()
	}
	return s
}

var routeKinds = map[string]ami.RouteKind{
	"round-robin": ami.RouteRoundRobin, "failover": ami.RouteFailover, "least-pending": ami.RouteLeastPending,
}

func replyNode(r *ami.Reply) string {
	if r == nil {
		return ""
	}
	return r.Node
}

func (s *sender) put(e ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = append(s.ends, e)
	s.wake()
}

// nudge makes who waits for events look around, as an answer would.
func (s *sender) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// take returns the answers that have come since the last call, and makes wait wait again.
func (s *sender) take() []ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	ends := s.ends
	s.ends = nil
	if s.wait.Err() != nil && s.ctx.Err() == nil {
		s.wait, s.wake = context.WithCancel(s.ctx)
	}
	return ends
}
