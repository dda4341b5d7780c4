package bench

import (
	"context"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// An Action is a request as a driver hands it to an engine, which reads it only until Submit has returned.
type Action struct {
	Name    string
	Fields  []Field
	Timeout time.Duration
	Await   bool // an Originate that ends by its OriginateResponse
}

// An EndKind says how an action ended.
type EndKind uint8

// Kinds of ends.
const (
	EndReply EndKind = iota
	EndError
	EndTimeout
	EndCancelled
	EndUnsent
	EndMaybe
	EndRejected
)

// add books an end.
func (e *Ended) add(k EndKind) {
	switch k {
	case EndReply:
		e.Reply++
	case EndError:
		e.Error++
	case EndTimeout:
		e.Timeout++
	case EndCancelled:
		e.Cancelled++
	case EndUnsent:
		e.Unsent++
	case EndMaybe:
		e.Maybe++
	default:
		e.Rejected++
	}
}

// Answered reports whether the server answered.
func (k EndKind) Answered() bool { return k <= EndError }

// An End is the end of one action.
type End struct {
	Flight   Flight // as given to Submit
	Kind     EndKind
	Received time.Time     // when the answer was read; zero without one
	Service  time.Duration // from the write to Received
	Outcome  ami.Outcome   // of an Originate that was awaited
}

// A Batch gathers the ends of actions. It is for one goroutine.
type Batch interface {
	Poll() (End, bool) // without waiting
	Wait(ctx context.Context) (End, error)
}

// A Lane is one session of a node.
type Lane struct{ Name, Node string }

// An Engine is what a run drives: sessions to servers, kept up by whoever implements it. Lanes are named by their
// index in Lanes.
type Engine interface {
	Lanes() []Lane
	Ready(lane int) bool
	NewBatch() Batch
	// Submit sends an action and never waits. It reports whether the action was accepted; if so its end comes from b.
	// An action that was not accepted is booked by the engine as rejected.
	Submit(lane int, a *Action, b Batch, f Flight) bool
	// Login opens a session of its own to the lane's server, logs in and off again.
	Login(ctx context.Context, lane int) EndKind
	Stream() (Stream, error) // of all lanes' events
	Stats(lane int) LaneStats
	// Drain waits for what is in flight, logs off and ends everything.
	Drain(ctx context.Context) error
	Close() error
}

// LaneStats is what an engine knows of one session.
type LaneStats struct {
	Books
	Ready      bool
	Lost       uint64 // sessions that ended
	Reconnects uint64 // sessions after the first

	PendingPeak, PendingCap int // actions
	WritePeak, WriteCap     int // bytes
}

// A Stream is a fair stream of events of all lanes.
type Stream interface {
	Next(ctx context.Context) (Delivery, error)
	Stats() StreamStats
	Close()
}

// A Delivery is an event, or a mark that some are missing.
type Delivery struct {
	Lane    int
	Message *wire.Message // nil for a mark; valid until the next call of Next
	Dropped uint64        // events lost here to a full ring
	Lost    bool          // a session was lost here, and who knows how many events
}

// StreamStats is a stream's ledger and how full its rings were.
type StreamStats struct {
	Offered, Filtered, Delivered, Dropped, Discarded, Queued uint64

	PeakEvents, CapEvents uint64
	PeakBytes, CapBytes   uint64
}

// Exact reports whether the ledger balances.
func (s *StreamStats) Exact() bool {
	return s.Offered == s.Filtered+s.Delivered+s.Dropped+s.Discarded+s.Queued
}

// A Simulator is a simulated cluster, usually in a process of its own.
type Simulator interface {
	Nodes() []SimNode
	Start() error // conditions and numbered events, from now on
	Stop() error  // and until now
	Books() ([]SimBooks, error)
	Close() error
}

// A SimNode is a simulated node's address.
type SimNode struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
}

// SimBooks are a simulated node's own counts.
type SimBooks struct {
	ServerBooks
	Numbered uint64 `json:"numbered"` // numbered events emitted
	Logins   uint64 `json:"logins"`
}

// A SimSpec says what to simulate.
type SimSpec struct {
	Nodes      int         `json:"nodes"`
	Seed       uint64      `json:"seed"`
	EventRate  float64     `json:"event_rate"` // numbered events a second, each node
	Conditions []Condition `json:"conditions"`
	Storm      Duration    `json:"storm"` // after Start
	List       int         `json:"list"`  // items of the list that biglist asks for
	Hold       Duration    `json:"hold"`  // how long a simulated call lasts
}
