package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// NewLoginMix returns the mix of the login-storm workload.
func NewLoginMix() *Mix {
	return &Mix{text: "login", upto: []uint64{1}, kinds: []Kind{{Name: "login", Action: "Login", Weight: 1}}}
}

// A LoginStorm is an Engine whose every action is a session of its own: dial, banner, login, close. The sessions of
// the engine under it stay up meanwhile.
type LoginStorm struct {
	Engine
	books []loginBooks
}

type loginBooks struct {
	accepted, replied, errors, timeouts, unsent atomic.Uint64
}

// NewLoginStorm makes an Engine of that kind.
func NewLoginStorm(e Engine) *LoginStorm {
	return &LoginStorm{Engine: e, books: make([]loginBooks, len(e.Lanes()))}
}

// loginBatch is a Batch that goroutines put ends into.
type loginBatch struct {
	wake chan struct{}
	mu   sync.Mutex
	ends []End // guarded by mu
}

// NewBatch implements Engine.
func (*LoginStorm) NewBatch() Batch { return &loginBatch{wake: make(chan struct{}, 1)} }

// Poll implements Batch.
func (b *loginBatch) Poll() (End, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ends) == 0 {
		return End{}, false
	}
	e := b.ends[0]
	b.ends = b.ends[1:]
	return e, true
}

// Wait implements Batch.
func (b *loginBatch) Wait(ctx context.Context) (End, error) {
	for {
		if e, ok := b.Poll(); ok {
			return e, nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return End{}, ctx.Err()
		}
	}
}

func (b *loginBatch) put(e End) {
	b.mu.Lock()
	b.ends = append(b.ends, e)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Submit implements Engine: it starts a login.
func (s *LoginStorm) Submit(lane int, a *Action, b Batch, f Flight) bool {
	books, timeout := &s.books[lane], a.Timeout
	books.accepted.Add(1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		start := time.Now()
		e := End{Flight: f, Kind: s.Login(ctx, lane)}
		switch e.Kind {
		case EndReply:
			books.replied.Add(1)
		case EndError:
			books.errors.Add(1)
		case EndTimeout:
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

// Stats implements Engine: the books are of the logins, and the sessions that stay up are the engine's own business.
func (s *LoginStorm) Stats(lane int) LaneStats {
	st, b := s.Engine.Stats(lane), &s.books[lane]
	internal := st.Internal
	st.Books = Books{
		Replied: b.replied.Load(), ErrorReplies: b.errors.Load(), TimedOut: b.timeouts.Load(),
		DisconnectedUnsent: b.unsent.Load(), Internal: internal,
	}
	st.Accepted = b.accepted.Load()
	st.Submitted = st.Accepted
	st.InFlight = st.Accepted - st.ended()
	return st
}
