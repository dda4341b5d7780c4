package send

import (
	"container/heap"
	"container/list"
	"time"
)

// A lineQueue holds the lines that wait for a lane: first come, first served, and each ends at its own deadline wherever it
// stands. It is pure; its zero value is empty.
type lineQueue struct {
	line  list.List // of *queued
	ends  deadlines
	bytes int
}

// A queued line waits for its turn until its deadline.
type queued struct {
	lineRequest
	deadline time.Time
	place    *list.Element
	index    int // in the heap
}

// push appends a line.
func (q *lineQueue) push(r lineRequest, deadline time.Time) {
	e := &queued{lineRequest: r, deadline: deadline}
	e.place = q.line.PushBack(e)
	heap.Push(&q.ends, e)
	q.bytes += r.bytes
}

// pop takes the first line.
func (q *lineQueue) pop() (*queued, bool) {
	first := q.line.Front()
	if first == nil {
		return nil, false
	}
	e := first.Value.(*queued)
	q.remove(e)
	return e, true
}

// expired takes the lines whose deadline is over, the earliest first.
func (q *lineQueue) expired(now time.Time) (over []*queued) {
	for len(q.ends) > 0 && !q.ends[0].deadline.After(now) {
		e := q.ends[0]
		q.remove(e)
		over = append(over, e)
	}
	return over
}

// next returns the earliest deadline.
func (q *lineQueue) next() (time.Time, bool) {
	if len(q.ends) == 0 {
		return time.Time{}, false
	}
	return q.ends[0].deadline, true
}

func (q *lineQueue) empty() bool { return q.line.Len() == 0 }

func (q *lineQueue) remove(e *queued) {
	q.line.Remove(e.place)
	heap.Remove(&q.ends, e.index)
	q.bytes -= e.bytes
}

// deadlines is a heap, the earliest first.
type deadlines []*queued

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].deadline.Before(d[j].deadline) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	e := x.(*queued)
	e.index = len(*d)
	*d = append(*d, e)
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	e := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return e
}
