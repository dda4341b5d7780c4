package ami

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/apntalk/amictl/internal/packet/inside"
)

// A Result is the end of one submitted action, or one item of its list.
type Result[T any] struct {
	Value T // as given to Submit
	Node  string
	Reply *Reply // nil if none came
	Err   error  // an *OpError; with a Reply it wraps a *ResponseError
	Item  *Event // not nil: a list item, not the end
}

// A Batch gathers the ends of many actions in flight, on any nodes, in the order they ended, each with a value of the
// caller's. Its zero value is ready; it must not be copied. Submit is safe for concurrent use; the methods that take results
// are for one goroutine at a time.
//
// Every accepted action ends once in its batch, even if its session is lost: a loop until Outstanding is 0 has seen all of
// them. Results wait until they are taken. A list's end, or a refusal, is there before any [Subscription] has an event that
// came behind it.
type Batch[T any] struct {
	// Items hands list items out as they arrive; the Reply's Events are then empty. It is set before the first Submit.
	Items bool

	queue    endQueue
	values   valueTable[T]
	accepted atomic.Int64 // actions; the submitters'
	_        cacheLine
	ended    atomic.Int64 // handed out; the consumer's

	// The consumer's own.
	pulled results
	given  []T // the values of pulled.ends
	next   int
	result Result[T] // what is handed out
	reply  Reply     // its reply where that was packed
	fit    bufferFit
}

// Submit sends an action without waiting for its answer; its end comes from Next, with the value. It waits for room within
// ctx. An error means that the action was refused and that no result will come. Once accepted, the action is bounded by its
// timeout, and by ctx's deadline, not by ctx's cancellation.
//
// A Doer that is not of this package does the action in a goroutine of its own. It refuses nothing, and its list comes
// whole.
func (b *Batch[T]) Submit(ctx context.Context, to Doer, a Action, value T) error {
	return b.submit(ctx, to, &a, value, submitWait)
}

// TrySubmit is Submit, but returns ErrBusy at once if there is no room, and ErrNotReady without a ready session. The
// action is bounded by its timeout alone.
func (b *Batch[T]) TrySubmit(to Doer, a Action, value T) error {
	a.WaitReady = false
	return b.submit(context.Background(), to, &a, value, submitTry)
}

func (b *Batch[T]) submit(ctx context.Context, to Doer, a *Action, value T, mode submitMode) error {
	b.accepted.Add(1)
	r := receiver{queue: &b.queue, slot: b.values.put(value), items: b.Items}
	var err error
	switch d := to.(type) {
	case *Conn:
		err = d.give(ctx, a, r, mode)
	case *Node:
		err = d.give(ctx, a, r, mode)
	case *Via:
		err = d.give(ctx, a, r, mode)
	default:
		doAside(ctx, d, *a, r)
	}
	if err != nil {
		b.values.drop(r.slot)
		b.accepted.Add(-1)
	}
	return err
}

// doAside lets somebody else's Doer do an action.
func doAside(ctx context.Context, d Doer, a Action, r receiver) {
	cancel := context.CancelFunc(func() {})
	own := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		own, cancel = context.WithDeadline(own, deadline)
	}
	go func() {
		defer cancel()
		reply, err := d.Do(own, a)
		node := ""
		var failed *OpError
		if reply != nil {
			node = reply.Node
		} else if errors.As(err, &failed) {
			node = failed.Node
		}
		r.deliver(reply, err, node)
	}()
}

// Outstanding returns how many accepted actions have not been handed out.
func (b *Batch[T]) Outstanding() int {
	ended := b.ended.Load()
	return int(b.accepted.Load() - ended)
}

