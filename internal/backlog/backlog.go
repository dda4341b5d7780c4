// Package backlog keeps the events of a subscription that their consumer has not taken yet: in the subscription's buffers, then in a
// spool on disk, in order, with the gaps between them.
package backlog

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/internal/packed"
	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
)

const (
	// spoolFrom is from which part on of what one node may have in a subscription's buffers events move on to disk, over all
	// nodes: a quarter, which is far more than Throttle needs, so that the server is slowed down first.
	spoolFrom = 4

	// spoolCheck is the time between two looks at these buffers while memory is full. A flood fills some megabytes meanwhile.
	spoolCheck = 5 * time.Millisecond
)

// Options of a backlog.
type Options struct {
	RingEvents, RingBytes int // what one node may have in the subscription's buffers

	Full func(error) // is told that the spool takes no more, once until it has been emptied; see DiskError
	Left func()      // is called when no more events are taken from the subscription
}

// A Backlog moves a subscription's events to a spool, on a goroutine of its own, so that no consumer is too slow for them until
// the spool is full. From then on the subscription's buffers fill up and drop their oldest events, with a mark in their place.
type Backlog struct {
	o     Options
	sub   *ami.Subscription
	queue *spool.Spool
	stop  context.CancelFunc // ends taking
	ended chan struct{}      // closed when nothing more is put into the queue
	gaps  atomic.Int64       // that are in the queue

	packed []byte // the mover's own
	said   bool   // what is wrong with the disk

	event packed.Reader // the consumer's own
	err   error         // of the queue
}

// New begins to move events from a subscription to a spool, until ctx is done or Stop. It closes the subscription then.
func New(ctx context.Context, sub *ami.Subscription, queue *spool.Spool, o Options) *Backlog {
	ctx, stop := context.WithCancel(ctx)
	b := &Backlog{o: o, sub: sub, queue: queue, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		b.move(ctx)
		sub.Close()
		queue.End()
		if o.Left != nil {
			o.Left()
		}
	}()
	return b
}

// Stop takes no more events from the subscription. What was taken is still handed out, and io.EOF behind it.
func (b *Backlog) Stop() { b.stop() }

// Close gives up what is left, and the spool.
func (b *Backlog) Close() {
	b.stop()
	b.queue.Close()
	<-b.ended
}

// move takes events until ctx is done, or the spool is closed.
func (b *Backlog) move(ctx context.Context) {
	events := NewTap(ctx, b.sub)
	for {
		ev, ok := events.PollBorrowed()
		if !ok {
			b.queue.Flush()
			if b.said && b.queue.Stats().Disk == 0 { // what went wrong is over
				b.said = false
			}
			var err error
			if ev, err = events.NextBorrowed(ctx); err != nil {
				return
			}
		}
		if b.put(ev) != nil {
			return
		}
	}
}

// put appends an event, and waits for room as long as that takes. Its error is that the spool is closed.
func (b *Backlog) put(ev *ami.Event) error {
	if ev.Gap != nil {
		b.gaps.Add(1)
	}
	b.packed = packed.Append(b.packed[:0], ev)
	for {
		err := b.queue.Append(b.packed)
		if !errors.Is(err, spool.ErrMemory) {
			return err
		}
		if err := b.makeRoom(); err != nil {
			return err
		}
	}
}

// makeRoom waits until the reader has made room in memory, and moves what is there to disk when the subscription would soon
// have none.
func (b *Backlog) makeRoom() error {
	for !b.queue.HasRoom() {
		wait := spoolCheck
		if st := b.sub.Stats(); st.QueuedBytes > uint64(b.o.RingBytes)/spoolFrom || st.Queued > uint64(b.o.RingEvents)/spoolFrom {
			err := b.queue.Spill()
			if !errors.Is(err, spool.ErrFull) {
				return err
			}
			b.sayOnce(err)
			wait = time.Second
		}
		if err := b.queue.AwaitRoom(context.Background(), wait); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backlog) sayOnce(err error) {
	if !b.said {
		b.said = true
		b.o.Full(err)
	}
}

// DiskError is what the disk said when it took no more, nil if there was a bound that was reached.
func DiskError(full error) error {
	if full == spool.ErrFull { //nolint:errorlint // and nothing else
		return nil
	}
	var path *fs.PathError
	if errors.As(full, &path) {
		return path.Err // the file has no name
	}
	return full
}

// PollBorrowed returns the next event if there is one. It is valid until the next call.
func (b *Backlog) PollBorrowed() (*ami.Event, bool) {
	record, ok, err := b.queue.Poll()
	if !ok {
		b.err = err
		return nil, false
	}
	return b.take(record), true
}

// NextBorrowed waits for the next event, until ctx is done. Its error is io.EOF behind the last one, spool.ErrClosed, or a
// *spool.LostError, behind which it goes on.
func (b *Backlog) NextBorrowed(ctx context.Context) (*ami.Event, error) {
	if err := b.err; err != nil {
		b.err = nil
		return nil, err
	}
	record, err := b.queue.Next(ctx)
	if err != nil {
		return nil, err
	}
	return b.take(record), nil
}

func (b *Backlog) take(record []byte) *ami.Event {
	ev := b.event.Event(record)
	if ev.Gap != nil {
		b.gaps.Add(-1)
	}
	return ev
}

// HoldsGaps reports whether gaps wait, or may have been lost on the disk: the records of a *spool.LostError are then not the number of
// lost events.
func (b *Backlog) HoldsGaps() bool { return b.gaps.Load() > 0 }
