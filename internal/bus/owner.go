package bus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/pkg/ami"
)

// An owner puts one node's events on the bus, from the lease to its end.
type owner struct {
	bridge *Bridge
	node   ami.Config
	cancel context.CancelFunc
	stop   chan struct{} // closed when the node is to be given back
	once   sync.Once
	log    *slog.Logger
}

// end has the owner store what he has read, and give the node back.
func (o *owner) end() { o.once.Do(func() { close(o.stop) }) }

// flushAt is how many bytes a batch has at least while more events wait.
const flushAt = 64 << 10

// Buffers of a bridge's subscription: what an election of the bus holds up has to have room.
const (
	ringEvents = 2 << 20
	ringBytes  = 256 << 20
)

// run owns the node until stop, ctx or the loss of the lease.
func (o *owner) run(ctx context.Context, seen uint64) {
	l, err := acquire(ctx, o.bridge.js, o.bridge.o.Cluster, o.node.Name, o.bridge.self, seen)
	if err != nil {
		if !errors.Is(err, ErrTaken) {
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
// it, without a look at any clock.
func (o *owner) own(ctx context.Context, l *lease) error {
	b := o.bridge
	p, err := takeOver(ctx, b.js, b.o.Cluster, o.node.Name, batch.Owner{Bridge: b.o.Name, Epoch: l.epoch, Time: time.Now()}, l.renew)
	if err != nil {
		return err
	}
	events, end, err := b.o.Events(o.node, ami.SubscribeOptions{RingEvents: ringEvents, RingBytes: ringBytes, Packets: true})
	if err != nil {
		return err
	}
	defer end()
	return o.carry(ctx, events, p, l)
}

// ownSession subscribes to a node by a session that is there for nothing else.
func ownSession(log *slog.Logger) func(ami.Config, ami.SubscribeOptions) (*ami.Subscription, func(), error) {
	return func(node ami.Config, o ami.SubscribeOptions) (events *ami.Subscription, end func(), err error) {
		sessions := ami.NewCluster(ami.ClusterConfig{Logger: log})
		node.Events = "on"
		if events, err = sessions.Subscribe(o); err == nil {
			_, err = sessions.Add(node)
		}
		if err != nil {
			_ = sessions.Close()
			return nil, nil, err
		}
		return events, func() {
			events.Close()
			_ = sessions.Close()
		}, nil
	}
}

// carry moves events into batches, and batches onto the bus.
func (o *owner) carry(ctx context.Context, events *ami.Subscription, p *publisher, l *lease) error {
	reading, end := context.WithCancel(ctx)
	defer end()
	go func() {
		select {
		case <-o.stop:
			end()
		case <-reading.Done():
		}
	}()
	var w batch.Writer
	var data []byte
	for {
		ev, err := events.NextBorrowed(reading)
		for err == nil && ev != nil {
			w.Add(ev)
			if w.Len() >= flushAt {
				break
			}
			ev, _ = events.PollBorrowed()
		}
		if w.Records() > 0 {
			if !l.fresh() {
				return errStale
			}
			records := w.Records()
			data = w.Batch(data[:0])
			if err := o.publish(ctx, p, data, records); err != nil {
				return err
			}
		}
		if err != nil {
			return ctx.Err() // nil after stop: all that was read is stored
		}
	}
}

// errStale: the lease could not be renewed for so long that another bridge may have it.
var errStale = errors.New("bus: the lease is in doubt")

// publish stores a batch. One that the bus does not take for its size becomes a gap.
func (o *owner) publish(ctx context.Context, p *publisher, data []byte, records int) error {
	err := p.publish(ctx, data)
	if !errors.Is(err, nats.ErrMaxPayload) {
		return err
	}
	o.log.Error("a batch is larger than max_payload of the bus", slog.Int("bytes", len(data)), slog.Int("events", records))
	var w batch.Writer
	w.Add(&ami.Event{Received: time.Now(), Gap: &ami.Gap{Reason: batch.GapUnpublished, Dropped: uint64(records)}})
	return p.publish(ctx, w.Batch(nil))
}
