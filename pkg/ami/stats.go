package ami

import "sync/atomic"

// counters are one node's ledger and tallies. They outlive its sessions.
type counters struct {
	// The submitters'.
	submitted, rejected, accepted atomic.Uint64
	internalAccepted              atomic.Uint64
	_                             cacheLine
	// The reader's.
	replied, errorReplies                    atomic.Uint64
	internalEnded                            atomic.Uint64
	late, duplicate, foreign, unmatched, raw atomic.Uint64
	parseErrors                              atomic.Uint64
	bytesIn                                  atomic.Uint64
	_                                        cacheLine
	// What is seldom.
	timedOut, cancelled                   atomic.Uint64
	disconnectedUnsent, disconnectedMaybe atomic.Uint64
	bytesOut                              atomic.Uint64
	dials, dialFailures, loginFailures    atomic.Uint64
	sessions, lost, breakerOpens          atomic.Uint64
	pings                                 atomic.Uint64
	pingLast, pingMax                     atomic.Int64 // nanoseconds
	missedPings                           atomic.Uint64
}

// A cacheLine keeps apart what two goroutines write to for every action: two cores would fight for the line that holds both.
type cacheLine [64]byte

// A Ledger accounts for every action of a node: Submitted = Rejected + Accepted, and Accepted = InFlight + Replied +
// ErrorReplies + TimedOut + Cancelled + DisconnectedUnsent + DisconnectedMaybe. InFlight is counted on its own, in
// the pending table.
type Ledger struct {
	Submitted          uint64 `json:"submitted"`
	Rejected           uint64 `json:"rejected"` // refused before they were accepted: bad, busy, not ready
	Accepted           uint64 `json:"accepted"`
	InFlight           uint64 `json:"in_flight"`
	Replied            uint64 `json:"replied"`
	ErrorReplies       uint64 `json:"error_replies"`
	TimedOut           uint64 `json:"timed_out"`
	Cancelled          uint64 `json:"cancelled"`
	DisconnectedUnsent uint64 `json:"disconnected_unsent"`
	DisconnectedMaybe  uint64 `json:"disconnected_maybe"` // some or all of it had left the process
}

// Ended returns how many accepted actions have ended, however.
func (l Ledger) Ended() uint64 {
	return l.Replied + l.ErrorReplies + l.TimedOut + l.Cancelled + l.DisconnectedUnsent + l.DisconnectedMaybe
}

// Exact reports whether the ledger balances. It does at every quiescent point.
func (l Ledger) Exact() bool {
	return l.Submitted == l.Rejected+l.Accepted && l.Accepted == l.InFlight+l.Ended()
}

// Add adds another node's ledger.
func (l *Ledger) Add(o Ledger) {
	l.Submitted += o.Submitted
	l.Rejected += o.Rejected
	l.Accepted += o.Accepted
	l.InFlight += o.InFlight
	l.Replied += o.Replied
	l.ErrorReplies += o.ErrorReplies
	l.TimedOut += o.TimedOut
	l.Cancelled += o.Cancelled
	l.DisconnectedUnsent += o.DisconnectedUnsent
	l.DisconnectedMaybe += o.DisconnectedMaybe
}

// ledger reads the counters; the caller adds InFlight.
func (c *counters) ledger() Ledger {
	return Ledger{
		Submitted: c.submitted.Load(), Rejected: c.rejected.Load(), Accepted: c.accepted.Load(),
		Replied: c.replied.Load(), ErrorReplies: c.errorReplies.Load(),
		TimedOut: c.timedOut.Load(), Cancelled: c.cancelled.Load(),
		DisconnectedUnsent: c.disconnectedUnsent.Load(), DisconnectedMaybe: c.disconnectedMaybe.Load(),
	}
}
