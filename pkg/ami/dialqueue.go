package ami

import (
	"slices"
	"sync"
	"time"
)

// Defaults of [ClusterConfig].
const (
	DefaultMaxDials   = 64 // dials and logins at once, those that hang aside
	DefaultRedialRate = 50 // redials a second; first dials are bounded by MaxDials alone
)

// dialPatience is how long a dial counts against MaxDials. The limit is there for bursts: of packets, handshakes and
// logins. A dial that takes longer than this hangs on somebody else and costs next to nothing, so that nobody else
// should wait for it. How many hang is bounded all the same: a node has one dial at a time, and each had its turn.
const dialPatience = 500 * time.Millisecond

// A dialQueue lets nodes dial first come, first served: so many at once, and redials at a bounded rate, so that a
// thousand nodes lost at once do not fall on the network together.
type dialQueue struct {
	most     int
	interval time.Duration // between two redials

	mu      sync.Mutex // guards all below; never held across start
	asked   uint64     // how many turns were asked for
	first   []dialTurn
	redials []dialTurn
	active  []activeDial // those that count, the oldest first
	next    time.Time    // when the next redial may start
	timer   *time.Timer
	closed  bool
}

// A dialTurn is a node's place in line.
type dialTurn struct {
	node  *Node
	asked uint64
}

type activeDial struct {
	node  *Node
	until time.Time // it counts
}

func newDialQueue(most, rate int) *dialQueue {
	return &dialQueue{most: most, interval: time.Second / time.Duration(rate)}
}

// ask puts a node in line; its dial method runs in a goroutine of its own when its turn comes.
func (q *dialQueue) ask(n *Node, redial bool) {
	q.mu.Lock()
	q.asked++
	line := &q.first
	if redial {
		line = &q.redials
	}
	*line = append(*line, dialTurn{n, q.asked})
	start := q.grant(time.Now())
	q.mu.Unlock()
	startAll(start)
}

// finished tells that a node's granted dial is over, whatever became of it.
func (q *dialQueue) finished(n *Node) {
	q.mu.Lock()
	q.active = slices.DeleteFunc(q.active, func(d activeDial) bool { return d.node == n })
	start := q.grant(time.Now())
	q.mu.Unlock()
	startAll(start)
}

func startAll(nodes []*Node) {
	for _, n := range nodes {
		go n.run()
	}
}

// grant takes from the queue what may start now, and arms the timer for what may start later. Called under mu.
func (q *dialQueue) grant(now time.Time) (start []*Node) {
	for len(q.active) > 0 && !now.Before(q.active[0].until) {
		q.active = q.active[1:]
	}
	for !q.closed && len(q.active) < q.most {
		var line *[]dialTurn
		if len(q.redials) > 0 && !now.Before(q.next) {
			line = &q.redials
		}
		if len(q.first) > 0 && (line == nil || q.first[0].asked < (*line)[0].asked) {
			line = &q.first
		}
		if line == nil {
			break
		}
		if line == &q.redials {
			q.next = now.Add(q.interval)
		}
		n := (*line)[0].node
		*line = (*line)[1:]
		n.gone.Add(1)
		start = append(start, n)
		q.active = append(q.active, activeDial{n, now.Add(dialPatience)})
	}
	q.arm(now)
	return start
}

// arm sets the timer for when somebody in line may start, if nothing else happens before. Called under mu.
func (q *dialQueue) arm(now time.Time) {
	var at time.Time
	switch {
	case q.closed || len(q.first) == 0 && len(q.redials) == 0:
		return
	case len(q.active) >= q.most:
		at = q.active[0].until
	default:
		at = q.next
	}
	if q.timer == nil {
		q.timer = time.AfterFunc(at.Sub(now), q.tick)
	} else {
		q.timer.Reset(at.Sub(now))
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

func remove(line *[]dialTurn, n *Node) bool {
	for i, t := range *line {
		if t.node == n {
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
