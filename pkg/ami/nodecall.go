package ami

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WaitReady waits until the node takes actions. When ctx ends first, the error also wraps the cause of the last failure.
func (n *Node) WaitReady(ctx context.Context) error {
	_, err := n.await(ctx, func(look) error { return nil })
	return n.connectError(err)
}

// Connect waits for the outcome of the node's first attempt: nil once it takes actions, or the cause of a failure as
// soon as there is one.
func (n *Node) Connect(ctx context.Context) error {
	_, err := n.await(ctx, func(l look) error { return l.cause })
	return n.connectError(err)
}

// connectError wraps what is no *OpError yet.
func (n *Node) connectError(err error) error {
	if err == nil || errors.As(err, new(*OpError)) && !errors.Is(err, ErrTimeout) {
		return err
	}
	return &OpError{Op: OpConnect, Node: n.cfg.Name, Err: err}
}

// await waits for a ready session until ctx is done, the node is closed, or what it is going through makes hopeless
// return an error.
func (n *Node) await(ctx context.Context, hopeless func(look) error) (*Conn, error) {
	for {
		l := n.look()
		if c := n.current.Load(); c != nil && c.Err() == nil {
			return c, nil
		}
		if l.state == StateClosed {
			return nil, ErrClosed
		}
		if err := hopeless(l); err != nil {
			return nil, err
		}
		select {
		case <-l.changed:
		case <-ctx.Done():
			err := fmt.Errorf("%w: %w", contextCause(ctx.Err()), ErrNotReady)
			if l.cause != nil {
				err = fmt.Errorf("%w: %w", err, l.cause)
			}
			return nil, err
		}
	}
}

// Do sends an action on the current session and waits for its complete answer; see [Conn.Do]. Without a ready session it
// returns ErrNotReady, or waits for one if the action says WaitReady. Nothing is ever sent twice.
func (n *Node) Do(ctx context.Context, a Action) (reply *Reply, err error) {
	err = n.onSession(ctx, &a, func(c *Conn) error { reply, err = c.Do(ctx, a); return err })
	return reply, err
}

// TryDo is Do, but returns ErrBusy at once if there is no room.
func (n *Node) TryDo(ctx context.Context, a Action) (reply *Reply, err error) {
	err = n.onSession(ctx, &a, func(c *Conn) error { reply, err = c.TryDo(ctx, a); return err })
	return reply, err
}

// give sends an action whose end goes to a receiver, on the present session.
func (n *Node) give(ctx context.Context, a *Action, to receiver, mode submitMode) error {
	return n.onSession(ctx, a, func(c *Conn) error { return c.give(ctx, a, to, mode) })
}

// onSession gives an action to the present session, or books it as rejected. One that waits for a ready node has one
// deadline for all of it, from now on; a session that dies before it takes the action is waited out too.
func (n *Node) onSession(ctx context.Context, a *Action, send func(*Conn) error) error {
	if c := n.current.Load(); c != nil {
		if !a.WaitReady {
			return send(c)
		}
		start := time.Now()
		err := send(c)
		if !neverTaken(err) {
			return err
		}
		n.takeBack()
		return n.onNextSession(ctx, a, start, send)
	}
	if a.WaitReady {
		return n.onNextSession(ctx, a, time.Now(), send)
	}
	err, l := ErrNotReady, n.look()
	switch {
	case l.state == StateClosed:
		err = ErrClosed
	case l.open:
		err = fmt.Errorf("%w: %w", ErrBreakerOpen, l.cause)
	case l.cause != nil:
		err = fmt.Errorf("%w: %w", ErrNotReady, l.cause)
	}
	return n.reject(a, err)
}

// onNextSession waits for a session and gives it the action, until one takes it or the time since start is up.
func (n *Node) onNextSession(ctx context.Context, a *Action, start time.Time, send func(*Conn) error) error {
	timeout := a.Timeout
	if timeout <= 0 {
		timeout = n.cfg.Timeouts.Action
	}
	if n.current.Load() == nil {
		if err := leftAlone(n.look()); err != nil {
			return n.reject(a, err)
		}
	}
	waiting, cancel := context.WithDeadline(ctx, start.Add(timeout))
	defer cancel()
	for {
		c, err := n.await(waiting, refusedLogin)
		if err != nil {
			return n.reject(a, err)
		}
		a.Timeout = max(timeout-time.Since(start), 1)
		if err = send(c); !neverTaken(err) {
			return err
		}
		n.takeBack()
	}
}

// neverTaken reports whether an action was refused by a session that was dead already.
func neverTaken(err error) bool {
	var op *OpError
	return errors.As(err, &op) && op.Op == "do" && op.ActionID == "" && errors.Is(op.Err, ErrDisconnected)
}

// takeBack takes a refusal that is not the action's end out of the books.
func (n *Node) takeBack() {
	n.stats.rejected.Add(^uint64(0))
	n.stats.submitted.Add(^uint64(0))
}

func (n *Node) reject(a *Action, err error) error {
	n.stats.submitted.Add(1)
	n.stats.rejected.Add(1)
	return &OpError{Op: "do", Node: n.cfg.Name, Action: a.Name, Err: err}
}

// leftAlone says why an action that is given now does not wait: behind an open breaker, unless its probe has got
// through to the server, or behind a refused login.
func leftAlone(l look) error {
	if l.open && l.state != StateLogin {
		return fmt.Errorf("%w: %w", ErrBreakerOpen, l.cause)
	}
	return refusedLogin(l)
}

// refusedLogin says why one that waits does so no longer.
func refusedLogin(l look) error {
	if errors.Is(l.cause, ErrUnauthorized) {
		return l.cause
	}
	return nil
}
