package amitest

import (
	"context"
	"time"
)

// strike carries a fault out at once if it is of that sort; false leaves it to be
// armed.
func (s *Server) strike(f Fault) bool {
	switch f.Kind {
	case faultFlood:
		s.work(f, s.flood)
	case faultRestart:
		s.work(f, s.restart)
	case faultFlap:
		s.work(f, s.flap)
	case deedKick:
		s.work(f, s.again)
	case faultNewline:
		s.burst(f)
	case faultGarbage, faultTruncate, faultOversize, faultForeign:
		if !f.Now {
			return false
		}
		s.burst(f)
	default:
		if !f.atOnce() {
			return false
		}
		if f.Period > 0 {
			s.work(f, s.again)
			return true
		}
		for _, sess := range s.snapshot() {
			sess.suffer(f)
		}
	}
	return true
}

// spawnOpen runs f in a goroutine unless the server is closed.
func (s *Server) spawnOpen(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.spawn(f)
	}
}

// suffer does to one session what the fault says.
func (s *session) suffer(f Fault) {
	switch f.Kind {
	case faultReset:
		s.drop(true)
	case faultFin:
		s.drop(false)
	case faultHalfOpen:
		s.freeze()
	case faultStall:
		s.freeze()
		s.srv.after(f.For, s.thaw)
	case faultSlowReader:
		s.srv.spawnOpen(func() { s.cutShort() })
	}
}

// freeze stops the session: it writes nothing and runs no action until thawed.
func (s *session) freeze() {
	s.mu.Lock()
	s.frozen = true
	s.mu.Unlock()
}

func (s *session) thaw() {
	s.mu.Lock()
	s.frozen = false
	s.cond.Broadcast()
	s.mu.Unlock()
	s.wake()
}

// waitThawed waits while the session is frozen.
func (s *session) waitThawed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.frozen && !s.dead {
		s.cond.Wait()
	}
}

// wake starts a flush if there is something to write and nobody writes.
func (s *session) wake() {
	s.mu.Lock()
	start := !s.dead && !s.flushing && !s.frozen && !s.out.empty()
	if start {
		s.flushing = true
	} else {
		s.cond.Broadcast()
	}
	s.mu.Unlock()
	if start {
		s.srv.spawnOpenElse(func() { s.flush(0) }, s.stopFlush)
	}
}

func (s *session) stopFlush() {
	s.mu.Lock()
	s.flushing = false
	s.cond.Broadcast()
	s.mu.Unlock()
}

// spawnOpenElse is spawnOpen with something to do if the server is closed.
func (s *Server) spawnOpenElse(f, closed func()) {
	s.mu.Lock()
	open := !s.closed
	if open {
		s.spawn(f)
	}
	s.mu.Unlock()
	if !open {
		closed()
	}
}

// cutShort ends a session in the middle of a packet, as the server does to a client
// that stopped reading.
func (s *session) cutShort() {
	var o outbuf
	o.junk([]byte("Event: Newexten\r\nPrivilege: dialplan,all\r\nChannel: PJSIP/100-000"))
	s.inject(&o)
	s.settle()
	s.srv.book.count(func(l *Ledger) *uint64 { return &l.SlowReaders })
	s.kill(false)
}

// restart announces a stop, drops every session, refuses connections for a while
// and comes back.
func (s *Server) restart(ctx context.Context, f Fault) {
	s.EmitEvent("Shutdown", "Shutdown", "Cleanly", "Restart", "True")
	s.away(ctx, f.For)
	s.started.Store(time.Now().UnixNano())
	s.SetDown(false)
}

// away takes the server down and waits for d from then on, less if ctx ends.
func (s *Server) away(ctx context.Context, d time.Duration) {
	up := time.Now().Add(d)
	s.SetDown(true)
	_ = pause(ctx, time.Until(up))
}

// again carries a fault out each period.
func (s *Server) again(ctx context.Context, f Fault) {
	once := f
	once.Period = 0
	for i := 0; f.Times == always || i < f.Times; i++ {
		if pause(ctx, f.Period) != nil {
			return
		}
		if deed := deeds()[f.Kind]; deed != nil {
			deed(s)
		} else {
			s.strike(once)
		}
	}
}

// maxSettle is how long a session that is about to be closed has to get rid of its
// output; one whose action blocks keeps its events back.
const maxSettle = 200 * time.Millisecond

// settle waits until everything that the session has to write is written, or it
// cannot be.
func (s *session) settle() {
	s.waitWhile(maxSettle, func() bool { return !s.frozen && (s.flushing || !s.out.empty() || !s.held.empty()) })
}

// linger waits for d; it says whether the session lived that long.
func (s *session) linger(d time.Duration) bool {
	return s.waitWhile(d, func() bool { return true })
}

// waitWhile waits while the session lives and busy, which is called under mu, is true, but no longer than d; it says
// whether the session lives.
func (s *session) waitWhile(d time.Duration, busy func() bool) bool {
	until := time.Now().Add(d)
	t := time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cond.Broadcast()
	})
	defer t.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.dead && time.Now().Before(until) && busy() {
		s.cond.Wait()
	}
	return !s.dead
}

func (s *Server) flap(ctx context.Context, f Fault) {
	for i := 0; f.Times == always || i < f.Times; i++ {
		if pause(ctx, f.Period) != nil {
			return
		}
		s.away(ctx, f.For)
		s.SetDown(false)
	}
}
