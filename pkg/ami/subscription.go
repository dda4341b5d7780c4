package ami

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// SubscribeOptions selects what a subscription gets and bounds what it may hold.
type SubscribeOptions struct {
	// Events are names or patterns with * and ?, whatever their case; none means all.
	Events []string
	// Where is a condition on an event's headers; nil means none.
	Where *Where
	// Packets asks for what is neither an event nor an answer, too: raw text, and responses to nobody here. Its Kind is not
	// wire.Event. Events does not choose among it, for it has no name; Where does.
	Packets bool
	// Nodes are names of a cluster's nodes; none means all, those added later included.
	Nodes []string

	RingEvents int // events buffered a node; 0: DefaultRingEvents
	RingBytes  int // bytes buffered a node; 0: DefaultRingBytes

	// Throttle has a node's reader wait for this consumer while 3 MiB or half of the buffer is in use, so that TCP slows a
	// server down before events are dropped. Nothing is lost to a consumer that takes 10 MB/s: the reader rests 7 ms at
	// most after 64 KiB, and never 50 ms, or Asterisk would end the session (writetimeout). A slower consumer loses events
	// as ever. That node's actions wait as long; without Throttle they never wait for a subscription.
	Throttle bool
}

// A Subscription is a stream of events from one or more nodes, with every gap marked in its place. The nodes' order is
// fair, not global: each node's own order is kept. It is for one consumer at a time.
//
// A consumer that is too slow costs nobody else anything: its rings drop their oldest events, and it sees a gap.
type Subscription struct {
	names      *nameSet
	where      *Where
	nodes      map[string]bool
	ringEvents int
	ringBytes  int
	throttle   bool
	packets    bool
	pool       segmentPool

	wake chan struct{}   // room for one
	done chan struct{}   // closed by Close
	over <-chan struct{} // closed when nothing more can come; nil: never, a node makes new sessions
	ends *atomic.Int64   // counts closed subscriptions, the cluster's; nil: none
	once sync.Once

	mu      sync.Mutex
	ready   []*ring         // guarded by mu: rings with something to give, in turn
	members map[*ring]*feed // guarded by mu: the feed of each ring
	gone    SubscriptionStats

	// The consumer's own.
	batch  []Event // borrowed from lender
	lender *ring   // whose turn it is
	more   bool    // lender has more to give
	next   int
	handed atomic.Uint64 // events
}

// newSubscription checks the options.
func newSubscription(o SubscribeOptions) (*Subscription, error) {
	names, err := compileNames(o.Events)
	if err != nil {
		return nil, fmt.Errorf("ami: subscribe: %w", err)
	}
	if o.RingEvents < 0 || o.RingBytes < 0 {
		return nil, fmt.Errorf("ami: subscribe: a negative buffer (%d events, %d bytes)", o.RingEvents, o.RingBytes)
	}
	s := &Subscription{
		names: names, where: o.Where, ringEvents: o.RingEvents, ringBytes: o.RingBytes, throttle: o.Throttle, packets: o.Packets,
		wake: make(chan struct{}, 1), done: make(chan struct{}), members: make(map[*ring]*feed),
	}
	if s.ringEvents == 0 {
		s.ringEvents = DefaultRingEvents
	}
	if s.ringBytes == 0 {
		s.ringBytes = DefaultRingBytes
	}
	if len(o.Nodes) > 0 {
		s.nodes = make(map[string]bool)
		for _, n := range o.Nodes {
			s.nodes[n] = true
		}
	}
	return s, nil
}

// wants reports whether a borrowed event is for this subscription. It runs in the reader and copies nothing.
func (s *Subscription) wants(node string, m *wire.Message) bool {
	return (s.names == nil || s.names.match(m.Name())) && (s.where == nil || s.where.Match(node, m))
}

