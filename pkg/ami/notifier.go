package ami

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// notifierQueue is how many notes may wait for a slow hook.
const notifierQueue = 1024

// closeGrace bounds how long Close waits for a hook or log handler that blocks.
const closeGrace = time.Second

// A notifier calls the user's hooks from a goroutine of its own, so that one which blocks or panics touches nobody.
// What overflows is dropped and counted.
type notifier struct {
	log     *slog.Logger
	notes   chan func()
	done    chan struct{}
	dropped atomic.Uint64
	panics  atomic.Uint64

	mu     sync.Mutex
	closed bool // guarded by mu, so that nothing is sent on a closed channel
}

func newNotifier(log *slog.Logger) *notifier {
	n := &notifier{log: log, notes: make(chan func(), notifierQueue), done: make(chan struct{})}
	go n.run()
	return n
}

func (n *notifier) run() {
	over := false
	defer func() {
		if over {
			close(n.done)
		} else { // a hook ended this goroutine
			n.panics.Add(1)
			go n.run()
		}
	}()
	for note := range n.notes {
		n.call(note)
	}
	over = true
}

func (n *notifier) call(note func()) {
	defer func() {
		if p := recover(); p != nil {
			n.panics.Add(1)
			n.log.Error("a hook panicked", "panic", p)
		}
	}()
	note()
}

// post queues a note, or drops it.
func (n *notifier) post(note func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	select {
	case n.notes <- note: // never blocks: there is a default
	default:
		n.dropped.Add(1)
	}
}

// close lets what is queued finish, within closeGrace.
func (n *notifier) close() {
	n.mu.Lock()
	if !n.closed {
		n.closed = true
		close(n.notes)
	}
	n.mu.Unlock()
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-n.done:
	case <-grace.C:
	}
}
