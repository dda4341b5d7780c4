package bus

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// begin makes what a cluster needs, if it is not there, and watches its leases, as soon as the bus can.
func begin(ctx context.Context, js jetstream.JetStream, o *Options) (leases *leaseBoard, err error) {
	err = UntilAble(ctx, o.Log, func() (err error) {
		if err = ensure(ctx, js, o); err == nil {
			leases, err = watchLeases(ctx, js, o.Cluster)
		}
		return err
	})
	return leases, err
}

// ensure makes what a cluster needs, if it is not there.
func ensure(ctx context.Context, js jetstream.JetStream, o *Options) error {
	ctx, stop := UntilRefused(ctx, o.Conn)
	defer stop()
	err := ensureStream(ctx, js, o.Cluster, o.Storage)
	if err == nil {
		err = ensureBucket(ctx, js, o.Cluster, o.Storage)
	}
	if err == nil && len(o.Each) > 0 {
		err = ensureOne(ctx, js, o.Cluster, o.Storage)
	}
	return causeOf(ctx, err)
}

// askAgain is how long a bus is left alone that was not able to answer.
const askAgain = time.Second

// UntilAble asks a bus until it is able to answer, or ctx is done, and says that it waits.
func UntilAble(ctx context.Context, log *slog.Logger, ask func() error) error {
	for waits := false; ; waits = true {
		err := ask()
		if !unable(err) || ctx.Err() != nil {
			if waits && err == nil {
				log.Info("the bus answers")
			}
			return err
		}
		if !waits {
			log.Warn("the bus is not able to answer, and is asked again until it is", slog.Any("error", err))
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
		}
	}
}

// notNow are what JetStream answers while its servers elect a leader, or are too few to have one: it is unavailable, it has no leader,
// the stream is offline (server/errors.json).
var notNow = []jetstream.ErrorCode{10008, 10009, 10118}

// unable reports whether a bus may be able to answer later what it could not now. It has no leader, or has just been lost.
func unable(err error) bool {
	return slices.ContainsFunc(notNow, func(code jetstream.ErrorCode) bool { return hasCode(err, code) }) ||
		slices.ContainsFunc([]error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded},
			func(later error) bool { return errors.Is(err, later) })
}
