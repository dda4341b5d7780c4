package ami

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WaitReady waits until the node takes actions. When ctx ends first, the error holds the last failure's cause too.
func (n *Node) WaitReady(ctx context.Context) error {
	_, err := n.await(ctx, func(State, error) error { return nil })
	return n.connectError(err)
}

// Connect waits for the outcome of the node's first attempt: nil once it takes actions, or the cause of a failure as
// soon as there is one.
func (n *Node) Connect(ctx context.Context) error {
	_, err := n.await(ctx, func(_ State, cause error) error { return cause })
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
func (n *Node) await(ctx context.Context, hopeless func(State, error) error) (*Conn, error) {
	for {
		state, changed, cause := n.look()
		if c := n.current.Load(); c != nil {
			return c, nil
		}
		if state == StateClosed {
			return nil, ErrClosed
		}
		if err := hopeless(state, cause); err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			err := fmt.Errorf("%w: %w", contextCause(ctx.Err()), ErrNotReady)
			if cause != nil {
				err = fmt.Errorf("%w: %w", err, cause)
			}
			return nil, err
		}
	}
}

// Do sends an action on the present session and waits for its complete answer; see [Conn.Do]. Without a ready session
// it returns ErrNotReady, or waits for one if the action says WaitReady. Nothing is ever sent twice.
func (n *Node) Do(ctx context.Context, a Action) (*Reply, error) {
	c, err := n.session(ctx, &a)
	if err != nil {
		return nil, err
	}
	return c.Do(ctx, a)
}

// TryDo is Do, but returns ErrBusy at once if there is no room.
func (n *Node) TryDo(ctx context.Context, a Action) (*Reply, error) {
	c, err := n.session(ctx, &a)
	if err != nil {
		return nil, err
	}
	return c.TryDo(ctx, a)
}

// give sends an action whose end goes to a receiver, on the present session.
func (n *Node) give(ctx context.Context, a *Action, to receiver, mode submitMode) error {
	c, err := n.session(ctx, a)
	if err != nil {
		return err
	}
	return c.give(ctx, a, to, mode)
}

// session returns the session to send an action on, or books the action as rejected.
func (n *Node) session(ctx context.Context, a *Action) (*Conn, error) {
	if c := n.current.Load(); c != nil {
		return c, nil
	}
	err := ErrNotReady
	if a.WaitReady {
		timeout := a.Timeout
		if timeout <= 0 {
			timeout = n.cfg.Timeouts.Action
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		c, waitErr := n.await(ctx, noActionWaits)
		if waitErr == nil {
			a.Timeout = max(timeout-time.Since(start), 1) // one deadline for the wait and the answer
			return c, nil
		}
		err = waitErr
	} else if state, cause := n.State(); state == StateClosed {
		err = ErrClosed
	} else if state == StateBreakerOpen {
		err = fmt.Errorf("%w: %w", ErrBreakerOpen, cause)
	} else if cause != nil {
		err = fmt.Errorf("%w: %w", ErrNotReady, cause)
	}
	n.stats.submitted.Add(1)
	n.stats.rejected.Add(1)
	return nil, &OpError{Op: OpDo, Node: n.cfg.Name, Action: a.Name, Err: err}
}

// noActionWaits says why an action does not wait for a node: behind an open breaker, or a refused login.
func noActionWaits(state State, cause error) error {
	switch {
	case state == StateBreakerOpen:
		return fmt.Errorf("%w: %w", ErrBreakerOpen, cause)
	case errors.Is(cause, ErrUnauthorized):
		return cause
	}
	return nil
}
