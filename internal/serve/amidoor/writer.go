package amidoor

import (
	"time"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/internal/serve/stream"
)

// A turn is what the goroutine that reads tells the one that writes.
type turn struct {
	out     []byte // to be written as it is
	settled bool   // the events that wait are written first
	view    *view  // which events are seen from now on; nil: as before
	runs    runs   // what the client waits for from now on
	named   *named // an action that succeeded, whose events name it; nil: none
}

// runs is what a client waits for.
type runs uint8

const (
	idle    runs = iota
	action       // its answer
	telling      // the answer to an action that may be told of by events (isTelling)
	waiting      // WaitEvent: for events, which are to be written behind its answer
)

// A view is which events a client asked for. It is never changed, but replaced.
type view struct {
	mask    manager.Class
	filters []manager.Filter
}

// holdTime is how long events wait for the answer to an action under way. Asterisk writes them behind it, however long that
// takes; but here another client's action may be the reason.
const holdTime = 100 * time.Millisecond

// batchEvents is how many entries of the window are taken at once.
const batchEvents = 64

// A writer is the goroutine that writes to a client that is logged in.
type writer struct {
	c     *client
	turns chan turn     // closed by the reader
	done  chan struct{} // closed when nothing is written any more

	view   view
	runs   runs
	held   bool // events wait for the answer
	hold   *time.Timer
	cursor *stream.Cursor // nil: the client wants no events
	batch  [batchEvents]*stream.Entry
	at, n  int // batch[at:n] is still to be looked at
	seer   seer
}

// newWriter makes the writer of a client and starts it. Events from now on are seen.
func newWriter(c *client, v view) *writer {
	w := &writer{c: c, turns: make(chan turn), done: make(chan struct{}), hold: time.NewTimer(time.Hour), seer: seer{c: c}}
	w.hold.Stop()
	w.look(v)
	go w.run()
	return w
}

// look changes the view. Who wants no events is not woken by any.
func (w *writer) look(v view) {
	w.view = v
	switch {
	case v.mask != 0 && w.cursor == nil:
		w.cursor = w.c.door.up.Window.LatestOf(w.c.door.o.Node)
	case v.mask == 0 && w.cursor != nil:
		w.blind()
	}
}

// blind lets go of the window.
func (w *writer) blind() {
	w.cursor.Close()
	w.cursor = nil
	clear(w.batch[:])
	w.at, w.n = 0, 0
}

func (w *writer) run() {
	defer close(w.done)
	defer w.c.close()
	defer func() {
		if w.cursor != nil {
			w.blind()
		}
		w.hold.Stop()
	}()
	for {
		more, pending, ok := w.deliver()
		if !ok {
			return
		}
		if pending { // there is more to deliver, but who acts is not kept waiting
			select {
			case t, open := <-w.turns:
				if !open || !w.take(t) {
					return
				}
			default:
			}
			continue
		}
		select {
		case t, open := <-w.turns:
			if !open || !w.take(t) {
				return
			}
		case <-more:
		case <-w.hold.C:
			w.held = false
		}
	}
}

// take does what a turn says, and reports whether the client is still there.
func (w *writer) take(t turn) bool {
	if t.settled && !w.settle() {
		return false
	}
	if t.view != nil {
		w.look(*t.view)
	}
	if w.c.write(t.out) != nil {
		return false
	}
	giveBuffer(t.out)
	if w.runs != idle && t.runs == idle {
		out := w.seer.answered(takeBuffer(), t.named, &w.view)
		if w.c.write(out) != nil {
			return false
		}
		giveBuffer(out)
	}
	w.runs, w.held = t.runs, t.runs != idle
	if w.held && w.runs != waiting {
		w.hold.Reset(holdTime)
	} else {
		w.hold.Stop()
	}
	return true
}

// settle writes the events that wait, in the view of before. In a flood it ends, too: behind a window's worth of them.
func (w *writer) settle() bool {
	w.held = false
	for range stream.DefaultEvents / batchEvents {
		_, pending, ok := w.deliver()
		if !ok || !pending {
			return ok
		}
	}
	return true
}

// deliver writes a batch of events, unless they are held. pending says that there may be more; else more is closed when there
// is. A client that is so slow that it missed events is cut off, as nothing in AMI would tell it. One whose events are held keeps its
// place in the window meanwhile: the first of them stay in the batch.
func (w *writer) deliver() (more <-chan struct{}, pending, ok bool) {
	if w.cursor == nil {
		return nil, false, true
	}
	if w.at == w.n {
		var lost uint64
		var err error
		w.n, lost, more, err = w.cursor.Poll(w.batch[:])
		w.at = 0
		if err != nil { // the daemon ends; this client may still be owed an answer
			w.blind()
			return nil, false, true
		}
		if lost > 0 {
			w.c.cutOff("it missed events")
			return nil, false, false
		}
		if w.n == 0 {
			return more, false, true
		}
	}
	if w.held {
		return nil, false, true
	}
	out, events := takeBuffer(), uint64(0)
	for ; w.at < w.n && len(out) < flushSize; w.at++ {
		before := len(out)
		out = w.seer.see(out, &w.batch[w.at].Event, &w.view, w.runs == telling)
		if len(out) > before {
			events++
		}
		w.batch[w.at] = nil
	}
	if len(out) > 0 && w.c.write(out) != nil {
		return nil, false, false
	}
	giveBuffer(out)
	w.c.door.up.AMI.Events.Add(events)
	return nil, true, true
}
