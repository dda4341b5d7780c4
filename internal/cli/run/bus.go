package run

import (
	"context"
	"log/slog"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A BusAddress is where the events of a cluster are, beyond one machine.
type BusAddress struct {
	URL     string
	Cluster string
	Creds   string // files, "" none
	NKey    string
	CA      string
	User    string // in whose name actions are asked for
}

// A BusQuery is what is wanted of a bus.
type BusQuery struct {
	BusAddress
	Nodes  []string  // names; none means all
	Events bool      // of a BusActor: the nodes' sessions have their events as well
	Since  time.Time // zero: what comes next
	All    bool      // from the oldest on
	Stored bool      // only what is stored now: io.EOF comes behind it
	// Durable names where the reading goes on, if there is anything of that name; Since and All are for one that is new. "": none.
	Durable string
	Log     *slog.Logger
}

// An EventStream hands out events and gaps, each valid until the next is taken.
type EventStream interface {
	// PollBorrowed returns the next event if one is at hand.
	PollBorrowed() (*ami.Event, bool)
	// NextBorrowed waits for the next event, until ctx is done.
	NextBorrowed(ctx context.Context) (*ami.Event, error)
	// New reports whether a durable has begun, and did not go on.
	New() bool
	// Due reports whether it is time for Acknowledge, although more is at hand.
	Due() bool
	// Acknowledge says that all events that were taken are written.
	Acknowledge()
	Close()
}

// A BusActor returns the nodes of a bus that are meant as the engine reaches them: their actions go over the bus, and their events come
// from there if they are asked for. It works until ctx is done. timeout bounds each action.
type BusActor func(ctx context.Context, q BusQuery, timeout time.Duration) ([]ami.Config, error)

// A BusReader opens a bus. amictld has one; amictl, which would link NATS for it, runs amictld.
type BusReader func(ctx context.Context, q BusQuery) (EventStream, error)
