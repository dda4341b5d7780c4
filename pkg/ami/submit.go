package ami

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/internal/packet"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// internalRoom is what the pending table and the write buffer hold beyond their caps for Ping and Logoff.
const internalRoom = 4

// Do sends an action and waits for its complete answer, within ctx and the action's timeout. If there is no room it waits
// for that too. The error is an *OpError that says whether bytes left the process; a server's refusal comes as a Reply
// together with an error that wraps a *ResponseError. A list that was cut off, by a timeout or the session's end, also comes
// as a Reply with an error: that Reply is Incomplete.
func (c *Conn) Do(ctx context.Context, a Action) (*Reply, error) {
	c.stats.submitted.Add(1)
	return c.do(ctx, &a, false)
}

// TryDo is Do, but returns ErrBusy at once if there is no room.
func (c *Conn) TryDo(ctx context.Context, a Action) (*Reply, error) {
	c.stats.submitted.Add(1)
	w := c.newWaiter()
	r, err := c.submit(ctx, &a, receiver{waiter: w}, submitTry)
	if err != nil {
		c.waiters.Put(w)
		return nil, err
	}
	return c.wait(ctx, r, w)
}

// give sends an action whose end goes to a receiver.
func (c *Conn) give(ctx context.Context, a *Action, to receiver, mode submitMode) error {
	c.stats.submitted.Add(1)
	_, err := c.submit(ctx, a, to, mode)
	return err
}

func (c *Conn) do(ctx context.Context, a *Action, internal bool) (*Reply, error) {
	w := c.newWaiter()
	mode := submitWait
	if internal {
		mode = submitInternal
	}
	r, err := c.submit(ctx, a, receiver{waiter: w}, mode)
	if err != nil {
		c.waiters.Put(w)
		return nil, err
	}
	return c.wait(ctx, r, w)
}

func (c *Conn) newWaiter() *waiter {
	if w, ok := c.waiters.Get().(*waiter); ok {
		return w
	}
	return &waiter{ch: make(chan struct{}, 1)}
}

// wait waits for a call's one end. If ctx is done first, whoever is faster decides what the end was.
func (c *Conn) wait(ctx context.Context, r callRef, w *waiter) (*Reply, error) {
	select {
	case <-w.ch:
	case <-ctx.Done():
		c.cancel(r, ctx.Err())
		<-w.ch
	}
	reply, err := w.reply, w.err
	w.reply, w.err = nil, nil
	c.waiters.Put(w)
	return reply, err
}

type submitMode uint8

const (
	submitWait     submitMode = iota // wait for room
	submitTry                        // ErrBusy without room
	submitInternal                   // the engine's own: uses the room kept for it, booked apart
)

// submit gives an action a slot and its place in the write buffer, or says why not.
func (c *Conn) submit(ctx context.Context, a *Action, to receiver, mode submitMode) (callRef, error) {
	if mode != submitInternal && isReserved(a.Name) {
		return callRef{}, c.refuse(a, fmt.Errorf("%w: %s", ErrReservedAction, a.Name), mode, nil)
	}
	if err := wire.CheckAction(a.Name, a.Fields); err != nil {
		return callRef{}, c.refuse(a, err, mode, nil)
	}
	var inLine *roomWaiter
	var now int64
	var due int64 // when the action's time is up; what it spends in line counts
	for {
		if err := ctx.Err(); err != nil {
			return callRef{}, c.refuse(a, contextCause(err), mode, inLine)
		}
		now = c.now()
		c.mu.Lock()
		if err := c.refusal(mode); err != nil {
			c.mu.Unlock()
			return callRef{}, c.refuse(a, err, mode, inLine)
		}
		if c.hasRoom(a, mode) && (mode == submitInternal || c.room.next(inLine)) {
			break
		}
		if mode != submitWait {
			c.mu.Unlock()
			return callRef{}, c.refuse(a, ErrBusy, mode, inLine)
		}
		if inLine == nil {
			inLine = c.room.join()
			due = later(now, c.timeout(a))
		}
		inLine.again()
		wake := inLine.wake
		c.mu.Unlock()
		if err := c.waitRoom(ctx, wake, due); err != nil {
			return callRef{}, c.refuse(a, err, mode, inLine)
		}
	}
	r := c.accept(ctx, a, to, now, due, mode == submitInternal)
	wake := c.idle
	c.idle = false
	if inLine != nil {
		c.room.leave(inLine)
	}
	c.mu.Unlock()
	if wake {
		c.wakeWriter()
	}
	return r, nil
}

// waitRoom waits for a place's turn, until ctx is done or the action's time is up.
func (c *Conn) waitRoom(ctx context.Context, wake <-chan struct{}, due int64) error {
	timer := time.NewTimer(time.Duration(due - c.now()))
	defer timer.Stop()
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return contextCause(ctx.Err())
	case <-timer.C:
		return fmt.Errorf("%w: waiting for room: %w", ErrTimeout, ErrBusy)
	}
}

func isReserved(action string) bool {
	switch len(action) {
	case 5:
		return wire.EqualFold(action, "Login")
	case 6:
		return wire.EqualFold(action, "Logoff")
	case 9:
		return wire.EqualFold(action, "Challenge")
	}
	return false
}

// refusal says why the session takes no action now. Called under mu.
func (c *Conn) refusal(mode submitMode) error {
	switch {
	case c.state == connDead:
		return fmt.Errorf("%w: %w", ErrDisconnected, c.err)
	case c.state == connDraining && mode != submitInternal:
		return ErrDraining
	}
	return nil
}

