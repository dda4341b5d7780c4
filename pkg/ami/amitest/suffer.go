package amitest

import (
	"time"
)

// strike carries a fault out at once if it is of that sort; false leaves it to be
// armed.
func (s *Server) strike(f Fault) bool {
	switch f.Kind {
	case FaultFlood:
		s.spawnOpen(func() { s.flood(f) })
	case FaultRestart:
		s.spawnOpen(func() { s.restart(f.For) })
	case FaultFlap:
		s.spawnOpen(func() { s.flap(f) })
	case FaultNewline:
		s.burst(f)
	case FaultGarbage, FaultTruncate, FaultOversize, FaultForeign:
		if !f.Now {
			return false
		}
		s.burst(f)
	case FaultReset, FaultFin, FaultStall, FaultHalfOpen, FaultSlowReader:
		if f.Action != "" || f.After > 0 {
			return false
		}
		for _, sess := range s.snapshot() {
			sess.suffer(f)
		}
	default:
		return false
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
	case FaultReset:
		s.kill(true)
	case FaultFin:
		s.kill(false)
	case FaultHalfOpen:
		s.freeze()
	case FaultStall:
		s.freeze()
		s.srv.after(f.For, s.thaw)
	case FaultSlowReader:
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
func (s *Server) restart(down time.Duration) {
	s.EmitEvent("Shutdown", "Shutdown", "Cleanly", "Restart", "True")
	up := time.Now().Add(down)
	s.SetDown(true)
	if s.sleep(time.Until(up)) {
		s.started.Store(time.Now().UnixNano())
		s.SetDown(false)
	}
}

// maxSettle is how long a session that is about to be closed has to get rid of its
// output; one whose action blocks keeps its events back.
const maxSettle = 200 * time.Millisecond

// settle waits until everything that the session has to write is written, or it
// cannot be.
func (s *session) settle() {
	until := time.Now().Add(maxSettle)
	t := time.AfterFunc(maxSettle, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cond.Broadcast()
	})
	defer t.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.dead && !s.frozen && time.Now().Before(until) && (s.flushing || !s.out.empty() || !s.held.empty()) {
		s.cond.Wait()
	}
}

// linger waits for d; it says whether the session lived that long.
func (s *session) linger(d time.Duration) bool {
	until := time.Now().Add(d)
	t := time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cond.Broadcast()
	})
	defer t.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.dead && time.Now().Before(until) {
		s.cond.Wait()
	}
	return !s.dead
}

func (s *Server) flap(f Fault) {
	for i := 0; f.Times == Always || i < f.Times; i++ {
		if !s.sleep(f.Period) {
			return
		}
		up := time.Now().Add(f.For)
		s.SetDown(true)
		if !s.sleep(time.Until(up)) {
			return
		}
		s.SetDown(false)
	}
}
