package amitest

import "time"

// byteFaults are the faults at work that change how output travels.
type byteFaults struct{ latency, segment, coalesce, cut *armed }

// byteFaults returns nil if there are none, which is the fast case.
func (s *Server) byteFaults() *byteFaults {
	p := s.faults.Load()
	if p == nil {
		return nil
	}
	var bf byteFaults
	for _, a := range p.list {
		if a.over() {
			continue
		}
		switch a.Kind {
		case faultLatency:
			bf.latency = a
		case faultSegment:
			bf.segment = a
		case faultCoalesce:
			bf.coalesce = a
		case faultReset, faultFin:
			if a.After > 0 && a.Action == "" {
				bf.cut = a
			}
		}
	}
	if bf == (byteFaults{}) {
		return nil
	}
	return &bf
}

// parcel is output under way and when it may be written.
type parcel struct {
	outbuf
	due time.Time
}

// flushSlow is flush under faults: it takes output as it comes, writes each piece
// when it is due, and ends when nothing is left. The caller set s.flushing.
func (s *session) flushSlow() {
	var queue []parcel
	for {
		s.mu.Lock()
		for {
			if !s.out.empty() && !s.dead {
				queue = append(queue, s.stamp(queue))
			}
			if s.dead || len(queue) == 0 || s.frozen {
				if s.dead || len(queue) == 0 {
					s.flushing = false
					s.cond.Broadcast()
					s.mu.Unlock()
					return
				}
				s.cond.Wait() // frozen, with output under way
				continue
			}
			wait := time.Until(queue[0].due)
			if wait <= 0 {
				break
			}
			t := time.AfterFunc(wait, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.cond.Broadcast()
			})
			s.cond.Wait()
			t.Stop()
		}
		s.mu.Unlock()
		p := queue[0]
		queue = queue[1:]
		n, err := s.writeSlow(p.b)
		s.bookWritten(&p.outbuf, n)
		if err != nil {
			s.srv.book.killed(err)
			s.kill(false)
		}
	}
}

// stamp takes what the output holds and says when it is due, never before what was
// taken earlier. s.mu is held.
func (s *session) stamp(queue []parcel) parcel {
	var p parcel
	p.outbuf, s.out = s.out, p.outbuf
	p.due = time.Now()
	if bf := s.srv.byteFaults(); bf != nil {
		if bf.latency != nil && bf.latency.fire() {
			p.due = p.due.Add(bf.latency.delay())
		}
		if bf.coalesce != nil && bf.coalesce.fire() {
			p.due = p.due.Add(bf.coalesce.For)
			if n := len(queue); n > 0 {
				p.due = queue[n-1].due
			}
		}
	}
	if n := len(queue); n > 0 && p.due.Before(queue[n-1].due) {
		p.due = queue[n-1].due
	}
	return p
}

// writeSlow writes b in segments and stops where a fault cuts the session off.
func (s *session) writeSlow(b []byte) (int, error) {
	bf := s.srv.byteFaults()
	if bf == nil {
		return s.writeAll(b)
	}
	if bf.cut != nil {
		if s.cutBy != bf.cut {
			s.cutBy, s.cutLeft = bf.cut, bf.cut.After
		}
		if s.cutLeft <= len(b) && bf.cut.fire() {
			n, err := s.writeParts(b[:s.cutLeft], bf.segment)
			s.kill(bf.cut.Kind == faultReset)
			return n, err
		}
		s.cutLeft = max(0, s.cutLeft-len(b)) // it may have passed over this chance
	}
	return s.writeParts(b, bf.segment)
}

// writeParts writes b in the segments that a fault wants.
func (s *session) writeParts(b []byte, segment *armed) (n int, err error) {
	if segment == nil {
		return s.writeAll(b)
	}
	size := max(1, segment.Bytes)
	for n < len(b) {
		k, err := s.writeAll(b[n:min(n+size, len(b))])
		n += k
		if err != nil {
			return n, err
		}
		if segment.Gap > 0 && n < len(b) && !s.linger(segment.Gap) {
			return n, nil
		}
	}
	return n, nil
}
