package bus

import (
	"context"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// mostLead is by how much an answer may be ahead of the events behind it. What follows the state of a server is exact with lists that
// are 3 s ahead (TestHeldIsWhatIsBehindLists of package state), and with 4 s not always.
const mostLead = 3 * time.Second

// mostWaiting is how many bytes of events wait for a client.
const mostWaiting = 64 << 20

// An outbox holds the events of a session until they may be written.
//
// They come from the stream and answers from the node's owner, so their order has to be made. An answer must not stand behind an
// event that is newer than the answer, for the client would take what the event told of for gone. So nothing is written from a
// request on until its answer is there, and the answer comes behind the batch that the owner had stored last when it took the
// request: what is in that batch, or in one before, the server had sent by then.
type outbox struct {
	mask manager.Class // of the events that are wanted

	mu      sync.Mutex // guards what follows
	changed *sync.Cond
	batch   []byte    // of events that the batch under way has so far
	first   time.Time // when the first of them was received
	waiting []chunk
	bytes   int
	reached uint64    // sequence of the last batch that has come, all of it
	upTo    uint64    // and of the last that may be written
	oldest  time.Time // what was received before must have come before
	writing bool
	last    bool // the session ends behind what waits
	closed  bool // it has ended
}

// A chunk is what a batch has for a session.
type chunk struct {
	at    uint64 // the batch's sequence
	first time.Time
	text  []byte
}

// newOutbox returns the outbox of a session that begins behind a batch.
func newOutbox(mask manager.Class, reached uint64) *outbox {
	o := &outbox{mask: mask, reached: reached, upTo: math.MaxUint64}
	o.changed = sync.NewCond(&o.mu)
	return o
}

// add takes an event of the batch under way.
func (o *outbox) add(ev *ami.Event) {
	if ev.Kind() != wire.Event || !o.mask.Sees(ev.Get("Privilege")) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.batch) == 0 {
		o.first = ev.Received
	}
	o.batch = appendEvent(o.batch, ev)
}

// appendEvent appends an event as the server sent it. One that does not say when it was made says when its bridge received it: the
// client would take the moment in which it reads the event for that.
func appendEvent(dst []byte, ev *ami.Event) []byte {
	text := ev.Text()
	for i := 1; i < min(ev.Len(), 4); i++ { // where manager.c writes it
		if name, _ := ev.Line(i); name == "Timestamp" {
			return append(dst, text...)
		}
	}
	at := strings.IndexByte(text, '\n') + 1
	at += strings.IndexByte(text[at:], '\n') + 1 // behind Privilege
	us := ev.Received.UnixMicro()
	dst = append(append(dst, text[:at]...), "Timestamp: "...)
	dst = append(strconv.AppendInt(dst, us/1e6, 10), '.')
	dst = append(dst, strconv.FormatInt(1e6+us%1e6, 10)[1:]...)
	return append(append(dst, "\r\n"...), text[at:]...)
}

// end says that a batch has come, all of it.
func (o *outbox) end(at uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reached = at
	o.store(at)
	if o.bytes > mostWaiting { // what is given up here is missing, so the session ends
		o.waiting, o.bytes, o.last = nil, 0, true
	}
	o.changed.Broadcast()
}

// store puts what the batch under way has with what waits. Called under mu.
func (o *outbox) store(at uint64) {
	if len(o.batch) == 0 || o.closed || o.last {
		return
	}
	o.waiting = append(o.waiting, chunk{at, o.first, o.batch})
	o.bytes += len(o.batch)
	o.batch = nil
}

// finish ends the session behind what has come so far: then events are missing.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.store(o.reached)
	o.last = true
	o.changed.Broadcast()
}

// close ends the session at once.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.changed.Broadcast()
}

// hold keeps everything back.
func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.upTo = 0
}

// await lets the events up to a batch be written, and waits until they are. It reports whether an answer may follow: not if the session
// ends, or ctx.
func (o *outbox) await(ctx context.Context, batch uint64) bool {
	defer context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.changed.Broadcast()
	})()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.upTo = batch
	o.changed.Broadcast()
	for !o.last && !o.closed && ctx.Err() == nil {
		if o.reached >= batch && !o.writing && !o.ready() {
			return true
		}
		o.changed.Wait()
	}
	return false
}

// free lets everything be written again. An event that was received before oldest ends the session.
func (o *outbox) free(oldest time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.upTo = math.MaxUint64
	if !oldest.IsZero() {
		o.oldest = oldest
	}
	o.changed.Broadcast()
}

// ready reports whether something waits that may be written. Called under mu.
func (o *outbox) ready() bool { return len(o.waiting) > 0 && o.waiting[0].at <= o.upTo }

// take waits for what may be written, and until it is called again that is being written; ok is false behind the last.
func (o *outbox) take() (text []byte, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = false
	o.changed.Broadcast()
	for !o.closed && !o.last && !o.ready() {
		o.changed.Wait()
	}
	for len(o.waiting) > 0 && !o.closed && (o.last || o.ready()) {
		c := o.waiting[0]
		if c.first.Before(o.oldest) { // the owner was further behind its server than an answer may be ahead
			o.waiting, o.last = nil, true
			break
		}
		text = append(text, c.text...)
		o.bytes -= len(c.text)
		o.waiting = o.waiting[1:]
	}
	o.writing = len(text) > 0
	return text, o.writing
}
