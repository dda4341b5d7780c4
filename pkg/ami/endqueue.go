package ami

import (
	"sync"
	"time"
	"unsafe"

	"github.com/apntalk/amictl/internal/packet"
)

// An endQueue is what sessions put the ends of a batch's actions into. Its zero value is ready.
type endQueue struct {
	mu      sync.Mutex
	results               // guarded by mu
	wake    chan struct{} // likewise: room for one, nil until somebody waits or will
}

// Results are ends that wait to be handed out. Small replies wait as bytes, so that neither an allocation nor the
// collector has a part in them.
type results struct {
	ends    []end
	text    []byte   // of packed replies, one behind the other
	origins []origin // of packed replies
	others  []otherEnd
}

// An end is a packed reply, or says which of the others it is. It holds no pointer.
type end struct {
	other  uint32 // one more than its place; 0: packed
	origin uint32 // place
	packed packet.Packed
	start  int    // in text
	slot   uint32 // of the batch's values
	seq    uint64
	rtt    time.Duration
}

// An otherEnd is an end that is not packed, or an item of a list.
type otherEnd struct {
	slot  uint32
	node  string
	reply *Reply
	err   error
	item  *Event
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

// put appends one end and wakes a waiting consumer.
func (q *endQueue) put(e otherEnd) { rouse(q.append(e)) }

// append is put without waking: it returns who must be woken, nil for nobody.
func (q *endQueue) append(e otherEnd) (wake chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ends) == 0 {
		wake = q.wake
	}
	q.add(e)
	return wake
}

// putAll is put for the answers that one read brought. text holds their packed replies.
func (q *endQueue) putAll(answers []answer, text []byte, o origin) {
	q.mu.Lock()
	first := len(q.ends) == 0
	q.origins = append(q.origins, o)
	for i := range answers {
		a := &answers[i]
		if a.reply != nil {
			q.add(otherEnd{slot: a.to.slot, node: o.node, reply: a.reply, err: a.err})
			continue
		}
		from := a.end.start
		a.end.start, a.end.origin = len(q.text), uint32(len(q.origins)-1)
		q.text = append(q.text, text[from:from+a.end.packed.Size()]...)
		q.ends = append(q.ends, a.end)
	}
	wake := q.wake
	q.mu.Unlock()
	if first {
		rouse(wake)
	}
}

// add appends a result that is not packed.
func (q *results) add(r otherEnd) {
	q.others = append(q.others, r)
	q.ends = append(q.ends, end{other: uint32(len(q.others))})
}

// held returns the bytes of the buffers.
func (q *results) held() int { return cap(q.ends)*endBytes + cap(q.text) }

// rouse wakes the consumer that waits for the first end. A nil channel means that none does.
func rouse(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// swap takes all that waits and leaves spare, which is empty, in its place.
func (q *endQueue) swap(spare results) results {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.results
	q.results = spare
	return taken
}

// waker returns the channel by which put wakes, and whether it is new: ends that came before have not signalled it.
func (q *endQueue) waker() (_ chan struct{}, fresh bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if fresh = q.wake == nil; fresh {
		q.wake = make(chan struct{}, 1)
	}
	return q.wake, fresh
}

// shrink lets the buffers go if nothing is in them.
func (q *endQueue) shrink() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ends) == 0 {
		q.results = results{}
	}
}
