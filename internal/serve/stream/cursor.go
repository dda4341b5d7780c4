package stream

import (
	"context"
	"time"
)

// A Cursor reads a window, from one place on. It is for one goroutine.
type Cursor struct {
	window *Window
	next   uint64
	lost   uint64 // and not told yet
}

// Latest returns a cursor at what comes next. Close it.
func (w *Window) Latest() *Cursor { return w.reader(func() uint64 { return w.next }) }

// Behind returns a cursor at what came behind an entry of an epoch. Of another epoch, as before a restart, all that is held
// comes, behind a loss of unknown size, which counts as 1. Close it.
func (w *Window) Behind(epoch string, id uint64) *Cursor {
	c := w.reader(func() uint64 { return min(id, w.next-1) + 1 })
	if epoch != w.epoch {
		c.next, c.lost = 1, 1
	}
	return c
}

func (w *Window) reader(place func() uint64) *Cursor {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readers++
	return &Cursor{window: w, next: place()}
}

// Close gives the cursor back.
func (c *Cursor) Close() {
	c.window.mu.Lock()
	defer c.window.mu.Unlock()
	c.window.readers--
}

// Place returns the ID of the entry that Next hands out next, if it is still there then.
func (c *Cursor) Place() uint64 { return c.next }

// Next fills dst with entries and returns how many those are, and how many were lost before the first of them. It waits until
// there are some, until ctx is done, its error, or until the window is closed and read to its end, ErrClosed. With a heartbeat
// it returns 0 entries when nothing came for so long.
func (c *Cursor) Next(ctx context.Context, dst []*Entry, heartbeat time.Duration) (n int, lost uint64, err error) {
	var beat <-chan time.Time
	for {
		n, more, closed := c.take(dst)
		switch {
		case n > 0:
			lost, c.lost = c.lost, 0
			return n, lost, nil
		case closed:
			return 0, 0, ErrClosed
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

// take copies what there is. more is closed when there is more.
func (c *Cursor) take(dst []*Entry) (n int, more <-chan struct{}, closed bool) {
	w := c.window
	w.mu.RLock()
	defer w.mu.RUnlock()
	if c.next < w.first {
		c.lost += w.first - c.next
		c.next = w.first
	}
	for n < len(dst) && c.next < w.next {
		dst[n] = w.ring[c.next%uint64(len(w.ring))]
		n++
		c.next++
	}
	return n, w.more, w.closed
}
