package ami

import (
	"strconv"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Reply is the complete answer to one action. The message's methods are the reply's: Get returns a header's value, Output
// the lines that a Command printed.
type Reply struct {
	wire.Message // the response packet, owned

	Node     string
	Session  uint64        // which session of the node: 1 for its first
	Seq      uint64        // place of the packet that completed the action in the session's stream
	Received time.Time     // when that packet was read
	RTT      time.Duration // from the write into the session's buffer to Received

	Events []Event      // the items of a list, without its end event
	Items  int          // how many items came, including those that a Batch handed out before
	End    wire.Message // the event that completed the action: a list's end, OriginateResponse; else empty

	// Incomplete says that items are missing: the list was cut off (the error says by what), the server cancelled it, or it
	// announced more items than came. Some servers count wrongly: without an error, this is only a hint.
	Incomplete bool
	// Fenced says that the answer, or its end, named no action: the answer is everything that came before the server
	// answered a later action. The Message is then the first response in it, if there is one.
	Fenced bool
	Raw    string // the part of a Fenced answer that is not an item, as it came; "" also if the server sent nothing at all
}

// finish takes over what a list has gathered.
func (r *Reply) finish(l *list) {
	r.Events, r.Items = l.events, l.items
	if verdict := listHeader(&r.End); verdict != "" && !wire.EqualFold(verdict, "Complete") {
		r.Incomplete = true // Cancelled (manager.c, astman_send_list_complete_start's callers say Complete)
	}
	if n, ok := r.ListItems(); ok && n > r.Items {
		r.Incomplete = true
	}
}

// ListItems returns how many items the list's end announces; ok is false if it announces none. That is advisory:
// PJSIPShowRegistrationsOutbound and, on 16, DBGetTree say 1 of 2.
func (r *Reply) ListItems() (n int, ok bool) {
	n, err := strconv.Atoi(r.End.Get("ListItems"))
	return n, err == nil
}

// Success reports whether the server took the action: its verdict is neither Error nor a failed OriginateResponse.
func (r *Reply) Success() bool {
	if wire.EqualFold(r.Name(), "Error") {
		return false
	}
	return !wire.EqualFold(r.End.Name(), "OriginateResponse") || !wire.EqualFold(r.End.Get("Response"), "Failure")
}

// An Event is one item of a subscription's stream: an event as the server sent it, or, when Gap is not nil, a mark that
// events are missing here.
//
// The message's methods are the event's: Name returns the event's name, such as "Hangup"; Get returns a header's value; All
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
