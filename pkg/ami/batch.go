package ami

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

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
// concurrent use; what takes results is for one goroutine at a time.
type Batch struct {
	items bool
	wake  chan struct{}

	accepted atomic.Int64 // actions; the submitters'
	_        cacheLine
	ended    atomic.Int64 // handed out; the consumer's

	// The consumer's own.
	pulled results
	next   int
	packed Result // what is handed out where that was packed
	reply  Reply  // its reply
	fit    bufferFit

	mu    sync.Mutex
	queue results // guarded by mu
}

// Results are ends that wait to be handed out. Small replies wait as bytes, so that neither an allocation nor the
// collector has a part in them.
type results struct {
	ends    []end
	text    []byte   // of packed replies, one behind the other
	origins []origin // of packed replies
	others  []Result
}

// An end is a packed reply, or says which of the others it is. It holds no pointer.
type end struct {
	other  uint32 // one more than its place; 0: packed
	origin uint32 // place
	packed wire.Packed
	start  int // in text
	tag    uint64
	seq    uint64
	rtt    time.Duration
}

// An origin is what the replies of one read have in common.
type origin struct {
	node     string
	session  uint64
	received time.Time
}

const (
	endBytes    = int(unsafe.Sizeof(end{}))
	mostPacked  = 2 << 10  // bytes of a reply that is packed
	keptResults = 64 << 10 // bytes that a batch keeps room for in any case
)

// NewBatch returns an empty batch.
func NewBatch(o BatchOptions) *Batch {
	return &Batch{items: o.Items, wake: make(chan struct{}, 1)}
}

func (b *Batch) put(r Result) { b.rouse(b.append(r)) }

// append is put without waking Next; it reports whether that must be done.
func (b *Batch) append(r Result) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first = len(b.queue.ends) == 0
	b.queue.add(r)
	return first
}

// putAll is put for the answers that one read brought. text holds their packed replies.
func (b *Batch) putAll(answers []answer, text []byte, o origin) {
	b.mu.Lock()
	q := &b.queue
	first := len(q.ends) == 0
	q.origins = append(q.origins, o)
	for i := range answers {
		a := &answers[i]
		if a.reply != nil {
			q.add(Result{Tag: a.to.tag, Node: o.node, Reply: a.reply, Err: a.err})
			continue
		}
		from := a.end.start
		a.end.start, a.end.origin = len(q.text), uint32(len(q.origins)-1)
		q.text = append(q.text, text[from:from+a.end.packed.Size()]...)
		q.ends = append(q.ends, a.end)
	}
	b.mu.Unlock()
	b.rouse(first)
}

// add appends a result that is not packed.
func (q *results) add(r Result) {
	q.others = append(q.others, r)
	q.ends = append(q.ends, end{other: uint32(len(q.others))})
}

// held returns the bytes of the buffers.
func (q *results) held() int { return cap(q.ends)*endBytes + cap(q.text) }

// rouse wakes Next if there was nothing for it before.
func (b *Batch) rouse(first bool) {
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// Outstanding returns how many accepted actions have not been handed out.
func (b *Batch) Outstanding() int {
	ended := b.ended.Load()
	return int(b.accepted.Load() - ended)
}

// Poll returns the next result if there is one, without waiting.
func (b *Batch) Poll() (Result, bool) {
	r, ok := b.PollBorrowed()
	if !ok {
		return Result{}, false
	}
	return b.own(r), true
}

// Next waits for the next result, or until ctx is done.
func (b *Batch) Next(ctx context.Context) (Result, error) {
	r, err := b.NextBorrowed(ctx)
	if err != nil {
		return Result{}, err
	}
	return b.own(r), nil
}

// own copies what is borrowed of the result just handed out.
func (b *Batch) own(r *Result) Result {
	own := *r
	if r == &b.packed {
		reply := b.reply
		reply.Message = b.reply.Clone()
		own.Reply = &reply
	}
	return own
}

// PollBorrowed is Poll without a copy; the result is valid as NextBorrowed says.
func (b *Batch) PollBorrowed() (*Result, bool) {
	if b.next == len(b.pulled.ends) && !b.pull() {
		return nil, false
	}
	e := &b.pulled.ends[b.next]
	b.next++
	if e.other > 0 {
		r := &b.pulled.others[e.other-1]
		if r.Item == nil {
			b.ended.Add(1)
		}
		return r, true
	}
	b.ended.Add(1)
	o := &b.pulled.origins[e.origin]
	r := &b.reply
	r.Message = e.packed.Message(b.pulled.text[e.start:])
	r.Node, r.Session, r.Received, r.Seq, r.RTT = o.node, o.session, o.received, e.seq, e.rtt
	b.packed.Tag, b.packed.Node, b.packed.Reply = e.tag, o.node, r
	return &b.packed, true
}

// NextBorrowed is Next without a copy: the result, its reply and every string taken from that are valid until the next
// call of one of the batch's methods that take results.
func (b *Batch) NextBorrowed(ctx context.Context) (*Result, error) {
	for {
		if r, ok := b.PollBorrowed(); ok {
			return r, nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// pull takes all that waits, and reports whether that is anything.
func (b *Batch) pull() bool {
	busy := len(b.pulled.ends) > 0
	b.fit.used(len(b.pulled.ends)*endBytes + len(b.pulled.text))
	clear(b.pulled.others) // let the replies go
	spare := results{ends: b.pulled.ends[:0], text: b.pulled.text[:0], origins: b.pulled.origins[:0], others: b.pulled.others[:0]}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pulled, b.queue = b.queue, spare
	b.next = 0
	if len(b.pulled.ends) > 0 {
		return true
	}
	held := max(b.pulled.held(), b.queue.held()) // they take turns
	if busy && held > keptResults && !b.fit.wanted(held) {
		b.pulled, b.queue = results{}, results{}
	}
	return false
}
