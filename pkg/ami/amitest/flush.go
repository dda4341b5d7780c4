package amitest

import (
	"bytes"
	"errors"
	"os"
	"time"

	"github.com/apntalk/amictl/internal/manager"
)

// maxWrite is the largest single write, in bytes: the time limit of a write
// counts for it as a whole.
const maxWrite = 256 << 10

// flush writes what the output holds, at most chunks times (0: until nothing is
// left), and leaves the rest to a goroutine of its own. The caller has set
// s.flushing and hands that over.
func (s *session) flush(chunks int) {
	var chunk outbuf
	for i := 0; ; i++ {
		if s.srv.byteFaults() != nil {
			chunk.reset()
			chunk.shrink()
			s.srv.spawn(s.flushSlow)
			return
		}
		s.mu.Lock()
		if s.frozen && !s.dead {
			s.flushing = false
			s.cond.Broadcast()
			s.mu.Unlock()
			return
		}
		if s.dead || s.out.empty() {
			s.flushing = false
			s.out.reset() // what a dead session still held
			s.out.shrink()
			s.cond.Broadcast()
			s.mu.Unlock()
			chunk.reset()
			chunk.shrink()
			return
		}
		if chunks > 0 && i == chunks {
			s.mu.Unlock()
			s.srv.spawn(func() { s.flush(0) })
			return
		}
		chunk.reset()
		chunk, s.out = s.out, chunk
		s.cond.Broadcast()
		s.mu.Unlock()

		n, err := s.writeAll(chunk.b)
		s.bookWritten(&chunk, n)
		if err != nil {
			s.srv.book.killed(err)
			s.kill(false)
		}
	}
}

// writeAll writes b. As in Asterisk each string has writetimeout to be written
// whole (ast_iostream_set_timeout_sequence in send_string): past it the session
// is lost, wherever in the string it stopped.
func (s *session) writeAll(b []byte) (n int, err error) {
	for n < len(b) {
		part := b[n:min(n+maxWrite, len(b))]
		_ = s.conn.SetWriteDeadline(time.Now().Add(s.srv.cfg.settings.WriteTimeout))
		k, err := s.conn.Write(part)
		n += k
		if err == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// The first packet of the part went out whole, so it was in time.
			if first := bytes.Index(part, packetEnd); first >= 0 && k >= first+len(packetEnd) {
				continue
			}
		}
		return n, err
	}
	return n, nil
}

var packetEnd = []byte("\r\n\r\n")

// bookWritten counts the packets of chunk that lie wholly in its first n bytes.
func (s *session) bookWritten(chunk *outbuf, n int) {
	var t writeTally
	t.bytes = uint64(n)
	s.mu.Lock()
	for i := range chunk.marks {
		m := &chunk.marks[i]
		if m.end > n {
			break
		}
		t.kinds[m.kind]++
		if m.num != 0 {
			s.wrote.add(m.num)
		}
	}
	s.mu.Unlock()
	s.srv.book.written(&t)
}

// push appends one encoded run of events, whose marks are relative to it. It
// returns whether the queue is over its limit.
func (s *session) push(run *outbuf, all Class) (over bool) {
	s.mu.Lock()
	if s.dead || !s.authed {
		s.mu.Unlock()
		return false
	}
	to := &s.out
	if s.busy {
		to = &s.held
	}
	if to.empty() && len(run.b) > keep {
		to.prepare()
	}
	allowed := s.mask & s.read
	switch {
	case all&^allowed == 0 && len(s.filters) == 0:
		to.appendMarks(run.marks, len(to.b))
		to.b = append(to.b, run.b...)
	default:
		s.pushSome(to, run, allowed)
	}
	over = len(s.out.b) > s.srv.cfg.settings.QueueLimit
	if most := heldFactor * s.srv.cfg.settings.QueueLimit; s.busy && len(s.held.b) > most || s.frozen && len(s.out.b) > most {
		s.mu.Unlock()
		s.srv.book.overflow()
		s.kill(true)
		return false
	}
	start := !s.busy && !s.flushing && !s.frozen && !s.out.empty()
	if start {
		s.flushing = true
	} else if s.flushing {
		s.cond.Broadcast() // a slow flush waits for more
	}
	s.mu.Unlock()
	if start {
		s.srv.spawn(func() { s.flush(0) })
	}
	return over
}

// heldFactor bounds the events kept for a session whose action blocks, or that a
// fault froze, in queue limits. Asterisk keeps them without bound.
const heldFactor = 8

// pushSome appends those events of run that the session may and wants to see.
// s.mu is held.
func (s *session) pushSome(to, run *outbuf, allowed Class) {
	start := 0
	for _, m := range run.marks {
		ev := run.b[start:m.end]
		start = m.end
		if m.class&^allowed != 0 || len(s.filters) > 0 && !manager.Passes(s.filters, string(ev)) {
			continue
		}
		to.b = append(to.b, ev...)
		m.end = len(to.b)
		to.marks = append(to.marks, m)
	}
}

// waitRoom waits until the session's queue is within its limit again or the
// session is gone.
func (s *session) waitRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.dead && s.flushing && len(s.out.b) > s.srv.cfg.settings.QueueLimit {
		s.cond.Wait()
	}
}
