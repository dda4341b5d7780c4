package ami

import (
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Reply is the complete answer to one action. Its message's methods are its own: Get returns a header's value, Output
// the lines that a Command printed.
type Reply struct {
	wire.Message // the response packet, owned

	Node     string
	Session  uint64        // which session of the node: 1 for its first
	Seq      uint64        // place of the packet that completed the action in the session's stream
	Received time.Time     // when that packet was read
	RTT      time.Duration // from the write into the session's buffer to Received

	Events []Event      // the items of a list, without its end event
	End    wire.Message // the event that completed the action: a list's end, OriginateResponse; else empty
}

// Success reports whether the server took the action: its verdict is neither Error nor a failed OriginateResponse.
func (r *Reply) Success() bool {
	if wire.EqualFold(r.Name(), "Error") {
		return false
	}
	return !wire.EqualFold(r.End.Name(), "OriginateResponse") || !wire.EqualFold(r.End.Get("Response"), "Failure")
}

// An Event is one item of a subscription's stream: an event as the server sent it, or, when Gap is not nil, a mark
// that some are missing here.
//
// Its message's methods are its own: Name returns what event it is, such as "Hangup"; Get returns a header's value; All
// iterates over all headers.
type Event struct {
	wire.Message // owned, but for what NextBorrowed and PollBorrowed return

	Node     string
	Session  uint64    // which session of the node: 1 for its first
	Seq      uint64    // place in the session's stream; replies count too
	Received time.Time // when it was read
	Gap      *Gap      // not nil: no event, but a gap
}

// Clone returns an owned copy of a borrowed event, in one allocation.
func (e *Event) Clone() Event {
	own := *e
	if e.Gap == nil {
		own.Message = e.Message.Clone()
	}
	return own
}

// A GapReason says why events are missing.
type GapReason string

const (
	// GapOverflow: the consumer was too slow and the subscription's buffer dropped its oldest events.
	GapOverflow GapReason = "overflow"
	// GapDisconnect: the node's session was lost; how much happened meanwhile cannot be known.
	GapDisconnect GapReason = "disconnect"
)

// A Gap marks, in its place in the stream, events that a subscriber did not get.
type Gap struct {
	Reason  GapReason
	Dropped uint64    // GapOverflow: how many events
	Since   time.Time // GapDisconnect: when the session was lost
	Until   time.Time // GapDisconnect: when the stream resumed; zero while the node is still away
}
