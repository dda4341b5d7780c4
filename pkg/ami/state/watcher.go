package state

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"
)

// ErrClosed is what ends the changes of a Watcher that was closed.
var ErrClosed = errors.New("state: closed")

// A Watcher holds the state of the servers. All methods are safe for concurrent use.
type Watcher struct {
	buffer int
	cancel context.CancelFunc
	all    sync.WaitGroup // the shell's goroutines

	mu        sync.Mutex // guards all below; held while a packet is applied, never across anything that waits
	core      *core
	consumers map[*consumer]struct{}
	cause     error // of the end; nil while it goes on
}

// A consumer is one iteration over Changes.
type consumer struct {
	begin []Change      // what there was when it began; nil once it is taken
	queue []Change      // what came since
	lost  uint64        // changes dropped since it last took any
	whole bool          // it is too far behind, and is to get everything there is
	wake  chan struct{} // room for one
}

func newWatcher(o Options, cancel context.CancelFunc) *Watcher {
	return &Watcher{buffer: o.Buffer, cancel: cancel, core: newCore(o.Limit, o.Kinds), consumers: make(map[*consumer]struct{})}
}

// Close ends the watch and waits until nothing of it is left.
func (w *Watcher) Close() {
	w.end(ErrClosed)
	w.cancel()
	w.all.Wait()
}

// end notes why the watch is over.
func (w *Watcher) end(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause == nil {
		w.cause = cause
	}
	for c := range w.consumers {
		c.poke()
	}
}

// apply runs a step of the core and hands its changes to the consumers.
func (w *Watcher) apply(step func(*core)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	step(w.core)
	w.share()
}

// share hands out what the core has changed. Called under mu.
func (w *Watcher) share() {
	changes := w.core.take()
	if len(changes) == 0 {
		return
	}
	for c := range w.consumers {
		c.push(changes, w.buffer)
	}
}

func (c *consumer) push(changes []Change, room int) {
	switch {
	case c.whole:
		c.lost += uint64(len(changes)) // what it gets next holds them
	case len(c.queue)+len(changes) > room:
		c.lost += uint64(len(c.queue) + len(changes))
		c.queue, c.whole = nil, true
	default:
		c.queue = append(c.queue, changes...)
	}
	c.poke()
}

func (c *consumer) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Changes iterates, once, over the current objects, as OpAdd, and then over every change, until ctx is done (its error), the
// watcher is closed (ErrClosed) or its cluster is. A node's objects follow its *Node and end with an OpSynced if they are
// not stale. The iteration begins at the state in which Changes is called: nothing is missing in between, and nothing comes twice.
// Until it is iterated over, or ctx is done, changes wait.
//
// It costs a pointer for each object at the beginning and 120 bytes for each change that waits, at most Options.Buffer of
// them. A consumer that is further behind gets an OpReset and then the current objects; it never holds up the watcher or
// another one.
func (w *Watcher) Changes(ctx context.Context) iter.Seq2[Change, error] {
	c := &consumer{wake: make(chan struct{}, 1)}
	w.mu.Lock()
	c.begin = w.core.everything(nil)
	w.consumers[c] = struct{}{}
	w.mu.Unlock()
	leave := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.consumers, c)
	}
	unwatch := context.AfterFunc(ctx, leave)
	return func(yield func(Change, error) bool) {
		defer leave()
		defer unwatch()
		for {
			batch, err := w.next(c)
			for _, ch := range batch {
				if !yield(ch, nil) {
					return
				}
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			if len(batch) > 0 {
				continue
			}
			select {
			case <-c.wake:
			case <-ctx.Done():
				yield(Change{}, ctx.Err())
				return
			}
		}
	}
}

// next takes what waits for a consumer. The error comes with the last of it.
func (w *Watcher) next(c *consumer) ([]Change, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := c.queue
	if c.whole {
		batch = w.core.everything([]Change{{Op: OpReset, Lost: c.lost, Time: time.Now()}})
	}
	batch = append(c.begin, batch...)
	c.begin, c.queue, c.whole, c.lost = nil, nil, false, 0
	return batch, w.cause
}

// everything appends all there is as changes.
func (c *core) everything(dst []Change) []Change {
	for _, s := range c.servers {
		if s.node == nil {
			continue
		}
		s.objects(func(o Object) {
			if c.wants(o.Kind()) {
				dst = append(dst, Change{Op: OpAdd, Node: s.name, Object: o, Time: s.when})
			}
		})
		if !s.node.Stale {
			dst = append(dst, Change{Op: OpSynced, Node: s.name, Object: s.node, Time: s.when})
		}
	}
	return dst
}
