package bench

import "time"

// Pace is the most events a second that a run's event consumer takes; 0 is no limit. It stands for the work that a
// real consumer has with an event.
type Pace float64

// A pacer holds a consumer to a pace.
type pacer struct {
	pace  Pace
	start time.Time
	taken float64
}

// pacerSlack is how far ahead of its pace a consumer may be before it sleeps: sleeps much shorter are inexact.
const pacerSlack = time.Millisecond

// sleep returns how long the consumer is to sleep after one more event at now.
func (p *pacer) sleep(now time.Time) time.Duration {
	if p.pace <= 0 {
		return 0
	}
	if p.start.IsZero() {
		p.start = now
	}
	p.taken++
	ahead := time.Duration(p.taken/float64(p.pace)*float64(time.Second)) - now.Sub(p.start)
	switch {
	case ahead < -100*pacerSlack: // it was idle: what it did not take then, it may not make up for now
		p.start, p.taken = now, 0
		return 0
	case ahead < pacerSlack:
		return 0
	}
	return ahead
}
