package amitest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memListener is a listener on a Network.
type memListener struct {
	network *Network
	key     string
	host    string
	addr    net.Addr

	mu     sync.Mutex // guards what follows
	cond   sync.Cond
	queue  []net.Conn
	closed bool
}

// offer queues a connection to be accepted; false if the listener is closed.
func (l *memListener) offer(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.queue = append(l.queue, c)
	l.cond.Signal()
	return true
}

// Accept waits for the next connection.
func (l *memListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.cond.Wait()
	}
	if l.closed {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	return c, nil
}

// Close stops listening and resets what was not accepted.
func (l *memListener) Close() error {
	l.network.mu.Lock()
	if l.network.listeners[l.key] == l {
		delete(l.network.listeners, l.key)
	}
	l.network.mu.Unlock()
	l.mu.Lock()
	left := l.queue
	l.queue, l.closed = nil, true
	l.cond.Broadcast()
	l.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
	return nil
}

// Addr returns the name and port it listens as.
func (l *memListener) Addr() net.Addr { return l.addr }

// memConn is one end of a connection.
type memConn struct {
	network       *Network
	host          *host
	rd, wr        *pipe
	local, remote net.Addr
	once          sync.Once
	linger        bool
	server        bool
}

// pair makes the two ends of a connection to h. n.mu is held.
func (n *Network) pair(h *host, local, remote net.Addr, link Link) (client, server *memConn) {
	up, down := newPipe(n.buffer, link), newPipe(n.buffer, link)
	client = &memConn{network: n, host: h, rd: down, wr: up, local: local, remote: remote}
	server = &memConn{network: n, host: h, rd: up, wr: down, local: remote, remote: local, server: true}
	h.conns[server] = struct{}{}
	return client, server
}

// Read reads what arrived.
func (c *memConn) Read(b []byte) (int, error) {
	n, err := c.rd.read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &net.OpError{Op: "read", Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
	}
	return n, err
}

// Write writes, waiting while the other end's buffer is full.
func (c *memConn) Write(b []byte) (int, error) {
	n, err := c.wr.write(b)
	if err != nil {
		err = &net.OpError{Op: "write", Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
	}
	return n, err
}

// Close closes both directions: the other end reads what is left, then EOF; if
// this end had bytes unread, or linger is 0, a reset instead.
func (c *memConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = nil
		unread := c.rd.closeRead()
		c.wr.close(unread || c.linger)
		if c.server {
			c.network.forget(c.host, c)
		}
	})
	if err != nil {
		return &net.OpError{Op: "close", Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
	}
	return nil
}

// CloseWrite sends a FIN and leaves the other direction open.
func (c *memConn) CloseWrite() error {
	c.wr.closeWrite()
	return nil
}

// SetLinger with 0 makes Close send a reset.
func (c *memConn) SetLinger(sec int) error {
	c.linger = sec == 0
	return nil
}

// LocalAddr returns this end's address.
func (c *memConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the other end's address.
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *memConn) SetDeadline(t time.Time) error {
	c.rd.setReadDeadline(t)
	c.wr.setWriteDeadline(t)
	return nil
}

// SetReadDeadline limits Read.
func (c *memConn) SetReadDeadline(t time.Time) error {
	c.rd.setReadDeadline(t)
	return nil
}

// SetWriteDeadline limits Write.
func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.wr.setWriteDeadline(t)
	return nil
}

// flight is a run of bytes and when it arrives.
type flight struct {
	end int // bytes from the start of buf
	due time.Time
}

// pipe is one direction of a connection: a bounded buffer with a link in front.
type pipe struct {
	mu      sync.Mutex // guards the rest; held for copying only
	cond    sync.Cond  // broadcast at every change
	buf     []byte     // a ring, grown on demand up to max
	at, len int
	max     int
	link    Link
	flights []flight // with a link only: when which byte is due
	lastDue time.Time
	cut     bool  // partitioned
	gone    bool  // the reader closed
	fin     bool  // the writer closed
	closed  bool  // the writer closed with a reset, which a partition holds up
	err     error // reset
	rdLimit time.Time
	wrLimit time.Time
}

func newPipe(size int, link Link) *pipe {
	p := &pipe{max: size, link: link}
	p.cond.L = &p.mu
	return p
}

// wait waits for a change, until limit, if set, or wake, if set. mu is held.
func (p *pipe) wait(limit, wake time.Time) {
	first := limit
	if first.IsZero() || (!wake.IsZero() && wake.Before(first)) {
		first = wake
	}
	if !first.IsZero() {
		// No timer runs while nobody waits: most deadlines never cost one.
		t := time.AfterFunc(time.Until(first), p.broadcast)
		defer t.Stop()
	}
	p.cond.Wait()
}

func (p *pipe) broadcast() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cond.Broadcast()
}

