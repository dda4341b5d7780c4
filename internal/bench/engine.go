package bench

import (
	"context"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// An action is a request as a driver hands it to an engine, which reads it only until Submit has returned.
type action struct {
	Name    string
	Fields  []field
	Timeout time.Duration
	Await   bool // an Originate that ends by its OriginateResponse
}

// An endKind says how an action ended.
type endKind uint8

// Kinds of ends.
const (
	endReply endKind = iota
	endError
	endTimeout
	endCancelled
	endUnsent
	endMaybe
	endRejected
)

// add books an end.
func (e *Ended) add(k endKind) {
	switch k {
	case endReply:
		e.Reply++
	case endError:
		e.Error++
	case endTimeout:
		e.Timeout++
	case endCancelled:
		e.Cancelled++
	case endUnsent:
		e.Unsent++
	case endMaybe:
		e.Maybe++
	default:
		e.Rejected++
	}
}

// Answered reports whether the server answered.
func (k endKind) Answered() bool { return k <= endError }

// An ending is the end of one action.
type ending struct {
	Flight   flight // as given to Submit
	Kind     endKind
	Received time.Time     // when the answer was read; zero without one
	Service  time.Duration // from the write to Received
	Outcome  ami.Outcome   // of an Originate that was awaited
	Refusal  string        // the message of an error answer
}

// A batch gathers the ends of actions. It is for one goroutine.
type batch interface {
	Poll() (ending, bool) // without waiting
	Wait(ctx context.Context) (ending, error)
}

// A laneName is one session of a node.
type laneName struct{ Name, Node string }

// An engine is what a run drives: sessions to servers, kept up by whoever implements it. Lanes are named by their
// index in Lanes.
type engine interface {
	Lanes() []laneName
	Ready(lane int) bool
	NewBatch() batch
	// Submit sends an action and never waits. It reports whether the action was accepted; if so its end comes from b.
	// An action that was not accepted is booked by the engine as rejected.
	Submit(lane int, a *action, b batch, f flight) bool
	// Login opens a session of its own to the lane's server, logs in and off again.
	Login(ctx context.Context, lane int) endKind
	Stream() (stream, error) // of all lanes' events
	Stats(lane int) laneStats
	// Drain waits for what is in flight, logs off and ends everything.
	Drain(ctx context.Context) error
	Close() error
}

// laneStats is what an engine knows of one session.
type laneStats struct {
	Books
	Ready      bool
	Lost       uint64 // sessions that ended
	Reconnects uint64 // sessions after the first

	PendingPeak, PendingCap int // actions
	WritePeak, WriteCap     int // bytes
}

// A stream is a fair stream of events of all lanes.
type stream interface {
	Next(ctx context.Context) (delivery, error)
	Stats() streamStats
	Close()
}

// A delivery is an event, or a mark that some are missing.
type delivery struct {
	Lane    int
	Message *wire.Message // nil for a mark; valid until the next call of Next
	Dropped uint64        // events lost here to a full ring
	Lost    bool          // a session was lost here, and an unknown number of events
}

// streamStats is a stream's ledger and how full its rings were.
type streamStats struct {
	ami.SubscriptionStats
	CapEvents, CapBytes uint64 // of one ring
}

// Exact reports whether the ledger balances.
func (s *streamStats) Exact() bool {
	return s.Offered == s.Filtered+s.Delivered+s.Dropped+s.Discarded+s.Queued
}

// A simulator is a simulated cluster, usually in a process of its own.
type simulator interface {
	Nodes() []simNode
	Start() error // conditions and numbered events, from now on
	Stop() error  // and until now
	Books() ([]simBooks, error)
	Close() error
}

// A simNode is a simulated node's address.
type simNode struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
}

// simBooks are a simulated node's own counts.
type simBooks struct {
	ServerBooks
	Numbered uint64 `json:"numbered"` // numbered events emitted
	Logins   uint64 `json:"logins"`
}

// A simSpec says what to simulate.
type simSpec struct {
	Nodes      int         `json:"nodes"`
	First      int         `json:"first,omitempty"` // of a larger cluster the nodes from this one on,
	Apart      int         `json:"apart,omitempty"` // so far apart
	Of         int         `json:"of,omitempty"`    // and its size
	Seed       uint64      `json:"seed"`
	EventRate  float64     `json:"event_rate"` // numbered events a second, each node
	Conditions []condition `json:"conditions"`
	Storm      Duration    `json:"storm"` // after Start
	List       int         `json:"list"`  // items of the list that biglist asks for
	Hold       Duration    `json:"hold"`  // how long a simulated call lasts
}

// number is the place of the i-th node in the larger cluster, from 0.
func (s *simSpec) number(i int) int { return s.First + i*max(1, s.Apart) }
