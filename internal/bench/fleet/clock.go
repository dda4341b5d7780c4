package fleet

import "time"

// A clock is the monotonic clock of a process.
type clock struct{ base time.Time }

func newClock() clock { return clock{time.Now()} }

// now is the time since the clock was made.
func (c clock) now() time.Duration { return time.Since(c.base) }

// at is when the clock says that.
func (c clock) at(t time.Duration) time.Time { return c.base.Add(t) }

// An offset is how far another process's clock is ahead of ours.
type offset struct {
	ahead time.Duration
	trip  time.Duration // the round trip by which that is known: to half of it
	when  time.Duration // by our clock
	known bool
}

// add takes a ping that left and was back by our clock, and the other's clock between. The fastest trip tells most.
func (o *offset) add(left, back, other time.Duration) {
	if trip := back - left; !o.known || trip < o.trip {
		*o = offset{ahead: other - (left + trip/2), trip: trip, when: left + trip/2, known: true}
	}
}

// err is by how much the offset may be wrong.
func (o *offset) err() time.Duration { return o.trip / 2 }

// toOurs is what our clock said when the other one said t, by what was measured before and, if it is known, after.
func toOurs(t time.Duration, before, after *offset) time.Duration {
	ours := t - before.ahead
	if !after.known || after.when <= before.when {
		return ours
	}
	part := float64(ours-before.when) / float64(after.when-before.when)
	return t - before.ahead - time.Duration(part*float64(after.ahead-before.ahead))
}
