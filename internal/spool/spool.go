// Package spool is a queue of records in order: in memory while there is room, then on disk, bounded on both. It belongs to
// one process and does not outlive it. What it wrote to disk is checked when it is read again.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultMemory is how many bytes a spool holds in memory.
	DefaultMemory = 1 << 20

	// LeastDisk is the smallest bound on disk, in bytes.
	LeastDisk = 1 << 20

	// retryAfter is when a disk that refused a block is tried again although nothing was read meanwhile: somebody else may have
	// made room.
	retryAfter = time.Second
)

var (
	// ErrMemory: there is no room in memory. Spill moves to disk, AwaitRoom waits for the reader.
	ErrMemory = errors.New("spool: memory is full")

	// ErrFull: the bound on disk is reached, or the disk took no more. Nothing was added, and nothing is lost.
	ErrFull = errors.New("spool: full")

	// ErrClosed is what a closed spool returns.
	ErrClosed = errors.New("spool: closed")
)

// A LostError says that records on disk cannot be read again: the disk failed, or returned something else than was written.
type LostError struct {
	Records uint64
	Err     error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("spool: %d records cannot be read again: %v", e.Records, e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// Options of a spool.
type Options struct {
	Dir    string // of its files; empty: DefaultDir
	Disk   int64  // most bytes that its files take, at least LeastDisk
	Memory int    // bytes held in memory, roughly; 0: DefaultMemory

	// Shared bounds the files of several spools together, beside Disk; nil: nothing does.
	Shared *Limit
}

// A Limit bounds what the files of several spools take together. It is safe for concurrent use.
type Limit struct{ left atomic.Int64 }

// NewLimit returns a limit of so many bytes.
func NewLimit(bytes int64) *Limit {
	l := &Limit{}
	l.left.Store(bytes)
	return l
}

// take takes bytes, unless there are fewer.
func (l *Limit) take(n int64) bool {
	if l != nil && l.left.Add(-n) < 0 {
		l.left.Add(n)
		return false
	}
	return true
}

func (l *Limit) give(n int64) {
	if l != nil {
		l.left.Add(n)
	}
}

// A Spool is for one goroutine that appends and one that reads, at the same time. Close is for anybody.
type Spool struct {
	memory int
	disk   disk
	done   chan struct{} // closed by Close
	once   sync.Once
	more   chan struct{} // room for one: there is something to read, or the end
	room   chan struct{} // room for one: the reader has freed something

	mu     sync.Mutex // guards all below, and what blocks and segments say is; held for no I/O
	open   *block     // that is being filled; nil: none
	queue  []*block   // in memory, full, before what is on disk
	held   int        // bytes of all blocks in memory but the open one, and the reader's
	free   []*block
	ended  bool
	figure Stats

	// The reader's own.
	block *block // being read; changed under mu
	at    int    // in it
	until int    // as far as it is known to be published
}

// Stats are a spool's figures.
type Stats struct {
	Waiting  uint64 // records that were published and not read yet
	Lost     uint64 // records that could not be read again
	Disk     int64  // bytes that its files take now
	PeakDisk int64  // and took at most
}

// New makes an empty spool, and tries whether its folder takes a file.
func New(o Options) (*Spool, error) {
	if o.Disk < LeastDisk {
		return nil, fmt.Errorf("spool: a bound of %d bytes, below the least of %d", o.Disk, int64(LeastDisk))
	}
	if o.Dir == "" {
		o.Dir = DefaultDir()
	}
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	s := &Spool{
		memory: o.Memory, disk: disk{dir: o.Dir, limit: o.Disk, shared: o.Shared, create: newFile},
		done: make(chan struct{}), more: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	f, err := newFile(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return s, f.Close()
}

// Append adds a record behind the others; the reader sees it at the next Flush. ErrMemory: there is no room, and the record
// was not added; what was appended before is published.
func (s *Spool) Append(record []byte) error {
	if len(record) > math.MaxInt32-recordHead {
		return fmt.Errorf("spool: a record of %d bytes, over the limit of 2 GiB", len(record))
	}
	if s.open != nil && s.open.fits(len(record)) { // open is changed by this goroutine alone
		s.open.add(record)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed() {
		return ErrClosed
	}
	if s.open != nil {
		s.publish()
		if !s.keeps() {
			return ErrMemory
		}
		s.seal()
	}
	s.open = s.fresh(len(record))
	s.open.add(record)
	return nil
}

// Flush lets the reader see what was appended.
func (s *Spool) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish()
}

// publish is Flush, called under mu.
func (s *Spool) publish() {
	b := s.open
	if b == nil || b.published == b.written {
		return
	}
	s.figure.Waiting += uint64(b.records - b.shown)
	b.published, b.shown = b.written, b.records
	notify(s.more)
}

// seal puts the open block, which is full, behind the others in memory. Called under mu.
func (s *Spool) seal() {
	b := s.open
	b.sealed = true
	s.held += len(b.text)
	if s.block != b { // or the reader has it already
		s.queue = append(s.queue, b)
	}
	s.open = nil
}

// keeps reports whether memory has room for the open block. What the reader has come to is always kept. Called under mu.
func (s *Spool) keeps() bool {
	return s.disk.empty() && (len(s.queue) == 0 || s.held+len(s.open.text) <= s.memory)
}

// fresh returns an empty block for a record of that size. Called under mu.
func (s *Spool) fresh(size int) *block {
	if last := len(s.free) - 1; last >= 0 && blockHead+recordHead+size <= blockSize {
		b := s.free[last]
		s.free = s.free[:last]
		return b
	}
	return newBlock(size)
}

// HasRoom reports whether memory has room for more, so that Append needs no Spill.
func (s *Spool) HasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open == nil || s.keeps()
}

// Spill writes what was appended last to disk, which makes room for the next record. An error that is ErrFull as well says that the
// bound is reached or what the disk said; what was to be written is still in memory, and Spill may be called again.
func (s *Spool) Spill() error {
	s.mu.Lock()
	b := s.open
	if s.closed() {
		s.mu.Unlock()
		return ErrClosed
	}
	if b == nil || s.keeps() { // the reader was faster
		s.mu.Unlock()
		return nil
	}
	s.publish()
	to, err := s.disk.reserve(b)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	err = s.disk.write(&to, b)
	emptied, err := s.wrote(to, b, err)
	closeAll(emptied)
	return err
}

// wrote books that the open block was written to disk, or was not. It returns segments to close.
func (s *Spool) wrote(to place, b *block, failed error) (emptied []*segment, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer notify(s.more)
	err = s.disk.wrote(to, failed)
	switch {
	case s.closed():
		return s.disk.clear(), ErrClosed
	case err != nil:
		return s.disk.trim(), err
	}
	s.figure.PeakDisk = max(s.figure.PeakDisk, s.disk.used)
	s.open = nil
	s.keep(b)
	return nil, nil
}

// keep puts an emptied block aside. Called under mu.
func (s *Spool) keep(b *block) {
	if len(b.text) == blockSize && len(s.free) < mostFree {
		b.reset()
		s.free = append(s.free, b)
	}
}

// AwaitRoom returns when the reader has freed something, a disk that refused a block may be tried again, or after a time (nil),
// or when ctx is done or the spool closed.
func (s *Spool) AwaitRoom(ctx context.Context, most time.Duration) error {
	t := time.NewTimer(min(most, retryAfter))
	defer t.Stop()
	select {
	case <-s.room:
	case <-t.C:
	case <-s.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// End says that nothing more is appended: behind the last record Next returns io.EOF.
func (s *Spool) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish()
	s.ended = true
	notify(s.more)
}

// Poll is Next without waiting: ok is false if nothing is at hand, and there may be an error.
func (s *Spool) Poll() (record []byte, ok bool, err error) {
	for s.at == s.until {
		if ok, err := s.advance(); !ok {
			return nil, false, err
		}
	}
	record, s.at = s.block.record(s.at)
	return record, true, nil
}

// Next returns the oldest record, borrowed until the next call of Next or Poll. It waits until there is one, ctx is done (its
// error), the spool was ended (io.EOF) or closed (ErrClosed). A *LostError names records that cannot be read; Next then goes
// on behind them.
func (s *Spool) Next(ctx context.Context) ([]byte, error) {
	for {
		if record, ok, err := s.Poll(); ok || err != nil {
			return record, err
		}
		select {
		case <-s.more:
		case <-s.done:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// advance moves the reader to where there is more to read, and reports whether there is.
func (s *Spool) advance() (bool, error) {
	s.mu.Lock()
	if s.closed() {
		s.mu.Unlock()
		return false, ErrClosed
	}
	s.leave()
	switch {
	case s.block != nil: // it is the open one, all of which has been read
	case len(s.queue) > 0:
		s.block = s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
	case s.disk.unread > 0:
		from, b := s.disk.first(), s.fresh(0)
		s.mu.Unlock()
		return s.load(from, b)
	case s.disk.writing: // the open block
	case s.open != nil && s.open.published > 0:
		s.block = s.open
	}
	defer s.mu.Unlock()
	if s.block == nil {
		return false, s.over()
	}
	s.enter()
	if s.at == s.until {
		return false, s.over()
	}
	return true, nil
}

// over is io.EOF when nothing more comes after what the reader has read. Called under mu.
func (s *Spool) over() error {
	if s.ended && !s.disk.writing {
		return io.EOF
	}
	return nil
}

// leave gives up a block of which all is read and nothing more comes. Called under mu.
func (s *Spool) leave() {
	b := s.block
	if b == nil || !b.sealed || s.at < b.published {
		return
	}
	if !b.loaded {
		s.held -= len(b.text)
	}
	s.keep(b)
	s.block, s.at, s.until = nil, 0, 0
	notify(s.room)
}

// enter reads on in the reader's block, as far as it is published. Called under mu.
func (s *Spool) enter() {
	b := s.block
	s.at = max(s.at, blockHead)
	s.until = b.published
	s.figure.Waiting -= uint64(b.shown - b.entered)
	b.entered = b.shown
}

// load reads a block from disk into b.
func (s *Spool) load(from place, b *block) (bool, error) {
	if from.size > len(b.text) {
		b = newBlock(from.size)
	}
	err := s.disk.read(from, b)
	emptied, err := s.loaded(from, b, err)
	closeAll(emptied)
	return err == nil, err
}

// loaded books that a block was read from disk, or could not be. It returns segments to close.
func (s *Spool) loaded(from place, b *block, failed error) (emptied []*segment, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed() {
		return nil, ErrClosed
	}
	s.disk.drop(from)
	emptied = s.disk.trim()
	notify(s.room)
	if failed != nil {
		s.keep(b)
		s.figure.Waiting -= uint64(from.records)
		s.figure.Lost += uint64(from.records)
		return emptied, &LostError{Records: uint64(from.records), Err: failed}
	}
	b.published, b.shown, b.sealed, b.loaded = from.size, from.records, true, true
	s.block = b
	s.enter()
	return emptied, nil
}

// Stats returns the figures.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.figure
	f.Disk = s.disk.used
	return f
}

// Close gives up what is left, and frees the disk.
func (s *Spool) Close() {
	var emptied []*segment
	s.once.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.done)
		s.queue, s.free = nil, nil
		emptied = s.disk.clear() // what is being written or read at this moment fails
	})
	closeAll(emptied)
}

func (s *Spool) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
