package main

import (
	"context"
	"time"

	xrate "golang.org/x/time/rate"
)

// A pacer spaces calls of wait evenly. The zero value lets them all through.
type pacer struct{ limiter *xrate.Limiter }

// newPacer returns a pacer of so many calls a second. It makes up for no more than a second.
func newPacer(perSecond int) pacer {
	l := xrate.NewLimiter(xrate.Limit(perSecond), perSecond)
	l.AllowN(time.Now(), perSecond-1) // there is nothing to make up for at the start
	return pacer{l}
}

// wait waits for the next call's turn, or until ctx is done. It does not use the limiter's own Wait, which returns at once
// when the turn comes after ctx's deadline.
func (p pacer) wait(ctx context.Context) {
	if p.limiter == nil {
		return
	}
	d := p.limiter.Reserve().Delay()
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
