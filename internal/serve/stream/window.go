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

	mu     sync.RWMutex // guards what follows; held for copying pointers only
	ring   []*Entry     // entry ID is at ID % len(ring)
	first  uint64       // the oldest that is held; first == next: none is
	next   uint64       // the ID that the next entry gets
	bytes  int          // of all that are held
	closed bool
	all    *audience            // those who read everything
	nodes  map[string]*audience // those who read one node's, while there are some
	since  tide
}

// An audience is the readers who wake up for the same events.
type audience struct {
	readers int
	more    chan struct{} // closed when there is something new for them
	woken   bool          // by the batch that is being added
}

// wake wakes them, and returns how many they are.
func (a *audience) wake() int {
	close(a.more)
	a.more = make(chan struct{})
	return a.readers
}

// A tide is what came since everybody was woken last. A reader of a quiet node would else find its place overwritten by the
// events of others.
type tide struct{ events, bytes int }

const tideShare = 4 // of the window: all are woken when so much has come

// New returns an empty window of at most so many events and bytes; 0 means the defaults.
func New(events, bytes int) *Window {
	if events == 0 {
		events = DefaultEvents
	}
	if bytes == 0 {
		bytes = DefaultBytes
	}
	return &Window{
		mostEvents: events, mostBytes: bytes, ring: make([]*Entry, events), first: 1, next: 1,
		all: newAudience(), nodes: make(map[string]*audience),
		epoch: strconv.FormatUint(rand.Uint64(), 36),
	}
}

func newAudience() *audience { return &audience{more: make(chan struct{})} }

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
		pause := nap(w.add(batch))
		clear(batch)
		batch = batch[:0]
		if pause > 0 { // the readers are many: they are woken for several events at once
			time.Sleep(pause)
		}
	}
}

const (
	batchEvents = 1024
	wakeCost    = 20 * time.Microsecond // that waking one reader takes of a core, with the write to its client
	longestNap  = 50 * time.Millisecond
)

// nap returns how long to wait before the next batch, so that waking so many readers takes at most half of a core.
func nap(readers int) time.Duration { return min(2*wakeCost*time.Duration(readers), longestNap) }

// add appends entries, drops what there is no room for, and wakes the readers. It returns how many it woke.
func (w *Window) add(batch []*Entry) (woken int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range batch {
		e.ID = w.next
		size := e.size()
		w.bytes += size
		for w.next-w.first >= uint64(w.mostEvents) || w.bytes > w.mostBytes && w.first < w.next {
			w.drop()
		}
		w.ring[w.next%uint64(len(w.ring))] = e
		w.next++
		w.since.events++
		w.since.bytes += size
		if a := w.nodes[e.Event.Node]; a != nil && !a.woken {
			a.woken = true
			woken += a.wake()
		}
	}
	flood := w.since.events >= w.mostEvents/tideShare || w.since.bytes >= w.mostBytes/tideShare
	if flood {
		w.since = tide{}
	}
	for _, a := range w.nodes {
		if flood && !a.woken {
			woken += a.wake()
		}
		a.woken = false
	}
	return woken + w.all.wake()
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
	w.all.wake()
	for _, a := range w.nodes {
		a.wake()
	}
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
	s := Stats{Events: w.next - 1, Held: w.next - w.first, Bytes: w.bytes, Readers: w.all.readers}
	for _, a := range w.nodes {
		s.Readers += a.readers
	}
	return s
}
