package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apntalk/amictl/internal/backlog"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
)

// A spooler is a tail's backlog.
type spooler struct {
	*backlog.Backlog
	run   *run.Run
	queue *spool.Spool
	over  sync.Once // see finish
}

// openSpool makes the spool of --spool, before there is anything to put into it.
func (t *tailer) openSpool() (err error) {
	if !t.options.spool.Given {
		return nil
	}
	if len(t.options.from) > 0 {
		return fail.Usage("a file waits until its events are read", "--spool is for servers, and --from reads a file")
	}
	t.spool, _, err = target.Spool(t.run, t.options.spool)
	return err
}

// spoolEvents begins to move events from a subscription to the spool, until ctx is done. leave is called when no more are taken.
func (t *tailer) spoolEvents(ctx context.Context, sub *ami.Subscription, leave func()) *spooler {
	t.run.Patience.Store(run.UntilAnother) // what is in the spool is written before the run ends
	s := &spooler{run: t.run, queue: t.spool}
	s.Backlog = backlog.New(ctx, sub, t.spool, backlog.Options{RingEvents: t.rings.events, RingBytes: t.rings.bytes, Full: s.full, Left: leave})
	return s
}

// full says that the spool takes no more, and why.
func (s *spooler) full(err error) {
	if err = backlog.DiskError(err); err == nil {
		s.run.Note("--spool: it is full; from here on events are dropped, until there is space again")
		return
	}
	s.run.Note("--spool: %v; what it holds is kept, and until the disk accepts more, only memory is left", err)
}

// NextBorrowed waits for the next event, until ctx is done. Its error is io.EOF behind the last one.
func (s *spooler) NextBorrowed(ctx context.Context) (*ami.Event, error) {
	ev, err := s.Backlog.NextBorrowed(ctx)
	if err != nil {
		return nil, spoolError(err)
	}
	return ev, nil
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

// unsaid is how many events are written before anybody could read that they are.
const unsaid = 256

func (s *spooler) finishOnce(ctx context.Context) {
	s.Stop()
	n := s.queue.Stats().Waiting
	switch {
	case errors.Is(context.Cause(ctx), errForIsOver):
	case run.BySignal(ctx):
		if n > unsaid {
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
	s.Close()
	if most := s.queue.Stats().PeakDisk; most > 0 {
		s.run.Note("--spool: at most %.1f MiB were on disk", float64(most)/(1<<20))
	}
}
