package amitest

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/manager"
)

// session is one manager session: one goroutine that reads, runs actions one at
// a time and writes their answers, as Asterisk's session thread does. Events of
// other goroutines are written by a goroutine that lives only while there is
// something to write, so an idle session costs one.
type session struct {
	srv  *Server
	conn net.Conn
	id   uint64

	// Of the session's goroutine alone.
	in         manager.Input
	batch      outbuf // answers to the actions of one read
	now        time.Time
	req        Request
	w          ResponseWriter
	chal       string
	tally      counters
	from, mark int  // where the running action's answer starts in batch
	limited    bool // the connection has a read deadline

	// Written by the session's goroutine with mu held, once, at login.
	user  string
	read  Class
	write Class

	mu       sync.Mutex // guards what follows; never held across I/O or a sleep
	cond     sync.Cond  // broadcast when flushing ends, out drains or the session dies
	out      outbuf     // may be written now
	held     outbuf     // events that wait for the running action to end
	mask     Class      // send_events: what the client asked for
	authed   bool
	busy     bool // an action runs: events go to held
	flushing bool // someone writes out
	frozen   bool // a fault: nothing is written, no action runs
	dead     bool // nothing more is written
	reset    bool // died by its own or an injected fault, not by a goodbye
	filters  []manager.Filter
	wrote    numbers  // of the events written completely
	shuffled []outbuf // a fault: answers kept back

	gone bool // taken from the server's list; guarded by the server's mu

	// Of whoever flushes.
	cutBy   *armed
	cutLeft int
}

// counters are tallies of a session's goroutine, merged into the server's
// ledger whenever a batch ends.
type counters struct {
	actions, bytesIn uint64
}

func newSession(srv *Server, conn net.Conn, id uint64) *session {
	s := &session{srv: srv, conn: conn, id: id, mask: ClassAll}
	s.cond.L = &s.mu
	s.w.sess = s
	s.req.sess, s.req.in = s, &s.in
	return s
}

// run serves the session until it ends.
func (s *session) run() {
	started := time.Now()
	if t, ok := s.conn.(*stallConn); ok {
		// Before the first write, whose time limit would count for it.
		_ = s.conn.SetDeadline(started.Add(s.srv.cfg.settings.AuthTimeout))
		if t.handshake() != nil {
			s.end()
			return
		}
	}
	s.sendBanner()
	small := make([]byte, idleRead)
	buf, have := small, 0
	for have >= 0 && !s.isDead() {
		big := len(buf) > idleRead
		n, err := s.fill(buf[have:], big, started)
		switch {
		case n > 0:
			have += n
			full := have == len(buf)
			have = s.consume(buf, have)
			if full && !big && have >= 0 {
				// The client pipelines: read in big steps for a while.
				buf = getBuf()
				copy(buf, small[:have])
			}
		case big && errors.Is(err, os.ErrDeadlineExceeded):
			// The burst is over: wait with the small buffer.
			copy(small, buf[:have])
			putBuf(buf)
			buf = small
			s.in.Shrink()
		default:
			if !s.authed && errors.Is(err, os.ErrDeadlineExceeded) {
				s.srv.book.count(func(l *Ledger) *uint64 { return &l.AuthTimeouts })
			}
			have = -1
		}
	}
	if len(buf) > idleRead {
		putBuf(buf)
	}
	s.end()
}

// idleRead is the read buffer of an idle session, in bytes. It holds more than
// one line, so a partial line always leaves room.
const idleRead = 2 * manager.MaxLine

// burstIdle is how long a pipelining session keeps its big buffer.
const burstIdle = 50 * time.Millisecond

// fill reads once into buf. The deadline is the login's, then the burst's, then
// none.
func (s *session) fill(buf []byte, big bool, started time.Time) (int, error) {
	var until time.Time
	switch {
	case !s.authed: // set by this goroutine only, so read without the lock
		until = started.Add(s.srv.cfg.settings.AuthTimeout)
	case big:
		until = time.Now().Add(burstIdle)
	}
	if !until.IsZero() || s.limited {
		s.limited = !until.IsZero()
		_ = s.conn.SetReadDeadline(until)
	}
	n, err := s.conn.Read(buf)
	s.tally.bytesIn += uint64(n)
	return n, err
}

// consume runs every complete message of buf[:have] and moves the rest to the
// front. It returns how many bytes remain, or -1 if the session must end.
func (s *session) consume(buf []byte, have int) int {
	s.begin()
	data := buf[:have]
	for {
		n, v := s.in.Feed(data)
		data = data[n:]
		if v == manager.NeedMore {
			break
		}
		if !s.message(v) {
			s.commit()
			return -1
		}
		if s.heldEvents() || len(s.batch.b) >= pooled/2 {
			s.commit()
			s.begin()
		}
	}
	rest := copy(buf, data)
	s.commit()
	if s.isDead() {
		return -1
	}
	return rest
}

// begin marks the session as running actions: from here on events wait.
func (s *session) begin() {
	s.now = time.Now()
	s.mu.Lock()
	s.busy = true
	s.mu.Unlock()
	if s.batch.empty() {
		s.batch.prepare()
	}
}

func (s *session) heldEvents() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.held.empty()
}

// commit ends the running actions: it hands their answers to the output, then
// the events that waited for them.
func (s *session) commit() { s.pass(false) }

// pass hands the answers so far to the output and writes, unless somebody does
// so already. busy says whether an action still runs, so that events wait on.
func (s *session) pass(busy bool) {
	s.from, s.mark = 0, 0
	s.srv.book.session(&s.tally)
	s.mu.Lock()
	s.busy = busy
	if s.dead {
		s.mu.Unlock()
		s.batch.reset()
		return
	}
	s.out.move(&s.batch)
	if !busy {
		s.out.move(&s.held)
		s.held.shrink()
	}
	if s.flushing || s.frozen || s.out.empty() {
		s.cond.Broadcast()
		for len(s.out.b) > s.srv.cfg.settings.QueueLimit && !s.dead {
			s.cond.Wait() // a client that does not read is not read from either
		}
		s.mu.Unlock()
		s.batch.shrink()
		return
	}
	s.flushing = true
	s.mu.Unlock()
	s.batch.shrink()
	if s.srv.byteFaults() != nil {
		s.srv.spawn(s.flushSlow)
		return
	}
	s.flush(1)
}

// end writes what is left, closes the connection and books the session.
func (s *session) end() {
	s.commit()
	s.mu.Lock()
	for s.flushing && !s.dead && !s.frozen {
		s.cond.Wait()
	}
	s.mu.Unlock()
	s.kill(false)
	s.mu.Lock()
	for s.flushing {
		s.cond.Wait()
	}
	s.mu.Unlock()
	_ = s.conn.Close()
}

// kill ends the session without writing anything more. It is safe to call from
// any goroutine, any number of times.
func (s *session) kill(reset bool) {
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		return
	}
	s.dead, s.reset = true, reset
	s.cond.Broadcast()
	s.mu.Unlock()
	if reset {
		abort(s.conn)
	}
	_ = s.conn.Close()
}

// drop ends the session and waits until it is gone for everybody but the handler that
// it may still be in.
func (s *session) drop(reset bool) {
	s.kill(reset)
	s.mu.Lock()
	for s.flushing {
		s.cond.Wait()
	}
	s.mu.Unlock()
	s.srv.remove(s)
}

// abort closes c with a reset, and TLS without a goodbye.
func abort(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = c.Close()
}

func (s *session) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

func (s *session) isAuthed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.authed
}
