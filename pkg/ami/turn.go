package ami

import "time"

// A turn is what a reader has taken since it last saw to it that the others are looked after.
//
// The reader of a flood hardly ever waits. The thread on which it runs had looked at the network and at the timers before, and Go's runtime
// sets no other to that when such a thread finds work: an idle processor goes on sleeping until a goroutine is made ready, or until sysmon
// finds after 10 ms that nobody has looked. To start a goroutine, even one that does nothing, wakes it.
type turn struct {
	bytes int
	since time.Time
}

const (
	turnBytes = 64 << 10 // a reader that takes less has waited meanwhile
	turnTime  = 250 * time.Microsecond
)

// over reports whether the turn is over with so many bytes more, and begins another one then.
func (t *turn) over(n int, now time.Time) bool {
	if t.bytes += n; t.bytes < turnBytes || now.Sub(t.since) < turnTime {
		return false
	}
	*t = turn{since: now}
	return true
}
