package amitest

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
)

// Ledger is what the server itself counted, as a value that tests compare with
// the client's own books. It is exact when nothing is under way.
type Ledger struct {
	ActionsReceived uint64 // messages read whole, well formed or not
	RepliesSent     uint64 // replies written to the last byte, errors and ends of lists included
	ErrorsSent      uint64 // of those, Response: Error
	ItemsSent       uint64 // list items written to the last byte
	EventsEmitted   uint64 // events generated, once each whoever sees them
	EventsWritten   uint64 // events written to the last byte, over all sessions
	JunkWritten     uint64 // packets that a fault made up
	BytesIn         uint64
	BytesOut        uint64

	Accepted       uint64 // connections accepted
	Sessions       int    // connections open now
	Logins         uint64 // logins accepted
	LoginsRefused  uint64
	AuthLimited    uint64 // connections closed before the banner
	AuthTimeouts   uint64 // connections closed for want of a login
	SlowReaders    uint64 // sessions closed because a write took too long
	WriteErrors    uint64 // sessions closed because a write failed otherwise
	Overflows      uint64 // sessions closed because their event queue outgrew its bound
	FaultsInjected uint64

	// ByID counts the actions received with each ActionID; only with
	// WithActionIDs.
	ByID map[string]int
	// IDsDropped counts actions left out of ByID because it was full.
	IDsDropped uint64
	// BySession has the sessions, open or gone, in the order they came; the
	// oldest gone ones are forgotten beyond 1,024.
	BySession []SessionLedger
}

// SessionLedger is what the server knows of one session.
type SessionLedger struct {
	ID   uint64
	User string
	Open bool
	// Written has the numbers of the events written whole to this session; only
	// with WithEventNumbers.
	Written []Range
	// WrittenLost counts numbers left out of Written because there were too
	// many ranges.
	WrittenLost uint64
}

// Delivered returns how many numbered events the session was sent.
func (l SessionLedger) Delivered() uint64 {
	n := l.WrittenLost
	for _, r := range l.Written {
		n += r.Last - r.First + 1
	}
	return n
}

// maxGone is how many ended sessions the ledger remembers.
const maxGone = 1024

// writeTally is what one flush wrote.
type writeTally struct {
	kinds [markKinds]uint64
	bytes uint64
}

// book keeps a server's ledger.
type book struct {
	mu    sync.Mutex // guards the rest; a leaf, nothing is called under it
	l     Ledger
	ids   map[string]int // nil unless wanted
	idCap int
	gone  []SessionLedger
}

func (b *book) session(t *counters) {
	if *t == (counters{}) {
		return
	}
	b.mu.Lock()
	b.l.ActionsReceived += t.actions
	b.l.BytesIn += t.bytesIn
	b.mu.Unlock()
	*t = counters{}
}

func (b *book) written(t *writeTally) {
	b.mu.Lock()
	b.l.BytesOut += t.bytes
	b.l.RepliesSent += t.kinds[markReply] + t.kinds[markError]
	b.l.ErrorsSent += t.kinds[markError]
	b.l.ItemsSent += t.kinds[markItem]
	b.l.EventsWritten += t.kinds[markEvent]
	b.l.JunkWritten += t.kinds[markJunk]
	b.mu.Unlock()
}

func (b *book) emitted(n int) {
	b.mu.Lock()
	b.l.EventsEmitted += uint64(n)
	b.mu.Unlock()
}

// count adds one to a field of the ledger chosen by the caller.
func (b *book) count(field func(*Ledger) *uint64) {
	b.mu.Lock()
	*field(&b.l)++
	b.mu.Unlock()
}

func (b *book) overflow() { b.count(func(l *Ledger) *uint64 { return &l.Overflows }) }

func (b *book) killed(err error) {
	b.mu.Lock()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.l.SlowReaders++
	} else {
		b.l.WriteErrors++
	}
	b.mu.Unlock()
}

// byID notes an action's ID.
func (b *book) byID(id []byte) {
	b.mu.Lock()
	switch _, known := b.ids[string(id)]; {
	case known || len(b.ids) < b.idCap:
		b.ids[string(id)]++
	default:
		b.l.IDsDropped++
	}
	b.mu.Unlock()
}

func (b *book) closed(s SessionLedger) {
	b.mu.Lock()
	b.gone = append(b.gone, s)
	if over := len(b.gone) - maxGone; over > 0 {
		b.gone = slices.Delete(b.gone, 0, over)
	}
	b.mu.Unlock()
}

// Ledger returns what the server counted so far.
func (s *Server) Ledger() Ledger {
	open := s.snapshot()
	s.book.mu.Lock()
	l := s.book.l
	l.ByID = maps.Clone(s.book.ids)
	l.BySession = slices.Clone(s.book.gone)
	s.book.mu.Unlock()
	l.Sessions = len(open)
	for _, sess := range open {
		l.BySession = append(l.BySession, sess.ledger(true))
	}
	slices.SortFunc(l.BySession, func(a, b SessionLedger) int { return int(a.ID) - int(b.ID) })
	return l
}

func (s *session) ledger(open bool) SessionLedger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SessionLedger{
		ID: s.id, User: s.user, Open: open,
		Written: slices.Clone(s.wrote.ranges), WrittenLost: s.wrote.lost,
	}
}