// hasRoom reports whether pending table and write buffer take the action. Called under mu.
func (c *Conn) hasRoom(a *Action, mode submitMode) bool {
	if mode == submitInternal {
		return c.calls.used < c.cfg.Limits.Pending+internalRoom
	}
	return c.calls.used < c.cfg.Limits.Pending && c.held()+encodedSize(a) <= c.cfg.Limits.WriteBuffer
}

// held returns the bytes that wait for the network: in the buffer, and in a write that has not returned. Called under mu.
func (c *Conn) held() int { return c.out.live() + c.writing }

// encodedSize returns an upper bound of the packet's size in bytes.
func encodedSize(a *Action) int {
	n := len("Action: \r\nActionID: \r\n\r\n") + len(a.Name) + wire.MaxActionID
	for i := range a.Fields {
		n += len(a.Fields[i].Name) + len(a.Fields[i].Value) + 4
	}
	return n
}

// accept encodes a checked action into the write buffer and makes its call live. due is its deadline, 0 if its time
// begins now. Called under mu, which callers, reader and writer share: what can be done before is.
func (c *Conn) accept(ctx context.Context, a *Action, to receiver, now, due int64, internal bool) callRef {
	k, r := c.calls.alloc()
	var id [wire.MaxActionID]byte
	before := len(c.out.buf)
	buf := packet.AppendAction(c.out.buf, a.Name, c.calls.appendID(id[:0], r), a.Fields)
	k.start = c.out.end
	c.out.buf = buf
	c.out.appended(len(buf) - before)
	c.peakOut = max(c.peakOut, c.held())
	k.end = c.out.end
	k.action, k.await, k.internal, k.to = a.Name, a.AwaitOriginate && a.isAsyncOriginate(), internal, to
	k.submitted = now
	if k.deadline = due; due == 0 {
		k.deadline = later(k.submitted, c.timeout(a))
	}
	if d, ok := ctx.Deadline(); ok { // by the clock of now: one that is a time of day would be wrong by what that has jumped since epoch
		k.deadline = min(k.deadline, later(now, time.Until(d)))
	}
	if internal {
		c.calls.own++
		c.stats.internalAccepted.Add(1)
	} else {
		c.stats.accepted.Add(1)
	}
	k.publish(r)
	if !internal && unnamed(a.Name) {
		c.fence(k)
	}
	c.armAt(k.deadline)
	return r
}

func (c *Conn) timeout(a *Action) time.Duration {
	if a.Timeout > 0 {
		return a.Timeout
	}
	return c.cfg.Timeouts.Action
}

// refuse books a refused action, takes it out of the line if it stood there, and wraps the reason.
func (c *Conn) refuse(a *Action, err error, mode submitMode, inLine *roomWaiter) error {
	if inLine != nil {
		c.mu.Lock()
		c.room.leave(inLine)
		c.mu.Unlock()
	}
	if mode != submitInternal {
		c.stats.rejected.Add(1)
	}
	return &OpError{Op: OpDo, Node: c.cfg.Name, Action: a.Name, Err: err}
}

// cancel ends a call whose caller no longer waits, unless it has ended.
func (c *Conn) cancel(r callRef, why error) {
	c.mu.Lock()
	k := c.calls.at(r.slot)
	if k.state(r.gen) == slotFree {
		c.mu.Unlock()
		return
	}
	counter := &c.stats.cancelled
	if errors.Is(why, context.DeadlineExceeded) {
		counter = &c.stats.timedOut
	}
	e, ok := c.giveUp(k, r, counter)
	c.drained()
	c.mu.Unlock()
	if ok {
		e.to.deliver(e.reply, e.error(c, contextCause(why)), c.cfg.Name)
	}
}

// giveUp ends a call without an answer, if nobody was faster. What has not been taken by the writer is cut out of the
// buffer and its slot is free again; otherwise the slot stays taken until the server has answered. Called under mu.
func (c *Conn) giveUp(k *call, r callRef, counter *atomic.Uint64) (ended, bool) {
	sent := c.sent(k)
	if sent == SentNo && k.turn(r.gen, slotLive, slotEnding) {
		e := c.ending(k, r, SentNo, counter)
		c.out.cut(k.start, k.end)
		c.calls.over(k)
		k.clear()
		c.calls.release(r.slot)
		c.room.call()
		return e, true
	}
	if !k.abandon(r.gen) {
		return ended{}, false
	}
	c.calls.over(k)
	// A server that spoke of a call before it was written made that up; its bytes stay in the buffer.
	return c.ending(k, r, max(sent, SentMaybe), counter), true
}

// An ended is what is needed to deliver a call's end once the session's lock is released.
type ended struct {
	to     receiver
	action string
	ref    callRef
	sent   Sent
	reply  *Reply // what came of a list
}

// ending books a call's end and gathers what its delivery needs.
func (c *Conn) ending(k *call, r callRef, sent Sent, counter *atomic.Uint64) ended {
	if k.internal {
		counter = &c.stats.internalEnded
	}
	counter.Add(1)
	return ended{to: k.to, action: k.action, ref: r, sent: sent, reply: c.partial(k)}
}

// error builds the call's *OpError.
func (e *ended) error(c *Conn, err error) error {
	return &OpError{Op: OpDo, Node: c.cfg.Name, Action: e.action, ActionID: string(c.calls.appendID(nil, e.ref)), Sent: e.sent, Err: err}
}
