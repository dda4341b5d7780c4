package bus

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/pkg/ami"
)

// An owner puts one node's events on the bus, from the lease to its end.
type owner struct {
	bridge *bridge
	node   ami.Config
	cancel context.CancelFunc
	stop   chan struct{} // closed when the node is to be given back
	once   sync.Once
	log    *slog.Logger

	arrival *arrival    // of a node that was handed over; nil: there is none
	handed  *handedOver // what its lease said
	ceded   bool        // the owner before has given it back
	standby *standby    // that read the node while another bridge owned it; nil: there is none
	head    []ami.Event // that were read, and are to be stored

	lease     *lease
	session   *Session
	singles   *singles // nil: there are none
	actions   *performance
	passed    atomic.Uint64             // events that were read of the session, and are in a batch
	interrupt func()                    // wakes whoever waits for events
	departure atomic.Pointer[departure] // nil: the node is not on its way to another bridge
	moving    atomic.Bool

	gone  chan struct{} // closed when no events are carried any more
	mu    sync.Mutex    // guards ended
	ended bool          // no more moves
}

// end has the owner store what he has read, and give the node back.
func (o *owner) end() { o.once.Do(func() { close(o.stop) }) }

// flushAt is how many bytes a batch has at least while more events wait.
const flushAt = 64 << 10

// Defaults of what waits in memory for the bus, of each node: what an election of the bus holds up has to have room.
const (
	DefaultRingEvents = 2 << 20
	DefaultRingBytes  = 256 << 20
)

// run owns the node until stop, ctx or the loss of the lease.
func (o *owner) run(ctx context.Context, seen uint64) {
	l, err := acquire(ctx, o.bridge.js, o.bridge.o.Cluster, o.node.Name, o.bridge.self, seen, o.bridge.makeLeases)
	if err != nil {
		o.arrival.giveUp(err)
		if errors.Is(err, errTaken) {
			o.bridge.leases.refresh(ctx, o.node.Name) // it is not as we knew it
		} else {
			o.log.Warn("no lease", slog.Any("cause", err))
		}
		return
	}
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	held := make(chan struct{})
	go func() {
		defer close(held)
		if err := l.hold(ctx); err != nil {
			lose(err) // at once: another bridge may begin
		}
	}()
	o.log.Info("owned", slog.Uint64("epoch", l.epoch))
	err = o.own(ctx, l)
	lose(nil)
	<-held
	if cause := context.Cause(ctx); err == nil || errors.Is(err, context.Canceled) && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	o.log.Info("given up", slog.Uint64("epoch", l.epoch), slog.Any("cause", err))
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewEvery)
	defer cancel()
	if err := l.release(release); err != nil {
		o.log.Warn("the lease was not given back, and ends by itself", slog.Any("cause", err))
	}
}

// own fences the owner before off, and only then logs in: what that one wrote is before the fence, and what we read is after
// it, without a look at any clock. Where he has handed the node over, or this bridge stood by, there is a session already, and it is known
// which of its events he has written.
func (o *owner) own(ctx context.Context, l *lease) error {
	b := o.bridge
	o.lease = l
	p := newPublisher(b.js, b.o.Cluster, o.node.Name, o.log)
	p.confirm = l.renew
	p.restore = func(ctx context.Context) error { return ensureStream(ctx, b.js, b.o.Cluster, b.o.Storage) }
	defer func() {
		if o.session != nil {
			o.session.End()
		}
	}()
	meets := o.arrive(ctx)
	if meets == nil {
		meets = o.standIn(p)
	}
	whole, err := p.takeOver(ctx, batch.Owner{Bridge: b.o.Name, Epoch: l.epoch, Time: time.Now()}, meets)
	o.arrival.settle(whole, err)
	o.adopt(whole, err)
	if err != nil {
		return err
	}
	if o.singles = newSingles(b, p, o.log); o.singles != nil {
		o.singles.whole = whole && o.handed != nil && o.handed.Singles
	}
	defer o.singles.begin(ctx)()
	if o.session == nil {
		if o.session, err = b.read(o.node); err != nil {
			return err
		}
	}
	t := tenure{epoch: p.epoch, from: p.epoch, last: p.stored.Load}
	switch {
	case o.handed != nil:
		t.from = cmp.Or(o.handed.From, p.before)
	case o.ceded:
		t.from = p.before
	}
	if o.actions, err = perform(b.o.Conn, b.o.Cluster, o.node.Name, b.o.Actions, t, o.log); err != nil {
		return err
	}
	defer o.actions.stop()
	in := o.incoming(ctx, o.session.Events, o.head)
	defer in.end()
	o.interrupt = in.interrupt
	endMoves, err := o.takeMoves()
	if err != nil {
		return err
	}
	defer endMoves()
	return o.carry(ctx, in, p)
}

