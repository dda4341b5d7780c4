package run

import (
	"context"
	"time"
)

// A pacer spaces calls of wait evenly.
type Pacer struct {
	Every time.Duration // 0: no limit
	next  time.Time
}

func (p *Pacer) Wait(ctx context.Context) {
	if p.Every == 0 {
		return
	}
	now := time.Now()
	if p.next.Before(now.Add(-time.Second)) {
		p.next = now // do not make up for more than a second
	}
	if d := p.next.Sub(now); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	p.next = p.next.Add(p.Every)
}
