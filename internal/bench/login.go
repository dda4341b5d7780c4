package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// newLoginMix returns the mix of the login-storm workload.
func newLoginMix() *Mix {
	return &Mix{text: "login", upto: []uint64{1}, kinds: []kind{{Name: "login", Action: "Login", Weight: 1}}}
}

// A loginStorm is an engine whose every action is a session of its own: dial, banner, login, close. The sessions of
// the engine under it stay up meanwhile.
type loginStorm struct {
	engine
	books []loginBooks
}

type loginBooks struct {
	accepted, replied, errors, timeouts, unsent atomic.Uint64
}

// newLoginStorm makes an engine of that kind.
func newLoginStorm(e engine) *loginStorm {
	return &loginStorm{engine: e, books: make([]loginBooks, len(e.Lanes()))}
}

// loginBatch is a batch that goroutines put ends into.
type loginBatch struct {
	wake chan struct{}
	mu   sync.Mutex
	ends []ending // guarded by mu
}

// NewBatch implements engine.
func (*loginStorm) NewBatch() batch { return &loginBatch{wake: make(chan struct{}, 1)} }

// Poll implements batch.
func (b *loginBatch) Poll() (ending, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ends) == 0 {
		return ending{}, false
	}
	e := b.ends[0]
	b.ends = b.ends[1:]
	return e, true
}

// Wait implements batch.
func (b *loginBatch) Wait(ctx context.Context) (ending, error) {
	for {
		if e, ok := b.Poll(); ok {
			return e, nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return ending{}, ctx.Err()
		}
	}
}

func (b *loginBatch) put(e ending) {
	b.mu.Lock()
	b.ends = append(b.ends, e)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Submit implements engine: it starts a login.
func (s *loginStorm) Submit(lane int, a *action, b batch, f flight) bool {
	books, timeout := &s.books[lane], a.Timeout
	books.accepted.Add(1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		start := time.Now()
		e := ending{Flight: f, Kind: s.Login(ctx, lane)}
		switch e.Kind {
		case endReply:
			books.replied.Add(1)
		case endError:
			books.errors.Add(1)
		case endTimeout:
			books.timeouts.Add(1)
		default:
			books.unsent.Add(1)
		}
		if e.Kind.Answered() {
			e.Received = time.Now()
			e.Service = e.Received.Sub(start)
		}
		b.(*loginBatch).put(e)
	}()
	return true
}

// Stats implements engine: the books are of the logins, and the sessions that stay up are the engine's own business.
func (s *loginStorm) Stats(lane int) laneStats {
	st, b := s.engine.Stats(lane), &s.books[lane]
	ledger := ami.Ledger{
		Replied: b.replied.Load(), ErrorReplies: b.errors.Load(), TimedOut: b.timeouts.Load(), DisconnectedUnsent: b.unsent.Load(),
	}
	ledger.Accepted = b.accepted.Load()
	ledger.Submitted = ledger.Accepted
	ledger.InFlight = ledger.Accepted - ledger.Ended()
	st.Books = Books{Ledger: ledger, Internal: st.Internal}
	return st
}
