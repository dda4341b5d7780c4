package bench

import (
	"time"

	"golang.org/x/time/rate"
)

// A pacer holds a consumer of events to a pace. It stands for the work that a real consumer has with an event. The zero
// value holds nobody up.
type pacer struct{ limiter *rate.Limiter }

// pacerSlack is how far ahead of its pace a consumer may be before it sleeps: sleeps much shorter are inexact.
const pacerSlack = time.Millisecond

// makeUp is how much of its pace a consumer may make up for, after a sleep that the machine made longer or after a time
// without events. With a tenth of it a busy machine takes a tenth off a pace of 5,000 and half off one of 40,000.
const makeUp = 100 * time.Millisecond

// newPacer returns a pacer of so many events a second; 0 is no limit.
func newPacer(perSecond float64, now time.Time) pacer {
	if perSecond <= 0 {
		return pacer{}
	}
	burst := max(1, int(perSecond*makeUp.Seconds()))
	l := rate.NewLimiter(rate.Limit(perSecond), burst)
	l.AllowN(now, burst-1) // there is nothing to make up for at the start
	return pacer{l}
}

// sleep returns how long the consumer is to sleep after one more event at now.
func (p pacer) sleep(now time.Time) time.Duration {
	if p.limiter == nil {
		return 0
	}
	if ahead := p.limiter.ReserveN(now, 1).DelayFrom(now); ahead >= pacerSlack {
		return ahead
	}
	return 0
}
