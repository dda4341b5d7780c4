package upstream

import (
	"context"
	"fmt"
	"time"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// originateMargin is the time behind an Originate's Timeout until its OriginateResponse is given up.
const originateMargin = 10 * time.Second

// awaitsCall reports whether an action is an Originate whose end the client waits for. To Asterisk such a one is the
// session's business until the call was answered, and all other clients' actions would wait as long.
func awaitsCall(a *ami.Action) bool {
	return wire.EqualFold(a.Name, "Originate") && (a.AwaitOriginate || !manager.True(a.Get("Async")))
}

// originate has a server set up a call in a thread of its own (Async), and waits for the OriginateResponse here. The reply is
// the server's to the Originate, with the OriginateResponse as its End.
func (u *Upstream) originate(ctx context.Context, node *ami.Node, a ami.Action) (*ami.Reply, error) {
	start := time.Now()
	calls, err := u.Calls(node.Name())
	if err != nil {
		return nil, err
	}
	defer calls.Close()
	reply, err := node.Do(ctx, asynchronous(a))
	if err != nil {
		return reply, err
	}
	timeout := CallTimeout(&a)
	if a.Timeout > 0 {
		timeout = min(timeout, a.Timeout-time.Since(start))
	}
	failed := func(cause error) error {
		return &ami.OpError{Op: ami.OpDo, Node: node.Name(), Action: a.Name, ActionID: reply.Get("ActionID"), Sent: ami.SentYes, Err: cause}
	}
	end, err := calls.Await(ctx, reply.Get("ActionID"), timeout)
	if err != nil {
		return nil, failed(err)
	}
	reply.End = end
	if !reply.Success() {
		return reply, failed(&ami.ResponseError{Action: a.Name, Message: "Originate failed", Outcome: reply.Outcome()})
	}
	return reply, nil
}

// asynchronous returns the action with Async: true.
func asynchronous(a ami.Action) ami.Action {
	fields := make([]ami.Field, 0, len(a.Fields)+1)
	for _, f := range a.Fields {
		if !wire.EqualFold(f.Name, "Async") {
			fields = append(fields, f)
		}
	}
	a.Fields, a.AwaitOriginate = append(fields, ami.Field{Name: "Async", Value: "true"}), false
	return a
}

// CallTimeout returns how long an Originate's end is waited for if the action has that much time: its header Timeout, which is in
// milliseconds, and a margin.
func CallTimeout(a *ami.Action) time.Duration {
	return manager.CallTime(a.Get("Timeout")) + originateMargin
}

// Calls are the ends of calls that a node's Originates set up, from when they were asked for.
type Calls struct{ ends *ami.Subscription }

// Calls begins to listen for them. Close it when done.
func (u *Upstream) Calls(node string) (*Calls, error) {
	ends, err := u.events.Subscribe(ami.SubscribeOptions{Nodes: []string{node}, Events: []string{"OriginateResponse"}})
	if err != nil {
		return nil, err
	}
	return &Calls{ends}, nil
}

// Close ends the listening.
func (c *Calls) Close() { c.ends.Close() }

// Await waits for the OriginateResponse of an ActionID. One that may have been lost is not waited for.
func (c *Calls) Await(ctx context.Context, id string, timeout time.Duration) (wire.Message, error) {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		ev, err := c.ends.Next(waiting)
		switch {
		case ctx.Err() != nil:
			return wire.Message{}, fmt.Errorf("%w: %w", ami.ErrCancelled, ctx.Err())
		case waiting.Err() != nil:
			return wire.Message{}, fmt.Errorf("%w: no OriginateResponse came", ami.ErrTimeout)
		case err != nil:
			return wire.Message{}, fmt.Errorf("%w: %w", ami.ErrClosed, err)
		case ev.Gap != nil:
			return wire.Message{}, fmt.Errorf("%w: events were lost, and the OriginateResponse may be among them", ami.ErrDisconnected)
		case ev.Get("ActionID") == id:
			return ev.Message, nil
		}
	}
}
