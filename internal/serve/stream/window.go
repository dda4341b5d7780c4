package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// ErrClosed is what readers get when the window takes no more events.
var ErrClosed = errors.New("stream: closed")

// Bounds of a window.
const (
	DefaultEvents = 131_072
	DefaultBytes  = 128 << 20
)

// A Window holds the latest events. All methods are safe for concurrent use.
type Window struct {
	mostEvents, mostBytes int
	epoch                 string

	mu      sync.RWMutex  // guards what follows; held for copying pointers only
	ring    []*Entry      // entry ID is at ID % len(ring)
	first   uint64        // the oldest that is held; first == next: none is
	next    uint64        // the ID that the next entry gets
	bytes   int           // of all that are held
	more    chan struct{} // closed when there is something new
	closed  bool
	readers int
}

// New returns an empty window of at most so many events and bytes; 0 means the defaults.
func New(events, bytes int) *Window {
	if events == 0 {
		events = DefaultEvents
	}
	if bytes == 0 {
		bytes = DefaultBytes
	}
	return &Window{
		mostEvents: events, mostBytes: bytes, ring: make([]*Entry, events), first: 1, next: 1, more: make(chan struct{}),
		epoch: strconv.FormatUint(rand.Uint64(), 36),
	}
}

// Epoch tells this window's IDs from those of another one, such as before a restart.
func (w *Window) Epoch() string { return w.epoch }

// Pump fills the window from a subscription until that ends or ctx is done; then the window is closed.
func (w *Window) Pump(ctx context.Context, events *ami.Subscription) error {
	defer w.close()
	var batch []*Entry
	for {
		ev, err := events.NextBorrowed(ctx)
		if err != nil {
			return err
		}
		batch = append(batch, &Entry{Event: ev.Clone()})
		for len(batch) < batchEvents {
			ev, ok := events.PollBorrowed()
			if !ok {
				break
			}
			batch = append(batch, &Entry{Event: ev.Clone()})
		}
		pause := w.add(batch)
		clear(batch)
		batch = batch[:0]
		if pause > 0 { // the readers are many: they are woken for several events at once
			time.Sleep(pause)
		}
	}
}

const (
	batchEvents = 1024
	wakeCost    = 20 * time.Microsecond // that waking one reader takes of a core
	longestNap  = 20 * time.Millisecond
)

// add appends entries, drops what there is no room for, and wakes the readers. It returns how long to wait before the next,
// so that waking readers takes at most half of a core.
func (w *Window) add(batch []*Entry) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range batch {
		e.ID = w.next
		w.bytes += e.size()
		for w.next-w.first >= uint64(w.mostEvents) || w.bytes > w.mostBytes && w.first < w.next {
			w.drop()
		}
		w.ring[w.next%uint64(len(w.ring))] = e
		w.next++
	}
	close(w.more)
	w.more = make(chan struct{})
	return min(2*wakeCost*time.Duration(w.readers), longestNap)
}

// drop forgets the oldest entry. Called under mu.
func (w *Window) drop() {
	at := w.first % uint64(len(w.ring))
	w.bytes -= w.ring[at].size()
	w.ring[at] = nil
	w.first++
}

func (w *Window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	close(w.more)
	w.more = make(chan struct{})
}

// Stats are figures of a window.
type Stats struct {
	Events  uint64 // that ever came, gaps included
	Held    uint64
	Bytes   int
	Readers int
}

// Stats returns the figures of the moment.
func (w *Window) Stats() Stats {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return Stats{Events: w.next - 1, Held: w.next - w.first, Bytes: w.bytes, Readers: w.readers}
}
