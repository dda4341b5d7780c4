package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
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

// A spooler moves a subscription's events to a spool, on a goroutine of its own, so that no consumer is too slow for them until
// the spool is full. From then on the subscription's buffers fill up and drop their oldest events, with a mark in their place.
type spooler struct {
	run   *run.Run
	sub   *ami.Subscription
	rings buffers
	queue *spool.Spool
	stop  context.CancelFunc // ends taking
	over  sync.Once          // see finish
	ended chan struct{}      // closed when nothing more is put into the queue
	said  bool               // what is wrong with the disk

	packed []byte // the mover's own
	event  packed.Reader
	err    error // of the queue
}

// openSpool makes the spool of --spool, before there is anything to put into it.
func (t *tailer) openSpool() error {
	size := t.options.spool
	if !size.Given {
		return nil
	}
	if len(t.options.from) > 0 {
		return fail.Usage("a file waits until its events are read", "--spool is for servers, and --from reads a file")
	}
	if size.Value < spool.LeastDisk {
		return fail.Usage("such as --spool 1G", "--spool is less than 1M")
	}
	dir, _ := t.run.Env("TMPDIR")
	var err error
	if t.spool, err = spool.New(spool.Options{Dir: dir, Disk: size.Value}); err != nil {
		return fail.Usage("TMPDIR names the folder of its files", "--spool: %v", errors.Unwrap(err))
	}
	return nil
}

// spoolEvents begins to move events from a subscription to the spool, until ctx is done. leave is called when no more are taken.
func (t *tailer) spoolEvents(ctx context.Context, sub *ami.Subscription, leave func()) *spooler {
	ctx, stop := context.WithCancel(ctx)
	s := &spooler{run: t.run, sub: sub, rings: t.rings, queue: t.spool, stop: stop, ended: make(chan struct{})}
	t.run.Patience.Store(run.UntilAnother) // what is in the spool is written before the run ends
	go func() {
		defer close(s.ended)
		s.move(ctx)
		sub.Close()
		s.queue.End()
		leave()
	}()
	return s
}

// move takes events until ctx is done, or the spool is closed.
func (s *spooler) move(ctx context.Context) {
	events := &tap{Subscription: s.sub, ctx: ctx}
	for {
		ev, ok := events.PollBorrowed()
		if !ok {
			s.queue.Flush()
			var err error
			if ev, err = events.NextBorrowed(ctx); err != nil {
				return
			}
		}
		if s.put(ev) != nil {
			return
		}
	}
}

// put appends an event, and waits for room as long as that takes. Its error is that the spool is closed.
func (s *spooler) put(ev *ami.Event) error {
	s.packed = packed.Append(s.packed[:0], ev)
	for {
		err := s.queue.Append(s.packed)
		if !errors.Is(err, spool.ErrMemory) {
			return err
		}
		if err := s.makeRoom(); err != nil {
			return err
		}
	}
}

// makeRoom waits until the reader has made room in memory, and moves what is there to disk when the subscription would soon
// have none.
func (s *spooler) makeRoom() error {
	for !s.queue.HasRoom() {
		wait := spoolCheck
		if st := s.sub.Stats(); st.QueuedBytes > uint64(s.rings.bytes)/spoolFrom || st.Queued > uint64(s.rings.events)/spoolFrom {
			err := s.queue.Spill()
			if !errors.Is(err, spool.ErrFull) {
				return err
			}
			s.sayOnce(err)
			wait = time.Second
		}
		if err := s.queue.AwaitRoom(context.Background(), wait); err != nil {
			return err
		}
	}
	return nil
}

// sayOnce says that the spool takes no more, and why.
func (s *spooler) sayOnce(err error) {
	if s.said {
		return
	}
	s.said = true
	if err == spool.ErrFull { //nolint:errorlint // and nothing else
		s.run.Note("--spool: it is full; from here on events are dropped, until there is space again")
		return
	}
	s.run.Note("--spool: %v; what it holds is kept, and until the disk accepts more, only memory is left", reason(err))
}

// reason is what the disk said.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err // the file has no name
	}
	return err
}

// PollBorrowed returns the next event if there is one. It is valid until the next call.
func (s *spooler) PollBorrowed() (*ami.Event, bool) {
	record, ok, err := s.queue.Poll()
	if !ok {
		s.err = err
		return nil, false
	}
	return s.event.Event(record), true
}

// NextBorrowed waits for the next event, until ctx is done. Its error is io.EOF behind the last one.
func (s *spooler) NextBorrowed(ctx context.Context) (*ami.Event, error) {
	if err := s.err; err != nil {
		s.err = nil
		return nil, spoolError(err)
	}
	record, err := s.queue.Next(ctx)
	if err != nil {
		return nil, spoolError(err)
	}
	return s.event.Event(record), nil
}

// spoolError is what a spool that lost something ends a tail with: the disk cannot be relied upon.
func spoolError(err error) error {
	var lost *spool.LostError
	if !errors.As(err, &lost) {
		return err
	}
	return &fail.Error{Code: fail.CodeGap, Message: fmt.Sprintf("--spool: %s lost on the disk: %v", fail.Were(lost.Records, "event"), lost.Err), Hint: "the disk of its folder is failing; TMPDIR names another one"}
}

// finish ends taking when ctx has ended. What was taken by a signal, --for or --until is still written: whoever sent the signal may
// send a second one. --deadline is for the whole run, and ends this as well.
func (s *spooler) finish(ctx context.Context) { s.over.Do(func() { s.finishOnce(ctx) }) }

func (s *spooler) finishOnce(ctx context.Context) {
	s.stop()
	n := s.queue.Stats().Waiting
	switch {
	case errors.Is(context.Cause(ctx), errForIsOver):
	case run.BySignal(ctx):
		if n > 0 {
			s.run.Note("--spool: still writing the more than %d events in it; a second signal gives them up", n)
		}
	default:
		s.queue.Close()
		if n > 0 {
			s.run.Note("--spool: the more than %d events in it are not shown: the time is up", n)
		}
	}
}

// drain takes what is left in the spool when ctx has ended what follow did with err.
func (t *tailer) drain(ctx context.Context, s *spooler, err error) error {
	ended := ctx.Err()
	if ended != nil {
		s.finish(ctx)
	}
	for ended != nil {
		var ev *ami.Event
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, spool.ErrClosed):
			return ended
		case err != nil && !errors.Is(err, ended):
			return err
		}
		if ev, err = s.NextBorrowed(context.Background()); err == nil {
			err = t.take(ev)
		}
	}
	return err
}

// close gives up what is left, and says how much of the disk it took.
func (s *spooler) close() {
	s.stop()
	s.queue.Close()
	<-s.ended
	if most := s.queue.Stats().PeakDisk; most > 0 {
		s.run.Note("--spool: at most %.1f MiB were on disk", float64(most)/(1<<20))
	}
}
