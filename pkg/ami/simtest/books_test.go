package simtest

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/apntalk/amictl/pkg/ami"
)

// books are the callers' own ledger, kept from what each call returned, to hold against the engine's.
type books struct {
	mu     sync.Mutex
	ledger ami.Ledger // guarded by mu
}

// begin books a call.
func (b *books) begin() {
	b.mu.Lock()
	b.ledger.Submitted++
	b.ledger.InFlight++
	b.mu.Unlock()
}

// end books how a call ended: the error of Do, or of Submit that refused, or of the Batch.
func (b *books) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &b.ledger
	l.InFlight--
	var op *ami.OpError
	var refused *ami.ResponseError
	if err != nil && (!errors.As(err, &op) || op.ActionID == "") {
		l.Rejected++
		return
	}
	l.Accepted++
	switch {
	case err == nil:
		l.Replied++
	case errors.As(err, &refused), errors.Is(err, ami.ErrProtocol) && !errors.Is(err, ami.ErrDisconnected):
		l.ErrorReplies++
	case errors.Is(err, ami.ErrDisconnected) && op.Sent == ami.SentNo:
		l.DisconnectedUnsent++
	case errors.Is(err, ami.ErrDisconnected):
		l.DisconnectedMaybe++
	case errors.Is(err, ami.ErrTimeout):
		l.TimedOut++
	case errors.Is(err, ami.ErrCancelled):
		l.Cancelled++
	default:
		l.Accepted-- // shows as a difference
	}
}

func (b *books) outstanding() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.InFlight
}

// seen counts what subscribers saw.
type seen struct{ events, gaps atomic.Uint64 }

// check holds the engine's ledger against the callers' own, and the state of every node and subscription against what
// was promised. Nothing is under way.
func (w *world) check(when string) {
	w.mu.Lock()
	nodes := w.all
	w.mu.Unlock()
	var sum ami.Ledger
	for _, n := range nodes {
		s := n.Stats()
		if !s.Ledger.Exact() || s.Ledger.InFlight != 0 {
			w.t.Errorf("%s: %s: ledger %+v", when, n.Name(), s.Ledger)
		}
		if up := s.State == ami.StateReady || s.State == ami.StateDegraded; up != n.Ready() {
			w.t.Errorf("%s: %s says %v, ready %v", when, n.Name(), s.State, n.Ready())
		}
		if s.PendingPeak > s.PendingCap+4 || s.WritePeak > s.WriteCap+1024 || s.Pending < 0 {
			w.t.Errorf("%s: %s: pending peak %d of %d, write peak %d of %d", when, n.Name(), s.PendingPeak, s.PendingCap, s.WritePeak, s.WriteCap)
		}
		if s.Duplicate != 0 || s.ParseErrors > s.Lost+s.DialFailures+s.LoginFailures {
			w.t.Errorf("%s: %s: %d duplicates, %d parse errors", when, n.Name(), s.Duplicate, s.ParseErrors)
		}
		sum.Add(s.Ledger)
	}
	// Actions that no node got are in the cluster's ledger alone; removed nodes are not in it.
	c := w.cluster.Stats()
	var present ami.Ledger
	for _, s := range c.Nodes {
		present.Add(s.Ledger)
	}
	unrouted := c.Ledger.Rejected - present.Rejected
	sum.Submitted += unrouted
	sum.Rejected += unrouted
	w.books.mu.Lock()
	own := w.books.ledger
	w.books.mu.Unlock()
	if sum != own {
		w.t.Errorf("%s: the engine's ledger %+v\nthe callers' own %+v", when, sum, own)
	}
	if c.BudgetUsed > c.BudgetCap || c.BudgetUsed < 0 {
		w.t.Errorf("%s: budget %d of %d", when, c.BudgetUsed, c.BudgetCap)
	}
	for _, s := range c.Subscriptions {
		if s.Offered != s.Filtered+s.Delivered+s.Dropped+s.Discarded+s.Queued {
			w.t.Errorf("%s: subscription %+v", when, s)
		}
	}
}
