package ami

import "slices"

// A roomQueue holds the callers that wait for room, first come first served: one stays in line until it is accepted or
// gives up, and a newcomer goes behind all of them. All of it is guarded by the session's mutex.
type roomQueue struct{ line []*roomWaiter }

type roomWaiter struct {
	wake   chan struct{} // closed when there may be room
	called bool
}

// join puts a new waiter at the end of the line.
func (q *roomQueue) join() *roomWaiter {
	w := &roomWaiter{wake: make(chan struct{})}
	q.line = append(q.line, w)
	return w
}

// next reports whether it is w's turn, or a newcomer's (nil) because nobody waits.
func (q *roomQueue) next(w *roomWaiter) bool {
	if w == nil {
		return len(q.line) == 0
	}
	return len(q.line) > 0 && q.line[0] == w
}

// again readies a waiter that was called in vain for the next call.
func (w *roomWaiter) again() {
	if w.called {
		w.wake, w.called = make(chan struct{}), false
	}
}

// leave takes a waiter that was accepted or gave up out of the line, and calls the next.
func (q *roomQueue) leave(w *roomWaiter) {
	if i := slices.Index(q.line, w); i >= 0 {
		q.line = slices.Delete(q.line, i, i+1)
	}
	q.call()
}

// call wakes the first in line.
func (q *roomQueue) call() {
	if len(q.line) > 0 && !q.line[0].called {
		q.line[0].called = true
		close(q.line[0].wake)
	}
}

// callAll wakes everybody, for the session takes no more.
func (q *roomQueue) callAll() {
	for _, w := range q.line {
		if !w.called {
			w.called = true
			close(w.wake)
		}
	}
}
