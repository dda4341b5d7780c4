package send

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/internal/actionline"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// Bounds of what one node's lines may hold up.
const (
	laneBytes = 8 << 20     // of lines that wait for one node, those in flight included
	lineBytes = 512         // what a line costs beside its text
	silence   = time.Second // with no answer for so long a full lane is not waited for
	forever   = 365 * 24 * time.Hour
)

// A lane is where actions for one node, or for the route, wait for their turn. A line that nothing is in the way of is sent by
// the reader itself; others wait in the queue, from which the lane's driver sends them, so that a node that is away or silent
// holds up its own lines only. Where there is no other lane the reader waits for room instead, and queues only while the node
// is away.
type lane struct {
	node string // "" for the route
	to   ami.Doer
	most int         // in flight
	sole bool        // there is no other lane
	away atomic.Bool // it has been said that lines wait for a session

	// Guarded by the sender's mu.
	queue  lineQueue
	flying int       // lines in flight
	held   int       // bytes of lines in flight
	since  time.Time // when an answer last came, or the first line that waits for one
	closed bool      // no more lines come
	waits  [2]bool   // the driver, the reader: it waits for wake
	expiry *time.Timer

	wake [2]chan struct{} // for the driver, the reader: something has changed
}

// The waiters of a lane.
const (
	driver = iota
	reader
)

// A sentLine is what is remembered of a line in flight.
type sentLine struct {
	origin output.Origin
	lane   *lane
	bytes  int

	call     *watchedCall // with --wait hangup
	answered bool         // set at its end
}

func (s *lineSender) addLanes(nodes []ami.Config) {
	most := defaultParallel
	if s.options.parallel.Given {
		most = s.options.parallel.Value
	}
	for _, n := range nodes {
		if node, ok := s.cluster.Node(n.Name); ok {
			s.lanes[n.Name] = s.addLane(n.Name, node, most, len(nodes) == 1)
		}
	}
	switch {
	case len(nodes) == 1:
		s.route = s.lanes[nodes[0].Name]
	case s.options.Route != "":
		s.route = s.addLane("", s.cluster.Via(ami.Route{Kind: target.RouteKinds[s.options.Route]}), most, false)
	}
}

func (s *lineSender) addLane(node string, to ami.Doer, most int, sole bool) *lane {
	l := &lane{node: node, to: to, most: most, sole: sole}
	for i := range l.wake {
		l.wake[i] = make(chan struct{}, 1)
	}
	l.expiry = time.AfterFunc(forever, func() { s.expire(l) })
	s.all = append(s.all, l)
	return l
}

// offer sends a line, or puts it into its lane's queue.
func (s *lineSender) offer(ctx context.Context, l *lane, r lineRequest) {
	deadline, waited, tried := time.Time{}, false, false
	for {
		s.mu.Lock()
		free := l.queue.empty() && l.flying < l.most && l.held+r.kept() <= laneBytes
		switch {
		case free && !tried:
			l.fly(r)
			s.mu.Unlock()
			if waited {
				r.action.Timeout = max(time.Until(deadline), 1)
			}
			if s.sendNow(ctx, l, r) {
				return
			}
			tried = true // it is away, or has no room
			continue
		case !l.sole || tried || !l.queue.empty():
			s.mu.Unlock()
			if deadline.IsZero() {
				deadline = time.Now().Add(r.action.Timeout)
			}
			s.enqueue(ctx, l, r, deadline)
			return
		}
		l.waits[reader] = true
		s.mu.Unlock()
		if !waited {
			deadline, waited = time.Now().Add(r.action.Timeout), true
		}
		if !l.wait(ctx, reader, time.Until(deadline)) {
			if ctx.Err() == nil {
				s.refuse(r, l.node, l.lateError(&r))
			}
			return
		}
	}
}

// fly books a line as in flight. Called under the sender's mu.
func (l *lane) fly(r lineRequest) {
	if l.flying == 0 && l.queue.empty() {
		l.since = time.Now()
	}
	l.flying++
	l.held += r.kept()
}

// sendNow submits a line that is booked as in flight. It reports false when there is no session for it, or no room there.
func (s *lineSender) sendNow(ctx context.Context, l *lane, r lineRequest) bool {
	line := s.expect(&r, l)
	err := s.batch.TrySubmit(l.to, r.action, line)
	if err == nil {
		l.present()
		return true
	}
	s.unsent(line)
	switch {
	case errors.Is(err, ami.ErrNotReady):
		s.absent(l)
		return false
	case errors.Is(err, ami.ErrBusy):
		return false
	}
	if ctx.Err() == nil {
		s.refuse(r, nodeOf(err, r.node), err)
	}
	return true
}

// absent says, once until a line is sent again, what becomes of lines that there is no session for.
func (s *lineSender) absent(l *lane) {
	if !l.away.Swap(true) {
		s.run.Note("%s has no session: lines wait until it has one, each for its timeout", cmp.Or(l.node, "no node"))
	}
}

// present notes that a line was sent.
func (l *lane) present() {
	if l.away.Load() {
		l.away.Store(false)
	}
}

// expect returns what is remembered of a line while it is in flight; a call that it makes is followed from now on.
func (s *lineSender) expect(r *lineRequest, l *lane) sentLine {
	line := sentLine{origin: r.origin(), lane: l, bytes: r.kept()}
	if r.wait == actionline.WaitHangup {
		line.call = s.calls.expect(l.node, &r.action, line.origin)
	}
	return line
}

