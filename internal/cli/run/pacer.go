package run

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// A Pacer spaces calls of Wait evenly. The zero value lets them all through.
type Pacer struct{ limiter *rate.Limiter }

// NewPacer returns a pacer of so many calls a second. It makes up for no more than a second.
func NewPacer(perSecond int) Pacer {
	l := rate.NewLimiter(rate.Limit(perSecond), perSecond)
	l.AllowN(time.Now(), perSecond-1) // there is nothing to make up for at the start
	return Pacer{l}
}

// Wait waits for the next call's turn, or until ctx is done. It does not use the limiter's own Wait, which returns at once
// when the turn comes after ctx's deadline.
func (p Pacer) Wait(ctx context.Context) {
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
