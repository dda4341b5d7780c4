package bus

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// read opens a bus for a subcommand that reads events.
func read(ctx context.Context, q run.BusQuery) (run.EventStream, error) {
	conn, err := bus.Dial(access(&q.BusAddress), q.Log)
	if err != nil {
		return nil, err
	}
	var c *bus.Consumer
	begin := func() (err error) {
		c, err = bus.Read(ctx, conn, bus.ReadOptions{Cluster: q.Cluster, Nodes: q.Nodes, Start: bus.Start{All: q.All, Since: q.Since}, Durable: q.Durable, Stored: q.Stored})
		return err
	}
	if q.Durable == "" {
		err = begin()
	} else { // it is for a reader that goes on, whenever it is started
		err = bus.UntilAble(ctx, q.Log, begin)
	}
	if err != nil {
		conn.Close()
		return nil, ofDurable(err, q.Durable)
	}
	return &stream{bus.NewEvents(c, func(err error) { q.Log.Error("bus", slog.Any("error", err)) }), conn}, nil
}

// ofDurable says what to do about a durable that cannot be read.
func ofDurable(err error, name string) error {
	var other *bus.DurableError
	switch {
	case errors.As(err, &other):
		return fail.Usage("another name, or the -n that it was made with; docs/bus.md says how to delete one", "--durable: %s", other.What)
	case errors.Is(err, bus.ErrInUse):
		return &fail.Error{Code: fail.CodeConnect, Message: "--durable " + name + ": another process reads with this name", Hint: "end it, or choose another name: each durable gets all events"}
	}
	return err
}

// A stream ends its connection with itself.
type stream struct {
	*bus.Events
	conn *nats.Conn
}

// NextBorrowed waits for the next event. A bus that is away for a while comes back; other errors end the stream.
func (s *stream) NextBorrowed(ctx context.Context) (*ami.Event, error) {
	ev, err := s.Events.NextBorrowed(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		err = &fail.Error{Code: fail.CodeLost, Message: fail.Cause(err), Hint: "`amictl bus info` says what there is now"}
	}
	return ev, err
}

func (s *stream) Close() {
	s.Events.Close()
	s.conn.Close()
}
