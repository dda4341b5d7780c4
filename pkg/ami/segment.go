package ami

import "github.com/apntalk/amictl/pkg/ami/wire"

const (
	smallSegment  = 1 << 10  // what a quiet node's ring may keep
	largeSegment  = 32 << 10 // only a single large event goes beyond
	entrySpace    = 256      // bytes of text for which a segment has an entry
	spareSegments = 8        // emptied ones that a busy ring keeps for its next events
)

// A segment holds the bytes of some events in a row. What is published does not change any more, until the segment is
// used again.
type segment struct {
	text      []byte // its length is what is written
	entries   []entry
	staged    int // entries written; the reader's own
	published int
	taken     int      // entries popped
	lent      bool     // the consumer may hold entries of it
	next      *segment // in the ring
}

func newSegment(size int) *segment {
	return &segment{text: make([]byte, 0, size), entries: make([]entry, max(1, size/entrySpace))}
}

// fits reports whether an event of that size can be added.
func (s *segment) fits(size int) bool {
	return s.staged < len(s.entries) && cap(s.text)-len(s.text) >= size
}

// add copies an event behind the others.
func (s *segment) add(m *wire.Message) *entry {
	at, size := len(s.text), m.Size()
	s.text = s.text[:at+size]
	e := &s.entries[s.staged]
	e.msg, e.lost, e.gone = m.CopyTo(s.text[at:]), nil, false
	s.staged++
	return e
}

// publish makes the next staged entry one of the ring's.
func (s *segment) publish() *entry {
	s.published++
	return &s.entries[s.published-1]
}

// segments are a ring's, in the order of their events. The last one may be the reader's open one. They are guarded by
// the ring's lock.
type segments struct {
	head, tail *segment
	lent       []*segment // popped to the end by the consumer, which still reads them
	spare      []*segment
	size       int // of the next new one
}

// take returns a segment with room for an event of that size, at the end of the queue.
func (q *segments) take(size int) *segment {
	if q.tail != nil && q.tail.fits(size) {
		return q.tail
	}
	if q.tail != nil {
		q.resize(min(4*q.size, largeSegment)) // it filled up before it was emptied
	}
	q.size = max(q.size, smallSegment)
	var s *segment
	if last := len(q.spare) - 1; last >= 0 && size <= q.size {
		s = q.spare[last]
		q.spare[last] = nil
		q.spare = q.spare[:last]
	} else {
		s = newSegment(max(size, q.size))
	}
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next = s
	}
	q.tail = s
	return s
}

// first returns the oldest published entry; there must be one.
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

// pop takes the oldest published entry; there must be one. It stays readable as long as its segment is not used again.
func (q *segments) pop() *entry {
	e := q.first()
	q.head.taken++
	return e
}

// unlink takes the first segment, of which nothing is left, out of the queue.
func (q *segments) unlink() {
	s := q.head
	if q.head = s.next; q.head == nil {
		q.tail = nil
	}
	s.next = nil
	if s.lent {
		q.lent = append(q.lent, s)
	} else {
		q.reuse(s)
	}
}

// reuse keeps an emptied segment for later, if it has the size of the day.
func (q *segments) reuse(s *segment) {
	if cap(s.text) != q.size || len(q.spare) >= spareSegments {
		return
	}
	s.text, s.staged, s.published, s.taken, s.lent = s.text[:0], 0, 0, 0, false
	q.spare = append(q.spare, s)
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

// drained takes the emptied segments out, when the reader holds none of them, and lets memory go that a load like the
// last one does not need. busiest is the most bytes that were queued.
func (q *segments) drained(busiest int) {
	for q.head != nil {
		q.unlink()
	}
	if busiest < q.size/4 {
		q.resize(smallSegment)
	}
}

// resize changes the size of new segments; spare ones of the old size go.
func (q *segments) resize(size int) {
	if size != q.size {
		q.size, q.spare = size, nil
	}
}
