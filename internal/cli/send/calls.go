package send

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/actionline"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// awaitCall prepares an Originate that is waited for: it must be asynchronous, or it would hold up its whole session, and
// where its call is followed, its channel needs an id that is known beforehand.
func awaitCall(a *ami.Action, wait string) error {
	if wait == "" || wait == actionline.WaitNot {
		return nil
	}
	if !wire.EqualFold(a.Name, "Originate") {
		return fmt.Errorf("wait is for Originate, and %s makes no call", a.Name)
	}
	fields := make([]ami.Field, 0, len(a.Fields)+2) // those of the line may be shared
	id := ""
	for _, f := range a.Fields {
		if wire.EqualFold(f.Name, "Async") {
			continue
		}
		if wire.EqualFold(f.Name, "ChannelId") {
			id = f.Value
		}
		fields = append(fields, f)
	}
	fields = append(fields, ami.Field{Name: "Async", Value: "true"})
	if wait == actionline.WaitHangup && id == "" {
		fields = append(fields, ami.Field{Name: "ChannelId", Value: call.ChannelID()})
	}
	a.Fields, a.AwaitOriginate = fields, true
	return nil
}

// callWatch follows the calls of lines to their ends.
type callWatch struct {
	sub *ami.Subscription

	mu    sync.Mutex // guards all below
	nodes map[string]*nodeCalls
	open  int           // answered calls that are not over
	idle  chan struct{} // closed and made anew each time open becomes 0
}

// nodeCalls are the calls of one node.
type nodeCalls struct {
	follower ami.CallFollower
	calls    map[*ami.FollowedCall]*watchedCall
}

type watchedCall struct {
	origin   output.Origin
	node     string
	followed *ami.FollowedCall
	answered time.Time // zero: not yet
}

// watchCalls begins to follow calls. The end of the run ends it.
func (s *lineSender) watchCalls(ctx context.Context) error {
	sub, err := s.cluster.Subscribe(ami.SubscribeOptions{Events: ami.FollowedEvents(), RingEvents: target.RingEvents, RingBytes: target.RingBytes})
	if err != nil {
		return err
	}
	s.calls = &callWatch{sub: sub, nodes: make(map[string]*nodeCalls), idle: make(chan struct{})}
	close(s.calls.idle)
	go func() {
		for {
			ev, err := sub.Next(ctx)
			if err != nil {
				return
			}
			s.callEvent(&ev)
		}
	}()
	return nil
}

// expect begins to follow the call that an action is about to make, on the node of its lane.
func (w *callWatch) expect(node string, a *ami.Action, origin output.Origin) *watchedCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[node]
	if n == nil {
		n = &nodeCalls{calls: make(map[*ami.FollowedCall]*watchedCall)}
		w.nodes[node] = n
	}
	c := &watchedCall{origin: origin, node: node, followed: n.follower.Follow(a.Get("ChannelId"))}
	n.calls[c.followed] = c
	return c
}

// answered tells how the Originate of an expected call ended.
func (s *lineSender) answered(c *watchedCall, r *ami.Reply, err error) {
	w := s.calls
	w.mu.Lock()
	if err != nil || r.Outcome() != ami.OutcomeAnswered {
		w.forget(c)
		w.mu.Unlock()
		return
	}
	c.answered = r.Received
	if w.open++; w.open == 1 {
		w.idle = make(chan struct{})
	}
	over := c.followed.Ended
	w.mu.Unlock()
	if over {
		s.callOver(c, time.Now())
	}
}

// forget gives a call up. Called under mu.
func (w *callWatch) forget(c *watchedCall) {
	n := w.nodes[c.node]
	n.follower.Forget(c.followed)
	delete(n.calls, c.followed)
}

// callEvent takes an event, or what says that some are missing: the end of each call of that node may be among them.
func (s *lineSender) callEvent(ev *ami.Event) {
	w := s.calls
	w.mu.Lock()
	n := w.nodes[ev.Node]
	if n == nil {
		w.mu.Unlock()
		return
	}
	if ev.Gap != nil {
		var lost []*watchedCall
		for _, c := range n.calls {
			if !c.answered.IsZero() {
				lost = append(lost, c)
			}
		}
		w.mu.Unlock()
		for _, c := range lost {
			s.callLost(c)
		}
		return
	}
	f := n.follower.Event(&ev.Message)
	c := n.calls[f]
	over := f != nil && f.Ended && c != nil && !c.answered.IsZero()
	w.mu.Unlock()
	if over {
		s.callOver(c, ev.Received)
	}
}

// callOver prints how a call ended.
func (s *lineSender) callOver(c *watchedCall, at time.Time) {
	rec := call.EndRecord(c.node, c.answered, at, c.followed)
	if c.origin.ID != "" {
		rec = append(rec, output.Pair{Key: "id", Value: c.origin.ID})
	}
	rec = append(rec, output.Pair{Key: "line", Value: c.origin.Line})
	s.show(func() {
		if err := s.out.Record(rec); err != nil {
			s.stop()
		}
		if err := call.EndError(c.node, c.followed); err != nil {
			s.fail(fail.Classify(err), c.node, c.origin)
		}
	})
	s.calls.over(c)
}

func (s *lineSender) callLost(c *watchedCall) {
	s.show(func() {
		s.fail(fail.Classify(&fail.Error{
			Code: fail.CodeGap, Sent: ami.SentYes.String(), Message: c.node + ": events are missing, and the call's end may be one of them",
			Hint: "`amictl send CoreShowChannels` shows whether it goes on",
		}), c.node, c.origin)
	})
	s.calls.over(c)
}

func (w *callWatch) over(c *watchedCall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(c)
	if w.open--; w.open == 0 {
		close(w.idle)
	}
}

// wait waits until no call is open.
func (w *callWatch) wait(ctx context.Context) error {
	w.mu.Lock()
	idle := w.idle
	w.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkWait refuses what --wait does not know.
func checkWait(wait string) error {
	switch wait {
	case "", actionline.WaitNot, actionline.WaitAnswer, actionline.WaitHangup:
		return nil
	}
	return fail.Usage("answer or hangup", "--wait %q is not one of the choices", wait)
}
