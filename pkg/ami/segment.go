package ami

import (
	"sync"

	"github.com/apntalk/amictl/internal/packet"
	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

const (
	smallSegment = 1 << 10  // what a quiet node's ring may keep
	largeSegment = 32 << 10 // only a single large event goes beyond
	entrySpace   = 256      // bytes of text for which a segment has an entry
	poolSize     = 96       // large segments that a subscription keeps: some 4 MiB
)

// An entry is one event waiting in a segment. It holds no pointer, so that the collector does not look at queues.
type entry struct {
	packed  packet.Packed
	start   uint32 // in the segment's text
	lost    uint32 // what was lost before it: one more than its place in the segment's losses, or 0
	at      int64  // received, nanoseconds since 1970
	seq     uint64
	session uint64
	gone    bool // never got in, is counted as lost
}

// cost is what an entry takes: an eighth more for what the packing wastes.
func (e *entry) cost() int { return eventCost(e.packed.Size()) }

func eventCost(size int) int { return size + size/8 + entryBytes }

// A segment holds the bytes of some events in a row. What is published does not change any more, until the segment is
// used again.
type segment struct {
	text      []byte // of fixed length, as the reader writes to its end while the consumer reads before
	entries   []entry
	losses    []loss
	written   int // bytes of text; the reader's own
	staged    int // entries written; the reader's own
	published int
	taken     int      // entries popped
	lent      bool     // the consumer may hold entries of it
	next      *segment // in the ring
}

func newSegment(size int) *segment {
	return &segment{text: make([]byte, size), entries: make([]entry, max(1, size/entrySpace))}
}

// fits reports whether an event of that size can be added.
func (s *segment) fits(size int) bool {
	return s.staged < len(s.entries) && len(s.text)-s.written >= size
}

// add copies an event behind the others.
func (s *segment) add(m *wire.Message, at int64, seq, session uint64) {
	s.entries[s.staged] = entry{packed: inside.Of(m).Pack(s.text[s.written:]), start: uint32(s.written), at: at, seq: seq, session: session}
	s.written += inside.Of(m).Size()
	s.staged++
}

// publish makes the next staged entry one of the ring's.
func (s *segment) publish() *entry {
	s.published++
	return &s.entries[s.published-1]
}

// message makes m an entry's event, borrowed from the segment.
func (s *segment) message(e *entry, m *wire.Message) {
	*inside.Of(m) = e.packed.Packet(s.text[e.start:])
}

// loss returns what was lost before an entry, for the caller to add to.
func (s *segment) loss(e *entry) *loss {
	if e.lost == 0 {
		s.losses = append(s.losses, loss{})
		e.lost = uint32(len(s.losses))
	}
	return &s.losses[e.lost-1]
}

// A segmentPool keeps emptied large segments for any ring of a subscription.
type segmentPool struct {
	mu     sync.Mutex // guards all below; no other lock is taken under it
	free   []*segment
	closed bool
}

// close keeps nothing any more.
func (p *segmentPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free, p.closed = nil, true
}

func (p *segmentPool) get() *segment {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return nil
	}
	s := p.free[last]
	p.free[last] = nil
	p.free = p.free[:last]
	return s
}

func (p *segmentPool) put(s *segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < poolSize && !p.closed {
		p.free = append(p.free, s)
	}
}

// segments are a ring's, in the order of their events. The last one may be the reader's open one. They are guarded by
// the ring's lock.
type segments struct {
	pool       *segmentPool
	head, tail *segment
	lent       []*segment // popped to the end by the consumer, which still reads them
	spare      *segment   // an emptied one that is not large
	size       int        // of the next new one: it follows the load
	held       int        // bytes of text of all that are queued, used or not
}

// take returns a segment with room for an event of that size, at the end of the queue.
func (q *segments) take(size int) *segment {
	if q.tail != nil && q.tail.fits(size) {
		return q.tail
	}
	if q.tail != nil {
		q.size = min(4*q.size, largeSegment) // it filled up before it was emptied
	}
	q.size = max(q.size, smallSegment)
	s := q.fresh(size)
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next = s
	}
	q.tail = s
	q.held += len(s.text)
	return s
}

func (q *segments) fresh(size int) (s *segment) {
	switch {
	case size > q.size:
	case q.size == largeSegment:
		s = q.pool.get()
	case q.spare != nil && len(q.spare.text) == q.size:
		s, q.spare = q.spare, nil
	}
	if s == nil {
		s = newSegment(max(size, q.size))
	}
	return s
}

// first returns the oldest published entry, which is in the first segment; there must be one.
func (q *segments) first() *entry {
	for {
		s := q.head
		for s.taken < s.published && s.entries[s.taken].gone {
			s.taken++
		}
		if s.taken < s.published {
			return &s.entries[s.taken]
		}
		q.unlink()
	}
}

// unlink takes the first segment, of which nothing is left, out of the queue.
func (q *segments) unlink() {
	s := q.head
	if q.head = s.next; q.head == nil {
		q.tail = nil
	}
	s.next = nil
	q.held -= len(s.text)
	if s.lent {
		q.lent = append(q.lent, s)
	} else {
		q.reuse(s)
	}
}

// reuse keeps an emptied segment for later.
func (q *segments) reuse(s *segment) {
	*s = segment{text: s.text, entries: s.entries, losses: s.losses[:0]}
	if len(s.text) == largeSegment {
		q.pool.put(s)
	} else if len(s.text) == q.size {
		q.spare = s
	}
}

// giveBack tells that the consumer holds no entry any more.
func (q *segments) giveBack() {
	for i, s := range q.lent {
		q.lent[i] = nil
		q.reuse(s)
	}
	q.lent = q.lent[:0]
	if q.head != nil {
		q.head.lent = false
	}
}

// drained takes the emptied segments out, when the reader holds none of them. busiest is the most bytes that were
// queued: the next segment is small again if they were few.
func (q *segments) drained(busiest int) {
	for q.head != nil {
		q.unlink()
	}
	if busiest < q.size/4 {
		q.size, q.spare = smallSegment, nil
	}
}
