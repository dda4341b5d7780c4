package ami

import (
	"context"
	"sync"
	"sync/atomic"
)

// A receiver is where a call's end goes: to a waiting Do, to a Batch, or nowhere.
type receiver struct {
	waiter *waiter
	batch  *Batch
	tag    uint64
}

// deliver hands a call's end over; it never blocks.
func (r receiver) deliver(reply *Reply, err error, node string) {
	switch {
	case r.waiter != nil:
		r.waiter.reply, r.waiter.err = reply, err
		r.waiter.ch <- struct{}{} // one call, one end: there is room
	case r.batch != nil:
		r.batch.put(Result{Tag: r.tag, Node: node, Reply: reply, Err: err})
	}
}

// A waiter is one Do waiting for its end.
type waiter struct {
	ch    chan struct{} // room for one
	reply *Reply
	err   error
}

// A Result is the end of one submitted action, or one item of its list.
type Result struct {
	Tag   uint64 // as given to Submit
	Node  string
	Reply *Reply // nil if none came
	Err   error  // an *OpError; with a Reply it wraps a *ResponseError
	Item  *Event // not nil: a list item, not the end
}

// BatchOptions changes what a Batch hands out.
type BatchOptions struct {
	// Items hands list items out as they arrive; the Reply's Events are then empty.
	Items bool
}

// A Batch gathers the ends of many actions in flight, on any nodes, in the order they ended. Submit is safe for
// concurrent use, Next is for one goroutine at a time.
type Batch struct {
	items bool
	wake  chan struct{}

	open atomic.Int64 // accepted, their end not yet handed out

	mu    sync.Mutex
	queue []Result // guarded by mu

	pulled []Result // Next's own
	next   int
}

// NewBatch returns an empty batch.
func NewBatch(o BatchOptions) *Batch {
	return &Batch{items: o.Items, wake: make(chan struct{}, 1)}
}

func (b *Batch) put(r Result) {
	b.mu.Lock()
	first := len(b.queue) == 0
	b.queue = append(b.queue, r)
	b.mu.Unlock()
	b.rouse(first)
}

// putAll is put for the answers that one read brought.
func (b *Batch) putAll(answers []answer, node string) {
	b.mu.Lock()
	first := len(b.queue) == 0
	for i := range answers {
		a := &answers[i]
		b.queue = append(b.queue, Result{Tag: a.to.tag, Node: node, Reply: a.reply, Err: a.err})
	}
	b.mu.Unlock()
	b.rouse(first)
}

// rouse wakes Next if there was nothing for it before.
func (b *Batch) rouse(first bool) {
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// Outstanding returns how many accepted actions have not been handed out by Next.
func (b *Batch) Outstanding() int { return int(b.open.Load()) }

// Poll returns the next result if there is one, without waiting.
func (b *Batch) Poll() (Result, bool) {
	if b.next == len(b.pulled) {
		clear(b.pulled) // let the replies go
		b.mu.Lock()
		b.pulled, b.queue = b.queue, b.pulled[:0]
		b.next = 0
		b.mu.Unlock()
		if len(b.pulled) == 0 {
			return Result{}, false
		}
	}
	r := b.pulled[b.next]
	b.next++
	if r.Item == nil {
		b.open.Add(-1)
	}
	return r, true
}

// Next waits for the next result, or until ctx is done.
func (b *Batch) Next(ctx context.Context) (Result, error) {
	for {
		if r, ok := b.Poll(); ok {
			return r, nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
}