// unsent books a line that was not taken.
func (s *lineSender) unsent(line sentLine) {
	if line.call != nil {
		s.calls.mu.Lock()
		s.calls.forget(line.call)
		s.calls.mu.Unlock()
	}
	s.release(line)
}

// enqueue puts a line into the queue. A full one is waited for as long as its node answers, or as there is no other lane; a
// line for a node that has been silent is refused.
func (s *lineSender) enqueue(ctx context.Context, l *lane, r lineRequest, deadline time.Time) {
	for {
		s.mu.Lock()
		if l.queue.bytes+l.held+r.bytes <= laneBytes || l.queue.empty() && l.held == 0 {
			if l.flying == 0 && l.queue.empty() {
				l.since = time.Now()
			}
			l.queue.push(r, deadline)
			l.expireAt()
			l.rouse(driver)
			s.mu.Unlock()
			return
		}
		patience := time.Until(deadline)
		if !l.sole {
			patience = min(patience, silence-time.Since(l.since))
		}
		l.waits[reader] = true
		s.mu.Unlock()
		if patience <= 0 || !l.wait(ctx, reader, patience) {
			if ctx.Err() != nil {
				return
			}
			s.mu.Lock()
			silent := time.Since(l.since) >= silence
			s.mu.Unlock()
			if silent || !time.Now().Before(deadline) {
				s.refuse(r, l.node, l.fullError(&r))
				return
			}
		}
	}
}

// drive sends what is in a lane's queue, in order.
func (s *lineSender) drive(ctx context.Context, l *lane) {
	defer l.expiry.Stop()
	for ctx.Err() == nil {
		s.mu.Lock()
		var e *queued
		if l.flying < l.most {
			e, _ = l.queue.pop()
		}
		if e == nil {
			if l.closed && l.queue.empty() {
				s.mu.Unlock()
				return
			}
			l.waits[driver] = true
			s.mu.Unlock()
			l.wait(ctx, driver, forever)
			continue
		}
		l.fly(e.lineRequest)
		l.expireAt()
		l.rouse(reader)
		s.mu.Unlock()
		s.sendQueued(ctx, l, e)
	}
}

// sendQueued submits a line that is booked as in flight, and waits for a session and for room until its time is over.
func (s *lineSender) sendQueued(ctx context.Context, l *lane, e *queued) {
	waiting, cancel := context.WithDeadline(ctx, e.deadline)
	defer cancel()
	e.action.Timeout, e.action.WaitReady = max(time.Until(e.deadline), 1), true
	line := s.expect(&e.lineRequest, l)
	err := s.batch.Submit(waiting, l.to, e.action, line)
	if err == nil {
		l.present()
		return
	}
	s.unsent(line)
	if ctx.Err() == nil {
		s.refuse(e.lineRequest, nodeOf(err, e.node), err)
	}
}

// expire ends the lines in a queue whose time is over.
func (s *lineSender) expire(l *lane) {
	s.mu.Lock()
	over := l.queue.expired(time.Now())
	l.expireAt()
	l.rouse(reader)
	s.mu.Unlock()
	s.show(func() {
		for _, e := range over {
			s.fail(fail.Classify(l.lateError(&e.lineRequest)), l.node, e.origin())
		}
	})
}

// expireAt sets the timer to the earliest deadline in the queue. Called under the sender's mu.
func (l *lane) expireAt() {
	if at, ok := l.queue.next(); ok {
		l.expiry.Reset(time.Until(at))
	}
}

// lateError is that of a line whose time was over before it could be sent, with what is known of why.
func (l *lane) lateError(r *lineRequest) error {
	err := ami.ErrTimeout
	if n, ok := l.to.(*ami.Node); ok {
		if state, cause := n.State(); state != ami.StateReady {
			err = fmt.Errorf("%w: %w", err, ami.ErrNotReady)
			if cause != nil {
				err = fmt.Errorf("%w: %w", err, cause)
			}
		}
	}
	return &ami.OpError{Op: ami.OpDo, Node: l.node, Action: r.action.Name, Err: err}
}

func (l *lane) fullError(r *lineRequest) error {
	return &fail.Error{
		Code: fail.CodeUnsent, Sent: ami.SentNo.String(),
		Message: fmt.Sprintf("line %d: not sent: %s answers nothing, and %d MiB of lines wait for it", r.line, cmp.Or(l.node, "the route"), laneBytes>>20),
		Hint:    "nothing was sent: safe to try again, once it answers",
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

// wait waits until somebody is roused, for d at most, and reports whether that was so.
func (l *lane) wait(ctx context.Context, who int, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.wake[who]:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// rouse wakes the driver or the reader if it waits. Called under the sender's mu.
func (l *lane) rouse(who int) {
	if l.waits[who] {
		l.waits[who] = false
		select {
		case l.wake[who] <- struct{}{}:
		default: // roused already, and on its way
		}
	}
}

// close tells a lane's driver that no more lines come.
func (s *lineSender) close(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.closed = true
	l.rouse(driver)
}

// release books lines that are over, and lets their lanes know.
func (s *lineSender) release(lines ...sentLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range lines {
		l := lines[i].lane
		if lines[i].answered {
			l.since = time.Now()
		}
		l.flying--
		l.held -= lines[i].bytes
		l.rouse(driver)
		l.rouse(reader)
	}
}