func past(limit time.Time) bool { return !limit.IsZero() && !time.Now().Before(limit) }

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.gone {
			return 0, net.ErrClosed
		}
		if past(p.rdLimit) {
			return 0, os.ErrDeadlineExceeded
		}
		ready, next := p.ready()
		switch {
		case ready > 0:
			n := p.take(b[:min(len(b), ready)])
			p.cond.Broadcast()
			return n, nil
		case p.err != nil:
			return 0, p.err
		case p.closed && !p.cut:
			return 0, syscall.ECONNRESET
		case p.fin && p.len == 0 && !p.cut:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		p.wait(p.rdLimit, next)
	}
}

// ready returns how many bytes have arrived and when the next will. mu is held.
func (p *pipe) ready() (n int, next time.Time) {
	if p.cut {
		return 0, time.Time{}
	}
	if len(p.flights) == 0 {
		return p.len, time.Time{}
	}
	now := time.Now()
	for _, f := range p.flights {
		if f.due.After(now) {
			return n, f.due
		}
		n = f.end
	}
	return n, time.Time{}
}

// take copies arrived bytes out. mu is held.
func (p *pipe) take(b []byte) int {
	n := copy(b, p.buf[p.at:min(p.at+p.len, len(p.buf))])
	if n < len(b) {
		n += copy(b[n:], p.buf[:len(b)-n])
	}
	p.at = (p.at + n) % len(p.buf)
	p.len -= n
	keep := p.flights[:0]
	for _, f := range p.flights {
		if f.end -= n; f.end > 0 {
			keep = append(keep, f)
		}
	}
	p.flights = keep
	if p.len == 0 {
		p.at = 0
		if len(p.buf) > 4096 {
			p.buf = nil // an idle connection holds no buffer
		}
	}
	return n
}

func (p *pipe) write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.fin:
			return n, net.ErrClosed
		case p.err != nil:
			return n, p.err
		case p.gone && !p.cut: // through a partition nobody hears of it
			return n, syscall.EPIPE
		case past(p.wrLimit):
			return n, os.ErrDeadlineExceeded
		}
		if room := p.max - p.len; room > 0 {
			k := min(room, len(b)-n)
			p.put(b[n : n+k])
			n += k
			p.cond.Broadcast()
		}
		if n == len(b) {
			return n, nil
		}
		p.wait(p.wrLimit, time.Time{})
	}
}

// put appends bytes that fit. mu is held.
func (p *pipe) put(b []byte) {
	if len(b) == 0 {
		return
	}
	if need := p.len + len(b); need > len(p.buf) {
		size := max(512, len(p.buf))
		for size < need {
			size *= 2
		}
		bigger := make([]byte, min(size, max(p.max, need)))
		held := p.len
		n := copy(bigger, p.buf[p.at:min(p.at+held, len(p.buf))])
		copy(bigger[n:held], p.buf)
		p.buf, p.at = bigger, 0
	}
	tail := (p.at + p.len) % len(p.buf)
	n := copy(p.buf[tail:], b)
	copy(p.buf, b[n:])
	p.len += len(b)
	if p.link == (Link{}) {
		return
	}
	due := time.Now().Add(p.link.Latency)
	if due.Before(p.lastDue) {
		due = p.lastDue
	}
	if p.link.Bandwidth > 0 {
		due = due.Add(time.Duration(len(b)) * time.Second / time.Duration(p.link.Bandwidth))
	}
	p.lastDue = due
	p.flights = append(p.flights, flight{p.len, due})
}

func (p *pipe) setReadDeadline(t time.Time) {
	p.mu.Lock()
	p.rdLimit = t
	p.cond.Broadcast()
	p.mu.Unlock()
}

func (p *pipe) setWriteDeadline(t time.Time) {
	p.mu.Lock()
	p.wrLimit = t
	p.cond.Broadcast()
	p.mu.Unlock()
}

func (p *pipe) setCut(cut bool) {
	p.mu.Lock()
	p.cut = cut
	p.cond.Broadcast()
	p.mu.Unlock()
}

// closeRead closes the reader's end; unread says whether bytes were thrown away.
func (p *pipe) closeRead() (unread bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone, unread = true, p.len > 0
	p.buf, p.at, p.len, p.flights = nil, 0, 0, nil
	p.cond.Broadcast()
	return unread
}

func (p *pipe) closeWrite() { p.close(false) }

// close closes the writer's end, with a reset if that is wanted.
func (p *pipe) close(reset bool) {
	p.mu.Lock()
	p.fin, p.closed = true, p.closed || reset
	p.cond.Broadcast()
	p.mu.Unlock()
}

// fail resets the direction: what arrived can still be read, then err.
func (p *pipe) fail(err error) {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
	}
	p.cond.Broadcast()
	p.mu.Unlock()
}
