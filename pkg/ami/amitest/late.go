package amitest

import "time"

// late is events that were made and are not sent yet: Asterisk changes first and publishes a moment after, so that a
// list is ahead of the events around it.
type late struct {
	by    time.Duration
	queue [][]Event
}

// DelayEvents makes events come so much later than what they tell of, as on a server that is busy; lists and answers
// stay as they are. 0 ends it, behind what waits.
func (s *Server) DelayEvents(by time.Duration) {
	s.emitMu.Lock()
	defer s.emitMu.Unlock()
	s.late.by = by
}

// postpone keeps events for later, if they are to be. emitMu is held.
func (s *Server) postpone(evs []Event) bool {
	if s.late.by == 0 && len(s.late.queue) == 0 {
		return false
	}
	s.late.queue = append(s.late.queue, evs)
	s.after(s.late.by, s.catchUp)
	return true
}

// catchUp sends what has waited longest.
func (s *Server) catchUp() {
	s.emitMu.Lock()
	defer s.emitMu.Unlock()
	if len(s.late.queue) == 0 {
		return
	}
	evs := s.late.queue[0]
	s.late.queue[0] = nil
	s.late.queue = s.late.queue[1:]
	s.send(evs)
}
