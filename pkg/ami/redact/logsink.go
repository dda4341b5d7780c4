package redact

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of [LogSinkOptions].
const (
	DefaultQueue        = 1024            // records
	DefaultQueueBytes   = 4 << 20         // estimated, of all waiting records
	DefaultCloseTimeout = 2 * time.Second // Close's patience with the handler
)

// LogSinkOptions are what a [LogSink] may be told. Zero fields take the documented defaults.
type LogSinkOptions struct {
	Queue        int           // records that may wait
	QueueBytes   int           // bytes that waiting records may hold, estimated
	CloseTimeout time.Duration // how long Close waits for the handler
	Redactor     *Redactor     // nil: records are passed on as they are
	// Level is the lowest level that is queued. If nil, the handler is asked once, by NewLogSink; give the handler's
	// own LevelVar if it changes. A record that was queued is passed on only if the handler is enabled for it.
	Level slog.Leveler
}

// A LogSink is a slog.Handler that puts records into a bounded queue, from which one goroutine hands them to another
// handler. It never blocks the caller, whatever that handler does: when the queue is full the record is dropped and
// counted, and a later record says how many are missing in its place. A handler that panics loses that record only; one
// that blocks stops the log only. Records that are given to the sink must not refer to what changes later, as their
// values are printed in that goroutine.
type LogSink struct {
	q    *logQueue
	node *logNode
}

// NewLogSink returns a sink in front of h and starts its goroutine, which Close ends.
func NewLogSink(h slog.Handler, o LogSinkOptions) *LogSink {
	if o.Queue <= 0 {
		o.Queue = DefaultQueue
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = DefaultQueueBytes
	}
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = DefaultCloseTimeout
	}
	if o.Level == nil {
		o.Level = lowestLevel(h)
	}
	q := &logQueue{o: o, wake: make(chan struct{}, 1), done: make(chan struct{})}
	q.root = &logNode{handler: h}
	go q.run()
	return &LogSink{q: q, node: q.root}
}

// lowestLevel asks a handler what it is enabled for; a handler that panics is taken to want Info.
func lowestLevel(h slog.Handler) (level slog.Level) {
	defer func() {
		if recover() != nil {
			level = slog.LevelInfo
		}
	}()
	for level = slog.LevelDebug - 8; level < slog.LevelError+8; level++ {
		if h.Enabled(context.Background(), level) {
			break
		}
	}
	return level
}

// Enabled reports whether records of the level are queued. It does not ask the handler, which might block.
func (s *LogSink) Enabled(_ context.Context, level slog.Level) bool {
	return level >= s.q.o.Level.Level()
}

// Handle queues the record, or drops and counts it. It does not block and always returns nil.
func (s *LogSink) Handle(ctx context.Context, rec slog.Record) error {
	s.q.put(logEntry{ctx: context.WithoutCancel(ctx), rec: rec.Clone(), node: s.node, size: recordSize(rec)})
	return nil
}

// WithAttrs returns a handler on the same queue whose records have the attributes.
func (s *LogSink) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return s
	}
	return &LogSink{q: s.q, node: &logNode{parent: s.node, attrs: append([]slog.Attr(nil), attrs...), groups: s.node.groups}}
}

// WithGroup returns a handler on the same queue that puts the attributes that follow into a group.
func (s *LogSink) WithGroup(name string) slog.Handler {
	if name == "" {
		return s
	}
	groups := append(s.node.groups[:len(s.node.groups):len(s.node.groups)], name)
	return &LogSink{q: s.q, node: &logNode{parent: s.node, group: name, groups: groups}}
}

// Dropped returns how many records the handler was never given because the queue was full or the sink closed.
func (s *LogSink) Dropped() uint64 { return s.q.dropped.Load() }

// Failed returns how many records the handler panicked over or returned an error for.
func (s *LogSink) Failed() uint64 { return s.q.failed.Load() }

// Close passes on what is queued and ends the sink's goroutine. A handler that takes longer than the close timeout is
// abandoned: the rest is dropped, the goroutine ends once the handler returns, and Close returns an error. Records
// after Close are dropped. A second Close waits likewise.
func (s *LogSink) Close() error { return s.q.close() }

// recordSize estimates what a record holds on to, in bytes.
func recordSize(rec slog.Record) int {
	n := 256 + len(rec.Message)
	rec.Attrs(func(a slog.Attr) bool {
		n += 64 + len(a.Key)
		switch a.Value.Kind() {
		case slog.KindString:
			n += len(a.Value.String())
		case slog.KindAny:
			if b, ok := a.Value.Any().([]byte); ok {
				n += len(b)
			}
		}
		return true
	})
	return n
}

