package stream

import (
	"context"
	"time"
)

// A Cursor reads a window, from one place on. It is for one goroutine.
type Cursor struct {
	window *Window
	whose  *audience
	node   string // "": all nodes
	next   uint64
	lost   uint64 // and not told yet
}

// Latest returns a cursor at what comes next. Close it.
func (w *Window) Latest() *Cursor { return w.reader("", func() uint64 { return w.next }) }

// LatestOf is Latest for the events of one node. What is lost counts those of others, too.
func (w *Window) LatestOf(node string) *Cursor {
	return w.reader(node, func() uint64 { return w.next })
}

// OldestOf returns a cursor at the oldest event of a node that is held. Close it.
func (w *Window) OldestOf(node string) *Cursor {
	return w.reader(node, func() uint64 { return w.first })
}

// Behind returns a cursor at what came behind an entry of an epoch. Of another epoch, as before a restart, all that is held
// comes, behind a loss of unknown size, which counts as 1. Close it.
func (w *Window) Behind(epoch string, id uint64) *Cursor {
	c := w.reader("", func() uint64 { return min(id, w.next-1) + 1 })
	if epoch != w.epoch {
		c.next, c.lost = 1, 1
	}
	return c
}

func (w *Window) reader(node string, place func() uint64) *Cursor {
	w.mu.Lock()
	defer w.mu.Unlock()
	whose := w.all
	if node != "" {
		if whose = w.nodes[node]; whose == nil {
			whose = newAudience()
			w.nodes[node] = whose
		}
	}
	whose.readers++
	return &Cursor{window: w, whose: whose, node: node, next: place()}
}

// Close gives the cursor back.
func (c *Cursor) Close() {
	w := c.window
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.whose.readers--; c.whose.readers == 0 && c.node != "" {
		delete(w.nodes, c.node)
	}
}

// Place returns the ID of the entry that Next hands out next, if it is still there then.
func (c *Cursor) Place() uint64 { return c.next }

// Next fills dst with entries and returns how many those are, and how many were lost before the first of them. It waits until
// there are some, until ctx is done, its error, or until the window is closed and read to its end, ErrClosed. With a heartbeat
// it returns 0 entries when nothing came for so long.
func (c *Cursor) Next(ctx context.Context, dst []*Entry, heartbeat time.Duration) (n int, lost uint64, err error) {
	var beat <-chan time.Time
	for {
		n, lost, more, err := c.Poll(dst)
		if n > 0 || err != nil {
			return n, lost, err
		}
		if beat == nil && heartbeat > 0 {
			t := time.NewTimer(heartbeat)
			defer t.Stop()
			beat = t.C
		}
		select {
		case <-more:
		case <-beat:
			return 0, 0, nil
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}

// Poll is Next without a wait: more is closed when it is worth another look.
func (c *Cursor) Poll(dst []*Entry) (n int, lost uint64, more <-chan struct{}, err error) {
	n, more, closed := c.take(dst)
	if n > 0 {
		lost, c.lost = c.lost, 0
		return n, lost, more, nil
	}
	if closed {
		err = ErrClosed
	}
	return 0, 0, more, err
}

// take copies what there is.
func (c *Cursor) take(dst []*Entry) (n int, more <-chan struct{}, closed bool) {
	w := c.window
	w.mu.RLock()
	defer w.mu.RUnlock()
	if c.next < w.first {
		c.lost += w.first - c.next
		c.next = w.first
	}
	for n < len(dst) && c.next < w.next {
		e := w.ring[c.next%uint64(len(w.ring))]
		if c.node == "" || c.node == e.Event.Node {
			dst[n] = e
			n++
		}
		c.next++
	}
	return n, c.whose.more, w.closed
}
