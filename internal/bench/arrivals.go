package bench

import (
	"math"
	"time"
)

// maxArrivals bounds the cycle of an open loop's arrivals.
const maxArrivals = 1 << 20

// arrivals spreads lanes over a cycle by weight, each as evenly as can be (smooth weighted round robin).
func arrivals(lanes []*lane) []int {
	even := true
	var sum float64
	for _, l := range lanes {
		even = even && l.node.weight == lanes[0].node.weight
		sum += l.node.weight
	}
	var out []int
	if even {
		for i := range lanes {
			out = append(out, i)
		}
		return out
	}
	// Long enough that the lightest lane has its turns too, as far as the bound allows.
	lightest := sum
	for _, l := range lanes {
		lightest = min(lightest, l.node.weight)
	}
	cycle := math.Ceil(100 * sum / lightest)
	credit := make([]float64, len(lanes))
	for range int(min(cycle, maxArrivals, float64(max(1, maxArrivals/len(lanes))*100))) {
		best := 0
		for i, l := range lanes {
			credit[i] += l.node.weight
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= sum
		out = append(out, best)
	}
	return out
}

// arrival returns the offset at which an open loop's action n, from 0, is meant to start. The warm-up has the rate
// that the schedule starts with.
func (r *run) arrival(n uint64) time.Duration {
	if n < r.lead {
		return min(r.warm-1, seconds(float64(n)/r.schedule.RateAt(0)))
	}
	return r.warm + r.schedule.At(n-r.lead)
}

// arrive takes up what an open loop's schedule has due by now, a bounded number at a time.
func (w *worker) arrive(now time.Duration) (wake time.Duration, more bool) {
	r := w.run
	total := r.lead + r.schedule.Total()
	for taken := 0; w.next < total && !r.stop.Load(); w.next++ {
		l := r.turns[r.order[w.next%uint64(len(r.order))]]
		if l == nil || l.worker != w {
			continue
		}
		if taken++; taken > turnArrivals {
			return now, true
		}
		at := r.arrival(w.next)
		if at > now {
			// The clock is read again only when the schedule seems to be ahead.
			if now = r.now(); at > now {
				return min(at, now+lookEvery), true
			}
		}
		if at >= r.warm {
			w.lag.Record(micros(now - at))
		}
		w.admit(l, at)
	}
	return now + lookEvery, false
}

// admit sends an arrival, or puts it in the lane's backlog, or drops it when that is full or the run gives up.
func (w *worker) admit(l *lane, at time.Duration) {
	if w.run.giveUp.Load() {
		w.drop(l, at)
		return
	}
	if l.backlog() == 0 && l.flying < l.callers && !l.parked && w.may(l) {
		if !w.send(l, at) {
			w.park(l) // refused is how it ended; the next one is given time
		}
		return
	}
	if l.backlog() >= w.run.Config.Backlog {
		w.drop(l, at)
		return
	}
	l.push(at)
	w.waiting.Add(1)
	if l.flying == 0 || w.run.calls != nil {
		w.park(l) // no end of its own will call it back
	}
}

// dropDue forgets what is due and was not sent.
func (w *worker) dropDue() {
	for _, l := range w.lanes {
		for l.backlog() > 0 {
			w.waited(l, l.due[l.head])
			w.drop(l, l.pop())
			w.waiting.Add(-1)
		}
	}
}

// waited books how long an arrival waited that is given up: as with a timeout, leaving it out would make a server look
// better by not being there.
func (w *worker) waited(l *lane, at time.Duration) {
	if at < w.run.warm {
		return
	}
	us := micros(w.run.now() - at)
	w.sampled("response", -1, us)
	w.response.Record(us)
	w.now.response.Record(us)
	if w.now.waited != nil {
		w.now.waited.Record(us)
	}
	l.node.response.Record(us)
}

// drop books an arrival that is never sent; those of the warm-up are not counted.
func (w *worker) drop(l *lane, at time.Duration) {
	if at >= w.run.warm {
		l.node.dropped++
	}
}
