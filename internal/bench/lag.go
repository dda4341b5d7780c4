package bench

import (
	"fmt"
	"time"
)

// minLagSamples is how many actions an open loop must have had before its lag says anything.
const minLagSamples = 10

// Lag is how late the generator itself was: from the moment at which an action was meant to start to the moment at
// which the generator took it up. Waiting for room in a node's window is no lag; it is the server's, and is in the
// response time.
type Lag struct {
	P50     int64    `json:"p50_us"`
	P99     int64    `json:"p99_us"`
	Max     int64    `json:"max_us"`
	Limit   Duration `json:"limit"`
	Dropped uint64   `json:"dropped"` // due, but the node's backlog was full: never sent
	Invalid bool     `json:"invalid"`
}

// lagShare is the part of the response time that the generator's lateness may be, whatever the limit: a twentieth
// changes nothing that the figure says.
const lagShare = 20

// NewLag sums up the lateness of an open loop, h in microseconds, and decides whether the result is invalid. It is when
// the generator's p99 was later than limit, unless that is a small part of the median response time, in microseconds:
// lateness is part of the response time, which counts from the intended start.
func NewLag(h *Histogram, limit time.Duration, dropped uint64, median int64) *Lag {
	l := &Lag{Limit: Duration(limit), Dropped: dropped}
	if h.Count() < minLagSamples {
		return l
	}
	l.P50, l.P99, l.Max = h.Quantile(50), h.Quantile(99), h.Max()
	l.Invalid = time.Duration(l.P99)*time.Microsecond > limit && l.P99*lagShare > median
	return l
}

// Why says in words why the result is invalid, or "".
func (l *Lag) Why() string {
	if l == nil || !l.Invalid {
		return ""
	}
	return fmt.Sprintf("the generator could not keep up: its p99 lag was %s, the limit is %s",
		FormatMicros(l.P99), time.Duration(l.Limit))
}
