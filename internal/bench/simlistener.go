package bench

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A simListener accepts connections that are as slow, or as dead, as the node's condition says, once the run has begun.
type simListener struct {
	net.Listener
	condition condition
	begun     *atomic.Bool
}

func listenSim(c condition, begun *atomic.Bool) (*simListener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("bench: simulator: %w", err)
	}
	return &simListener{l, c, begun}, nil
}

// Accept implements net.Listener.
func (l *simListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || l.condition.Delay == 0 && !l.condition.Stall {
		return c, err
	}
	return &simConn{Conn: c, l: l, closed: make(chan struct{})}, nil
}

// A simConn reads late, or never again.
type simConn struct {
	net.Conn
	l      *simListener
	once   sync.Once
	closed chan struct{}
}

// Read implements net.Conn. A hung server's process never gets what its kernel took.
func (c *simConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.l.begun.Load() || err != nil {
		return n, err
	}
	if c.l.condition.Stall {
		<-c.closed
		return 0, net.ErrClosed
	}
	select {
	case <-time.After(c.l.condition.Delay):
	case <-c.closed:
	}
	return n, nil
}

// Close implements net.Conn.
func (c *simConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
