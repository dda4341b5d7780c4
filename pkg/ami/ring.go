package ami

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

const (
	entryBytes  = int(unsafe.Sizeof(entry{}))
	quantum     = 64 << 10 // bytes a node may hand out before it is the next one's turn
	maxPullSize = 512      // events in one handing over
)

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

// A ring is the bounded buffer between one node's reader and one subscription. The reader copies an event into the
// open segment without a lock, and publishes what it staged there under one; the consumer takes published entries,
// whose segments stay as they are until it comes again.
type ring struct {
	node   string
	sub    *Subscription
	budget *budget       // nil: none
	room   chan struct{} // of a subscription with Throttle; room for one: it is crowded no longer, or closed
	left   atomic.Bool   // it is the feed's no more
	away   bool          // it was told of a disconnect, and not yet of its end; guarded by the feed's mu

	mu         sync.Mutex // guards all below, is held for no I/O and no callback; the segment pool's is taken under it
	segs       segments
	n          int // entries
	busiest    int // most bytes since it was last empty
	bytes      int
	credit     int64
	tail       loss
	queued     bool // in the subscription's ready list
	awaited    bool // the reader waits for room
	closed     bool
	deficit    int
	offered    uint64
	filtered   uint64
	pulled     uint64
	dropped    uint64
	discarded  uint64
	peakEvents int
	peakBytes  int

	// The reader's own: the segment that it writes to until the next flush, and what it staged.
	open          *segment
	staged        int
	stagedOffered uint64
}

// offer stages a borrowed event that the subscription wants.
func (r *ring) offer(m *wire.Message, at int64, seq, session uint64) {
	if eventCost(inside.Of(m).Size()) > r.sub.ringBytes {
		r.refuse()
		return
	}
	if r.open == nil || !r.open.fits(inside.Of(m).Size()) {
		r.flush()
		r.mu.Lock()
		r.open = r.segs.take(inside.Of(m).Size())
		r.mu.Unlock()
	}
	r.open.add(m, at, seq, session)
	r.staged++
	r.stagedOffered++
}

// refuse drops an event that can never fit, in its place, and nothing else.
func (r *ring) refuse() {
	r.flush()
	r.mu.Lock()
	r.offered++
	if r.closed {
		r.discarded++
	} else {
		r.dropped++
		r.tail.add(loss{dropped: 1})
	}
	wake := r.becameReady()
	r.mu.Unlock()
	if wake {
		r.sub.enqueue(r)
	}
}

// flush publishes what was staged under one lock, and wakes the subscriber if there was nothing before.
func (r *ring) flush() {
	if r.stagedOffered == 0 {
		return
	}
	r.mu.Lock()
	r.offered += r.stagedOffered
	r.filtered += r.stagedOffered - uint64(r.staged)
	for range r.staged {
		r.push(r.open)
	}
	wake := r.becameReady()
	r.open = nil
	if r.n == 0 && r.staged > 0 { // all of it was refused: nobody would take the segments out
		r.segs.drained(r.busiest)
		r.busiest = 0
	}
	r.mu.Unlock()
	r.stagedOffered, r.staged = 0, 0
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

// push publishes the segment's next entry, dropping the oldest ones if it must. Called under mu.
func (r *ring) push(seg *segment) {
	e := seg.publish()
	if r.closed {
		r.discarded++
		return
	}
	cost := e.cost()
	for r.n > 0 && (r.n >= r.sub.ringEvents || r.bytes+cost > r.sub.ringBytes) {
		r.evict()
	}
	if r.budget != nil && !r.afford(cost) {
		r.dropped++
		r.tail.add(loss{dropped: 1})
		e.gone = true
		return
	}
	if r.tail != (loss{}) {
		*seg.loss(e), r.tail = r.tail, loss{}
	}
	r.n++
	r.bytes += cost
	r.busiest = max(r.busiest, r.bytes)
	r.peakEvents, r.peakBytes = max(r.peakEvents, r.n), max(r.peakBytes, r.bytes)
}

// evict drops the oldest entry; what was lost before it and itself is told before the next one.
func (r *ring) evict() {
	e := r.pop(r.segs.first())
	lost := loss{dropped: 1}
	if e.lost != 0 {
		lost = *r.segs.head.loss(e)
		lost.dropped++
	}
	r.dropped++
	next := &r.tail
	if r.n > 0 {
		e := r.segs.first()
		next = r.segs.head.loss(e)
	}
	lost.add(*next)
	*next = lost
}

// pop takes the first entry out.
func (r *ring) pop(first *entry) *entry {
	r.segs.head.taken++
	r.n--
	r.bytes -= first.cost()
	return first
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

// pull appends the ring's next share to dst: gaps, and events up to its deficit, borrowed until giveBack. It reports how
// many events that are, and whether the ring has more to give.
func (r *ring) pull(dst []Event) (out []Event, events int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deficit += quantum
	for r.n > 0 && events < maxPullSize {
		e := r.segs.first()
		cost := e.cost()
		if cost > r.deficit {
			break
		}
		r.deficit -= cost
		r.pop(e)
		seg := r.segs.head
		seg.lent = true
		if e.lost != 0 {
			dst = seg.loss(e).appendGaps(dst, r.node)
		}
		dst = append(dst, Event{Node: r.node, Session: e.session, Seq: e.seq, Received: time.Unix(0, e.at)})
		seg.message(e, &dst[len(dst)-1].Message)
		events++
	}
	r.pulled += uint64(events)
	if r.n > 0 {
		r.admit()
		return dst, events, true
	}
	if r.tail != (loss{}) {
		dst = r.tail.appendGaps(dst, r.node)
		r.tail = loss{}
	}
	r.deficit, r.queued = 0, false
	if r.open == nil {
		r.segs.drained(r.busiest)
	}
	r.busiest = 0
	r.returnCredit(0)
	r.admit()
	return dst, events, false
}

// giveBack tells that the events of the last pull are no longer held.
func (r *ring) giveBack() {
	r.mu.Lock()
	r.segs.giveBack()
	r.mu.Unlock()
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
	r.segs, r.n, r.bytes, r.tail = segments{pool: r.segs.pool}, 0, 0, loss{}
	r.admit()
	r.returnCredit(0)
}
