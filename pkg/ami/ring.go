package ami

import (
	"sync"
	"time"
	"unsafe"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

const (
	entryBytes  = int(unsafe.Sizeof(entry{}))
	smallRing   = 16       // entries that an idle ring may keep
	quantum     = 64 << 10 // bytes a node may hand out before it is the next one's turn
	maxPullSize = 512      // events in one handing over
)

// An entry is one event waiting in a ring, with what was lost before it.
type entry struct {
	msg     wire.Message
	at      int64 // received, nanoseconds since 1970
	seq     uint64
	session uint64
	lost    *loss
}

// cost is what an entry really takes: the allocator's size classes waste up to an eighth.
func (e *entry) cost() int { n := e.msg.Size(); return n + n/8 + entryBytes }

// A loss is what a subscriber did not get at one place of the stream. Losses are no items of a ring: they ride on the
// event behind them, so that a flapping node cannot fill a ring with them.
type loss struct {
	dropped uint64
	since   int64 // of a disconnect, nanoseconds since 1970; 0: none
	until   int64 // 0: still away
}

// add merges what was lost later.
func (l *loss) add(later loss) {
	l.dropped += later.dropped
	if later.since != 0 {
		if l.since == 0 {
			l.since = later.since
		}
		l.until = later.until
	}
}

// A ring is the bounded buffer between one node's reader and one subscription.
type ring struct {
	node   string
	sub    *Subscription
	budget *budget // nil: none
	joined int64   // when it was made, nanoseconds since 1970

	mu         sync.Mutex // guards all below, is held for no I/O and no callback
	buf        []entry    // circular, its length a power of two
	head, n    int
	busiest    int // most entries since it was last empty
	bytes      int
	credit     int64
	tail       loss
	queued     bool // in the subscription's ready list
	closed     bool
	deficit    int
	offered    uint64
	filtered   uint64
	pulled     uint64
	dropped    uint64
	discarded  uint64
	peakEvents int
	peakBytes  int

	// The reader's own: what it staged since the last flush.
	stage         []entry
	stagedOffered uint64
}

// flush moves the staged events into the ring under one lock, and wakes the subscriber if there was none before.
func (r *ring) flush() {
	r.mu.Lock()
	r.offered += r.stagedOffered
	r.filtered += r.stagedOffered - uint64(len(r.stage))
	for i := range r.stage {
		r.push(&r.stage[i])
	}
	wake := r.becameReady()
	r.mu.Unlock()
	r.stagedOffered = 0
	if clear(r.stage); len(r.stage) < smallRing && cap(r.stage) > smallRing {
		r.stage = nil // little goes on: an idle node holds none
	} else {
		r.stage = r.stage[:0]
	}
	if wake {
		r.sub.enqueue(r)
	}
}

// becameReady marks the ring queued if it has something to say and is not queued yet. Called under mu.
func (r *ring) becameReady() bool {
	if r.queued || r.closed || r.n == 0 && r.tail == (loss{}) {
		return false
	}
	r.queued = true
	return true
}

// push appends an entry, dropping the oldest ones if it must. Called under mu.
func (r *ring) push(e *entry) {
	if r.closed {
		r.discarded++
		return
	}
	cost := e.cost()
	for r.n > 0 && (r.n >= r.sub.ringEvents || r.bytes+cost > r.sub.ringBytes) {
		r.evict()
	}
	if r.budget != nil && !r.afford(cost) || cost > r.sub.ringBytes {
		r.dropped++
		r.tail.add(loss{dropped: 1})
		return
	}
	if r.n == len(r.buf) {
		r.grow()
	}
	if r.tail != (loss{}) {
		l := r.tail
		e.lost, r.tail = &l, loss{}
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = *e
	r.n++
	r.bytes += cost
	r.busiest = max(r.busiest, r.n)
	r.peakEvents, r.peakBytes = max(r.peakEvents, r.n), max(r.peakBytes, r.bytes)
}

// evict drops the oldest entry; what was lost before it and itself is told before the next one.
func (r *ring) evict() {
	e := r.pop()
	lost := loss{dropped: 1}
	if e.lost != nil {
		lost = *e.lost
		lost.dropped++
	}
	r.dropped++
	next := &r.tail
	if r.n > 0 {
		first := &r.buf[r.head]
		if first.lost == nil {
			first.lost = &loss{}
		}
		next = first.lost
	}
	lost.add(*next)
	*next = lost
}

func (r *ring) pop() entry {
	e := r.buf[r.head]
	r.buf[r.head] = entry{}
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	r.bytes -= e.cost()
	return e
}

func (r *ring) grow() {
	bigger := make([]entry, max(smallRing, 2*len(r.buf)))
	for i := range r.n {
		bigger[i] = r.buf[(r.head+i)&(len(r.buf)-1)]
	}
	r.buf, r.head = bigger, 0
}

// afford gets the credit for one more entry, giving own entries up if the cluster's budget refuses.
func (r *ring) afford(cost int) bool {
	if over := r.budget.over(); over > 0 {
		for least := max(r.budget.share(), r.credit-over-creditChunk); r.n > 0 && int64(r.bytes+cost) > least; {
			r.evict()
		}
		r.returnCredit(cost)
	}
	for int64(r.bytes+cost) > r.credit {
		if r.budget.take(r.credit) {
			r.credit += creditChunk
			continue
		}
		if r.n == 0 {
			return false
		}
		r.evict()
	}
	return true
}

// returnCredit gives back what is beyond the need, but for one chunk.
func (r *ring) returnCredit(need int) {
	if r.budget == nil {
		return
	}
	spare := (r.credit - int64(r.bytes+need)) / creditChunk
	if r.n > 0 || need > 0 {
		spare--
	}
	if spare > 0 {
		r.credit -= spare * creditChunk
		r.budget.give(spare*creditChunk, r.credit == 0)
	}
	if r.n == 0 && need == 0 && r.credit > 0 {
		r.budget.give(r.credit, true)
		r.credit = 0
	}
}

// pull appends the ring's next share to dst: gaps, and events up to its deficit. It reports how many events that are,
// and whether the ring has more to give.
func (r *ring) pull(dst []Event) (out []Event, events int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deficit += quantum
	for r.n > 0 && events < maxPullSize {
		cost := r.buf[r.head].cost()
		if cost > r.deficit {
			break
		}
		r.deficit -= cost
		e := r.pop()
		if e.lost != nil {
			dst = e.lost.appendGaps(dst, r.node)
		}
		dst = append(dst, Event{Message: e.msg, Node: r.node, Session: e.session, Seq: e.seq, Received: time.Unix(0, e.at)})
		events++
	}
	r.pulled += uint64(events)
	if r.n > 0 {
		return dst, events, true
	}
	if r.tail != (loss{}) {
		dst = r.tail.appendGaps(dst, r.node)
		r.tail = loss{}
	}
	r.deficit, r.queued = 0, false
	if len(r.buf) > smallRing && r.busiest < len(r.buf)/4 {
		r.buf, r.head = nil, 0
	}
	r.busiest = 0
	r.returnCredit(0)
	return dst, events, false
}

// appendGaps appends the loss as gap items.
func (l *loss) appendGaps(dst []Event, node string) []Event {
	if l.dropped > 0 {
		dst = append(dst, Event{Node: node, Received: time.Now(), Gap: &Gap{Reason: GapOverflow, Dropped: l.dropped}})
	}
	if l.since != 0 {
		g := &Gap{Reason: GapDisconnect, Since: time.Unix(0, l.since)}
		if l.until != 0 {
			g.Until = time.Unix(0, l.until)
		}
		dst = append(dst, Event{Node: node, Received: time.Now(), Gap: g})
	}
	return dst
}

// mark puts a loss behind everything in the ring and wakes the subscriber for it.
func (r *ring) mark(l loss) {
	r.mu.Lock()
	if !r.closed {
		r.tail.add(l)
	}
	wake := r.becameReady()
	r.mu.Unlock()
	if wake {
		r.sub.enqueue(r)
	}
}

// close gives up what is queued.
func (r *ring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.closed = true
	r.discarded += uint64(r.n)
	r.buf, r.head, r.n, r.bytes, r.tail = nil, 0, 0, 0, loss{}
	r.returnCredit(0)
}
