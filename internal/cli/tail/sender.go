package tail

import (
	"context"
	"sync"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
)

// A sender sends the action behind `--` and keeps its answers until they are taken. wait is done whenever there is one, so
// that a waiting consumer wakes up.
type sender struct {
	ctx  context.Context
	wait context.Context
	open sync.WaitGroup // actions without an end

	mu   sync.Mutex
	ends []target.Ending    // guarded by mu
	wake context.CancelFunc // guarded by mu: ends wait
}

// newSender starts sending. A nil action sends nothing.
func newSender(ctx context.Context, r *run.Run, c *ami.Cluster, f *target.Fanout, action *ami.Action) *sender {
	s := &sender{ctx: ctx}
	s.wait, s.wake = context.WithCancel(ctx)
	if action == nil {
		return s
	}
	ask := *action
	ask.Timeout, ask.WaitReady = r.Settings.Timeout, true
	if f.Route != "" && len(c.Nodes()) > 1 {
		s.open.Go(func() {
			reply, err := c.Via(ami.Route{Kind: target.RouteKinds[f.Route]}).Do(ctx, ask)
			s.put(target.Ending{Node: replyNode(reply), Reply: reply, Err: err})
		})
		return s
	}
	for _, n := range c.Nodes() {
		s.open.Go(func() {
			reply, err := n.Do(ctx, ask)
			s.put(target.Ending{Node: n.Name(), Reply: reply, Err: err})
		})
	}
	return s
}

func replyNode(r *ami.Reply) string {
	if r == nil {
		return ""
	}
	return r.Node
}

func (s *sender) put(e target.Ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = append(s.ends, e)
	s.wake()
}

// settle forgets all events from before the action of a wait, which is about to be sent: they are none of its doing. A
// server answers in order, so that behind the answer to a Ping nothing older is on its way.
func settle(ctx context.Context, c *ami.Cluster, sub *ami.Subscription) error {
	var asked sync.WaitGroup
	for _, n := range c.Nodes() {
		if n.Ready() {
			asked.Go(func() { _, _ = n.Do(ctx, ami.NewAction("Ping")) }) // the action itself will tell what is wrong
		}
	}
	asked.Wait()
	if ctx.Err() != nil {
		return &fail.Error{Code: fail.CodeUnsent, Sent: "no", Message: "no node was free to take the action in time; nothing was sent", Hint: "the servers are busy with something slow: try again, or allow more with --timeout"}
	}
	for {
		if _, more := sub.Poll(); !more {
			return nil
		}
	}
}

// nudge wakes a waiting consumer, as an answer would.
func (s *sender) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// take returns the answers that have come since the last call, and makes wait wait again.
func (s *sender) take() []target.Ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	ends := s.ends
	s.ends = nil
	if s.wait.Err() != nil && s.ctx.Err() == nil {
		s.wait, s.wake = context.WithCancel(s.ctx)
	}
	return ends
}