// arrive goes on with the session of a node that was handed over, and returns what knows behind which batch; nil if the node was not, or
// if that cannot be done without a gap.
func (o *owner) arrive(ctx context.Context) (meets func(context.Context, *stored) (bool, error)) {
	a := o.arrival
	if a == nil {
		return nil
	}
	if !a.goOn(ctx, o.handed) {
		a.session.End()
		return nil
	}
	o.session, o.head, a.head = a.session, a.head, nil
	o.passed.Store(a.taken - uint64(len(o.head)))
	return func(_ context.Context, last *stored) (bool, error) { return last.id() == o.handed.Behind, nil }
}

// carry moves events into batches, and batches onto the bus.
func (o *owner) carry(ctx context.Context, in *incoming, p *publisher) error {
	b := bundle{wants: o.singles.wants}
	passed := o.passed.Load()
	for {
		ev, err := in.next()
		for err == nil && ev != nil {
			if ev.Gap == nil {
				passed++
			}
			if d := o.departure.Load(); d != nil {
				d.note(ev)
			}
			if b.add(ev); b.Len() >= flushAt {
				break
			}
			ev = in.poll()
		}
		o.passed.Store(passed)
		if b.Records() > 0 {
			if err := o.publish(ctx, p, &b); err != nil {
				return err
			}
		}
		if d := o.departure.Load(); d != nil && d.claim() {
			if err := o.handOver(ctx, p, d); err != nil {
				return err
			}
		}
		if err != nil && !errors.Is(err, errWoken) {
			return ctx.Err() // nil after stop: all that was read is stored, and what waited on disk
		}
	}
}

// A bundle is a batch that is being filled.
type bundle struct {
	batch.Writer
	wants   func(*ami.Event) bool
	singles []ami.Event // of what is in it, also gaps
	data    []byte
}

func (b *bundle) add(ev *ami.Event) {
	b.Add(ev)
	if ev.Gap != nil || b.wants(ev) {
		b.singles = append(b.singles, ev.Clone())
	}
}

// publish stores a bundle, and empties it. One that the bus does not take for its size becomes a gap, beside those that it held. What is
// stored, and nothing else, goes to the singles.
func (o *owner) publish(ctx context.Context, p *publisher, b *bundle) error {
	records := b.Records()
	b.data = b.Batch(b.data[:0])
	err := p.publish(ctx, b.data)
	if errors.Is(err, nats.ErrMaxPayload) {
		o.log.Error("a batch is larger than the bus takes", slog.Int("bytes", len(b.data)), slog.Int("records", records))
		b.singles = slices.DeleteFunc(b.singles, func(ev ami.Event) bool { return ev.Gap == nil })
		b.singles = append(b.singles, gapOf(o.node.Name, batch.GapUnpublished, uint64(records-len(b.singles))))
		for i := range b.singles {
			b.Add(&b.singles[i])
		}
		err = p.publish(ctx, b.Batch(nil))
	}
	if err == nil {
		o.singles.offer(b.singles)
	}
	clear(b.singles)
	b.singles = b.singles[:0]
	return err
}

func gapOf(node string, reason ami.GapReason, dropped uint64) ami.Event {
	return ami.Event{Node: node, Received: time.Now(), Gap: &ami.Gap{Reason: reason, Dropped: dropped}}
}
