package ami

import (
	"sync"
	"time"
)

// Defaults of [ClusterConfig].
const (
	DefaultMaxDials   = 64 // dials and logins at once
	DefaultRedialRate = 50 // redials a second; first dials are bounded by MaxDials alone
)

// A dialQueue lets nodes dial first come, first served: so many at once, and redials at a bounded rate, so that a
// thousand nodes lost at once do not fall on the network together.
type dialQueue struct {
	most     int
	interval time.Duration // between two redials

	mu      sync.Mutex // guards all below; never held across start
	first   []*Node
	redials []*Node
	active  int
	next    time.Time // when the next redial may start
	timer   *time.Timer
	closed  bool
}

func newDialQueue(most, rate int) *dialQueue {
	return &dialQueue{most: most, interval: time.Second / time.Duration(rate)}
}

// ask puts a node in line; its dial method runs in a goroutine of its own when its turn comes.
func (q *dialQueue) ask(n *Node, redial bool) {
	q.mu.Lock()
	if redial {
		q.redials = append(q.redials, n)
	} else {
		q.first = append(q.first, n)
	}
	start := q.grant(time.Now())
	q.mu.Unlock()
	startAll(start)
}

// finished tells that a granted dial is over, whatever became of it.
func (q *dialQueue) finished() {
	q.mu.Lock()
	q.active--
	start := q.grant(time.Now())
	q.mu.Unlock()
	startAll(start)
}

func startAll(nodes []*Node) {
	for _, n := range nodes {
		go n.run()
	}
}

// grant takes from the queue what may start now, and arms the timer for the next redial. Called under mu.
func (q *dialQueue) grant(now time.Time) (start []*Node) {
	for !q.closed && q.active < q.most {
		switch {
		case len(q.first) > 0:
			start = append(start, q.first[0])
			q.first = q.first[1:]
		case len(q.redials) > 0 && !now.Before(q.next):
			start = append(start, q.redials[0])
			q.redials = q.redials[1:]
			q.next = now.Add(q.interval)
		case len(q.redials) > 0:
			q.arm(q.next.Sub(now))
			return start
		default:
			return start
		}
		q.active++
		start[len(start)-1].gone.Add(1)
	}
	return start
}

func (q *dialQueue) arm(wait time.Duration) {
	if q.timer == nil {
		q.timer = time.AfterFunc(wait, q.tick)
	} else {
		q.timer.Reset(wait)
	}
}

func (q *dialQueue) tick() {
	q.mu.Lock()
	start := q.grant(time.Now())
	q.mu.Unlock()
	startAll(start)
}

// leave takes a node out of the line, and reports whether it was in it.
func (q *dialQueue) leave(n *Node) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return remove(&q.first, n) || remove(&q.redials, n)
}

func remove(line *[]*Node, n *Node) bool {
	for i, o := range *line {
		if o == n {
			*line = append((*line)[:i:i], (*line)[i+1:]...)
			return true
		}
	}
	return false
}

// close grants no more.
func (q *dialQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.first, q.redials = nil, nil
	if q.timer != nil {
		q.timer.Stop()
	}
}