// Values iterates over the values of the actions whose ends have not been handed out, in no order: what is still
// missing. Those that wait for room are among them. It is for the goroutine that takes results.
func (b *Batch[T]) Values() iter.Seq[T] {
	left := b.values.all()
	for i := b.next; i < len(b.pulled.ends); i++ {
		if e := b.pulled.ends[i]; e.other == 0 || b.pulled.others[e.other-1].item == nil {
			left = append(left, b.given[i])
		}
	}
	return slices.Values(left)
}

// Poll returns the next result if there is one, without waiting.
func (b *Batch[T]) Poll() (Result[T], bool) {
	r, ok := b.PollBorrowed()
	if !ok {
		return Result[T]{}, false
	}
	return b.own(r), true
}

// Next waits for the next result, or until ctx is done.
func (b *Batch[T]) Next(ctx context.Context) (Result[T], error) {
	r, err := b.NextBorrowed(ctx)
	if err != nil {
		return Result[T]{}, err
	}
	return b.own(r), nil
}

// own copies what is borrowed of the result just handed out.
func (b *Batch[T]) own(r *Result[T]) Result[T] {
	own := *r
	if r.Reply == &b.reply {
		reply := b.reply
		reply.Message = b.reply.Clone()
		own.Reply = &reply
	}
	return own
}

// Ready returns a channel that gets a value when there may be something to Poll, for a select with other channels: Poll then
// until there is no more. It does not go together with Next.
func (b *Batch[T]) Ready() <-chan struct{} {
	wake, fresh := b.queue.waker()
	if fresh {
		rouse(wake) // for what came before
	}
	return wake
}

// NextBorrowed is Next without a copy: the result, its reply and every string taken from that are valid until the next
// call of one of the batch's methods that take results.
func (b *Batch[T]) NextBorrowed(ctx context.Context) (*Result[T], error) {
	for {
		if r, ok := b.PollBorrowed(); ok {
			return r, nil
		}
		wake, fresh := b.queue.waker()
		if fresh {
			continue // an end may have come meanwhile
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// PollBorrowed is Poll without a copy; the result is valid as NextBorrowed says.
func (b *Batch[T]) PollBorrowed() (*Result[T], bool) {
	if b.next == len(b.pulled.ends) && !b.pull() {
		return nil, false
	}
	e, r := &b.pulled.ends[b.next], &b.result
	r.Value = b.given[b.next]
	b.next++
	if e.other > 0 {
		o := &b.pulled.others[e.other-1]
		r.Node, r.Reply, r.Err, r.Item = o.node, o.reply, o.err, o.item
		if o.item == nil {
			b.ended.Add(1)
		}
		return r, true
	}
	b.ended.Add(1)
	o, reply := &b.pulled.origins[e.origin], &b.reply
	*inside.Of(&reply.Message) = e.packed.Packet(b.pulled.text[e.start:])
	reply.Node, reply.Session, reply.Received, reply.Seq, reply.RTT = o.node, o.session, o.received, e.seq, e.rtt
	r.Node, r.Reply, r.Err, r.Item = o.node, reply, nil, nil
	return r, true
}

// pull takes all that waits, and reports whether that is anything.
func (b *Batch[T]) pull() bool {
	busy := len(b.pulled.ends) > 0
	b.fit.used(len(b.pulled.ends)*endBytes + len(b.pulled.text))
	clear(b.pulled.others) // let the replies go
	clear(b.given)
	spare := results{ends: b.pulled.ends[:0], text: b.pulled.text[:0], origins: b.pulled.origins[:0], others: b.pulled.others[:0]}
	held := spare.held()
	b.pulled = b.queue.swap(spare)
	b.given, b.next = b.given[:0], 0
	if len(b.pulled.ends) > 0 {
		b.given = b.values.take(b.given, &b.pulled)
		return true
	}
	b.result, b.reply = Result[T]{}, Reply{}
	held = max(held, b.pulled.held()) // they take turns
	if busy && held > keptResults && !b.fit.wanted(held) {
		b.pulled, b.given = results{}, nil
		b.queue.shrink()
		b.values.shrink()
	}
	return false
}