// A logNode is one step of With: attributes or a group added to its parent's handler. The handler is made by the
// sink's goroutine when the first record needs it, as making it runs the user's code.
type logNode struct {
	parent *logNode
	attrs  []slog.Attr
	group  string
	groups []string // all open groups, for the redactor

	handler slog.Handler // owned by the sink's goroutine
}

type logEntry struct {
	ctx  context.Context
	rec  slog.Record
	node *logNode
	size int
	lost uint64 // records dropped just before this one
}

// A logQueue is what the sinks of one NewLogSink share.
type logQueue struct {
	o    LogSinkOptions
	root *logNode
	wake chan struct{} // capacity 1: something changed
	done chan struct{} // closed when the goroutine has ended

	dropped atomic.Uint64
	failed  atomic.Uint64

	mu        sync.Mutex // guards what follows; nothing else is done under it
	entries   []logEntry
	head      int // entries before it are taken
	bytes     int
	lost      uint64 // dropped since the last entry
	closed    bool
	abandoned bool
}

func (q *logQueue) put(e logEntry) {
	q.mu.Lock()
	if q.closed || len(q.entries)-q.head >= q.o.Queue || q.bytes+e.size > q.o.QueueBytes {
		q.lost++
		q.dropped.Add(1)
		q.mu.Unlock()
		return
	}
	if q.head > 0 && len(q.entries) == cap(q.entries) {
		n := copy(q.entries, q.entries[q.head:])
		clear(q.entries[n:])
		q.entries, q.head = q.entries[:n], 0
	}
	e.lost, q.lost = q.lost, 0
	q.entries = append(q.entries, e)
	q.bytes += e.size
	q.mu.Unlock()
	q.signal()
}

func (q *logQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes the oldest entry. Without one, e.lost says what was dropped since the last, and more whether any can come.
func (q *logQueue) take() (e logEntry, ok, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.entries) || q.abandoned {
		e.lost, q.lost = q.lost, 0
		if q.abandoned {
			e.lost = 0
		}
		return e, false, !q.closed
	}
	e = q.entries[q.head]
	q.entries[q.head] = logEntry{}
	q.head++
	q.bytes -= e.size
	if q.head == len(q.entries) {
		q.entries, q.head = nil, 0 // an idle sink holds nothing
	}
	return e, true, true
}

// run is the sink's goroutine.
func (q *logQueue) run() {
	over := false
	defer func() {
		if over {
			close(q.done)
		} else { // the handler ended this goroutine
			go q.run()
		}
	}()
	for {
		e, ok, more := q.take()
		if e.lost > 0 {
			rec := slog.NewRecord(time.Now(), slog.LevelWarn, "log records were dropped", 0)
			rec.AddAttrs(slog.Uint64("dropped", e.lost))
			q.pass(logEntry{ctx: context.Background(), rec: rec, node: q.root})
		}
		switch {
		case ok:
			q.pass(e)
		case !more:
			over = true
			return
		case e.lost == 0:
			<-q.wake
		}
	}
}

// pass hands one record to the user's handler.
func (q *logQueue) pass(e logEntry) {
	ok := false
	defer func() {
		if recover() != nil || !ok {
			q.failed.Add(1)
		}
	}()
	h := q.handler(e.node)
	if !h.Enabled(e.ctx, e.rec.Level) {
		ok = true
		return
	}
	ok = h.Handle(e.ctx, q.redact(e)) == nil
}

func (q *logQueue) redact(e logEntry) slog.Record {
	r := q.o.Redactor
	if r == nil {
		return e.rec
	}
	clean := slog.NewRecord(e.rec.Time, e.rec.Level, r.Text(e.rec.Message), e.rec.PC)
	e.rec.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(r.Attr(e.node.groups, a))
		return true
	})
	return clean
}

// handler returns the user's handler with a node's attributes and groups.
func (q *logQueue) handler(n *logNode) slog.Handler {
	if n.handler != nil {
		return n.handler
	}
	h := q.handler(n.parent)
	if n.group != "" {
		n.handler = h.WithGroup(n.group)
		return n.handler
	}
	attrs := n.attrs
	if r := q.o.Redactor; r != nil {
		attrs = make([]slog.Attr, len(n.attrs))
		for i, a := range n.attrs {
			attrs[i] = r.Attr(n.groups, a)
		}
	}
	n.handler = h.WithAttrs(attrs)
	return n.handler
}

func (q *logQueue) close() error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	t := time.NewTimer(q.o.CloseTimeout)
	defer t.Stop()
	select {
	case <-q.done:
		return nil
	case <-t.C:
	}
	q.mu.Lock()
	left := len(q.entries) - q.head
	q.abandoned = true
	q.entries, q.head, q.bytes = nil, 0, 0
	q.mu.Unlock()
	q.dropped.Add(uint64(left))
	return fmt.Errorf("ami: log sink: close: the handler is busy for over %v; %d records dropped", q.o.CloseTimeout, left)
}