// attach joins a node's feed, if the subscription is for that node.
func (s *Subscription) attach(f *feed) {
	if s.nodes != nil && !s.nodes[f.node] {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed() {
		return
	}
	s.members[f.join(s)] = f
}

// detach leaves the feed of a node that is gone; what it queued is discarded.
func (s *Subscription) detach(f *feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r, of := range s.members {
		if of == f { // not by name: a namesake may have been added meanwhile
			s.leave(r)
		}
	}
}

// leave takes a ring out of its feed, and its figures over. Called under mu, so that none of them is missing meanwhile.
func (s *Subscription) leave(r *ring) {
	s.members[r].leave(r)
	s.gone.Add(r.stats())
	delete(s.members, r)
}

func (s *Subscription) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// enqueue puts a ring that became ready in line.
func (s *Subscription) enqueue(r *ring) {
	s.mu.Lock()
	s.ready = append(s.ready, r)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fill takes the next ring's turn, and reports whether anything came of it.
func (s *Subscription) fill() bool {
	s.endTurn()
	for {
		s.mu.Lock()
		if len(s.ready) == 0 {
			s.mu.Unlock()
			return false
		}
		s.lender = s.ready[0]
		s.ready[0] = nil
		if s.ready = s.ready[1:]; len(s.ready) == 0 {
			s.ready = nil
		}
		s.mu.Unlock()
		s.batch, _, s.more = s.lender.pull(s.batch)
		if len(s.batch) > 0 {
			return true
		}
		s.endTurn()
	}
}

// endTurn gives the batch back. Its ring gets in line only now, behind those that became ready meanwhile.
func (s *Subscription) endTurn() {
	clear(s.batch)
	s.batch, s.next = s.batch[:0], 0
	if s.lender == nil {
		return
	}
	s.lender.giveBack()
	if s.more {
		s.enqueue(s.lender)
	}
	s.lender = nil
}

// Next returns the next event or gap. It waits until there is one, ctx is done (its error), the subscription is closed
// (ErrClosed), or it is a [Conn]'s and all that its session left has been handed out (ErrDisconnected).
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	ev, err := s.NextBorrowed(ctx)
	if err != nil {
		return Event{}, err
	}
	return ev.Clone(), nil
}

// Poll returns the next event or gap if one is there, without waiting.
func (s *Subscription) Poll() (Event, bool) {
	ev, ok := s.PollBorrowed()
	if !ok {
		return Event{}, false
	}
	return ev.Clone(), true
}

// NextBorrowed is Next without a copy: the event and every string taken from it are valid until the next call of one of
// the subscription's methods that take events. Clone keeps one for longer.
func (s *Subscription) NextBorrowed(ctx context.Context) (*Event, error) {
	for {
		if s.closed() {
			return nil, ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.next < len(s.batch) || s.fill() {
			return s.hand(), nil
		}
		select {
		case <-s.wake:
		case <-s.done:
		case <-s.over:
			if s.fill() { // what came between the last look and the end
				return s.hand(), nil
			}
			return nil, ErrDisconnected
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// PollBorrowed is Poll without a copy; the event is valid as NextBorrowed says.
func (s *Subscription) PollBorrowed() (*Event, bool) {
	if s.closed() || s.next == len(s.batch) && !s.fill() {
		return nil, false
	}
	return s.hand(), true
}

func (s *Subscription) hand() *Event {
	ev := &s.batch[s.next]
	s.next++
	if ev.Gap == nil {
		s.handed.Add(1)
	}
	return ev
}

// All iterates over the stream: each event or gap with a nil error. When Next would return an error, All yields that as
// its last pair, so that a loop sees why the stream is over.
func (s *Subscription) All(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			ev, err := s.Next(ctx)
			if !yield(ev, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the subscription: what is queued is discarded, and a waiting Next returns ErrClosed.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.done)
		s.ready = nil
		for r := range s.members {
			s.leave(r)
		}
		s.pool.close()
		if s.ends != nil {
			s.ends.Add(1)
		}
	})
}

// SubscriptionStats is a subscription's ledger over all its nodes:
// Offered = Filtered + Delivered + Dropped + Discarded + Queued at every quiescent point.
type SubscriptionStats struct {
	Offered   uint64 `json:"offered"`   // events decoded while it was subscribed
	Filtered  uint64 `json:"filtered"`  // not wanted
	Delivered uint64 `json:"delivered"` // handed to the consumer
	Dropped   uint64 `json:"dropped"`   // lost for want of room
	Discarded uint64 `json:"discarded"` // queued when the subscription or its node was closed
	Queued    uint64 `json:"queued"`

	QueuedBytes uint64 `json:"queued_bytes"`
	PeakEvents  uint64 `json:"peak_events"` // most events queued in one ring; the cap is RingEvents
	PeakBytes   uint64 `json:"peak_bytes"`  // most bytes queued in one ring; the cap is RingBytes
}

// Add adds the figures of another subscription. What is a most is the greater of both.
func (t *SubscriptionStats) Add(o SubscriptionStats) {
	t.Offered += o.Offered
	t.Filtered += o.Filtered
	t.Delivered += o.Delivered
	t.Dropped += o.Dropped
	t.Discarded += o.Discarded
	t.Queued += o.Queued
	t.QueuedBytes += o.QueuedBytes
	t.PeakEvents = max(t.PeakEvents, o.PeakEvents)
	t.PeakBytes = max(t.PeakBytes, o.PeakBytes)
}

func (r *ring) stats() SubscriptionStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return SubscriptionStats{
		Offered: r.offered, Filtered: r.filtered, Delivered: r.pulled, Dropped: r.dropped, Discarded: r.discarded,
		Queued: uint64(r.n), QueuedBytes: uint64(r.bytes), PeakEvents: uint64(r.peakEvents), PeakBytes: uint64(r.peakBytes),
	}
}

// Stats returns the ledger.
func (s *Subscription) Stats() SubscriptionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	handed := s.handed.Load() // before the rings are asked, which are ahead of it
	t := s.gone
	for r := range s.members {
		t.Add(r.stats())
	}
	left := t.Delivered - handed // pulled from a ring, not handed out
	t.Delivered = handed
	if s.closed() {
		t.Discarded += left
	} else {
		t.Queued += left
	}
	return t
}
