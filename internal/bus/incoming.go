package bus

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/apntalk/amictl/internal/backlog"
	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
)

// incoming is a node's events, as they wait for the bus: in the subscription's buffers, and then in the spool if there is one. It ends
// when the node is to be given back: without a spool at once, else behind what was read by then.
type incoming struct {
	owner *owner
	ctx   context.Context //nolint:containedctx // of the reading, which ends when the node is given back
	sub   *ami.Subscription
	spool *backlog.Backlog // nil: there is none
	end   func()
	head  []ami.Event // that come before all others
	gap   ami.Event

	mu   sync.Mutex         // guards what follows
	turn context.Context    //nolint:containedctx // of the wait for the next event
	wake context.CancelFunc // ends it
}

// errWoken: there is no event, and something else to do.
var errWoken = errors.New("bus: woken")

// incoming begins to read until ctx is done. Whoever takes the events calls end.
func (o *owner) incoming(ctx context.Context, events *ami.Subscription, head []ami.Event) *incoming {
	in := &incoming{owner: o, sub: events, spool: o.openSpool(ctx, events), head: head}
	reading, cancel := context.WithCancel(ctx)
	in.ctx = reading
	in.turn, in.wake = context.WithCancel(reading)
	var stopped sync.WaitGroup
	stopped.Go(func() {
		select {
		case <-reading.Done():
		case <-o.stop:
			if in.spool == nil {
				cancel()
				return
			}
			in.spool.Stop()
		}
	})
	in.end = func() {
		cancel()
		in.interrupt()
		stopped.Wait()
		if in.spool != nil {
			in.spool.Close()
		}
	}
	return in
}

// openSpool has what memory has no room for go to disk. A folder that took files at the start and takes none now costs the node its spool,
// and not its events.
func (o *owner) openSpool(ctx context.Context, events *ami.Subscription) *backlog.Backlog {
	b := &o.bridge.o
	if b.Spool.Disk == 0 {
		return nil
	}
	queue, err := spool.New(b.Spool)
	if err != nil {
		o.log.Error("there is no spool for this node: only memory is left", slog.Any("error", err))
		return nil
	}
	return backlog.New(ctx, events, queue, backlog.Options{RingEvents: b.RingEvents, RingBytes: b.RingBytes, Full: o.spoolFull})
}

// spoolFull says that the spool takes no more.
func (o *owner) spoolFull(err error) {
	if err = backlog.DiskError(err); err == nil {
		o.log.Error("the spool is full: only memory is left, and events that it has no room for are dropped, and counted")
		return
	}
	o.log.Error("the disk of the spool takes no more: what it holds is kept, and only memory is left", slog.Any("error", err))
}

// interrupt wakes whoever waits for the next event, or will.
func (in *incoming) interrupt() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.wake()
}

// poll returns the next event if it is there, else nil.
func (in *incoming) poll() (ev *ami.Event) {
	switch {
	case len(in.head) > 0:
		ev, in.head = &in.head[0], in.head[1:]
	case in.spool != nil:
		ev, _ = in.spool.PollBorrowed()
	default:
		ev, _ = in.sub.PollBorrowed()
	}
	return ev
}

// next waits for the next event, or for an interrupt: errWoken.
func (in *incoming) next() (*ami.Event, error) {
	if len(in.head) > 0 {
		return in.poll(), nil
	}
	in.mu.Lock()
	turn := in.turn
	in.mu.Unlock()
	ev, err := in.wait(turn)
	if err == nil || turn.Err() == nil || in.ctx.Err() != nil {
		return ev, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.turn, in.wake = context.WithCancel(in.ctx)
	return nil, errWoken
}

// wait waits for the next event until ctx is done. What the disk has lost is a gap.
func (in *incoming) wait(ctx context.Context) (*ami.Event, error) {
	if in.spool == nil {
		return in.sub.NextBorrowed(ctx)
	}
	ev, err := in.spool.NextBorrowed(ctx)
	var lost *spool.LostError
	if !errors.As(err, &lost) {
		return ev, err
	}
	in.owner.log.Error("the disk of the spool has lost events", slog.Uint64("events", lost.Records), slog.Any("error", lost.Err))
	dropped := lost.Records
	if in.spool.HoldsGaps() {
		dropped = 0 // some of the records may have been gaps: nobody can know
	}
	in.gap = gapOf(in.owner.node.Name, batch.GapUnpublished, dropped)
	return &in.gap, nil
}
