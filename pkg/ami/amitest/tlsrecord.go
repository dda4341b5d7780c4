package amitest

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/apntalk/amictl/internal/manager"
)

// tlsListener accepts TLS connections that read as Asterisk does.
type tlsListener struct {
	net.Listener
	conf *tls.Config
}

// Accept returns the next connection; its handshake runs with its first read.
func (l tlsListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	rec := &recordConn{Conn: c, br: bufio.NewReaderSize(c, 2048)}
	return &stallConn{Conn: tls.Server(rec, l.conf), rec: rec}, nil
}

// stallConn is a TLS connection that waits for the raw socket before every read and
// then reads at most the server's line buffer, without asking TLS what it still
// holds. So the rest of a record over 1024 bytes waits until more bytes arrive
// (ast_wait_for_input and ast_iostream_read in get_input).
type stallConn struct {
	*tls.Conn
	rec  *recordConn
	once sync.Once
	err  error
}

// Read reads as above.
func (c *stallConn) Read(b []byte) (int, error) {
	if err := c.handshake(); err != nil {
		return 0, err
	}
	if _, err := c.rec.br.Peek(1); err != nil {
		return 0, err
	}
	return c.Conn.Read(b[:min(len(b), manager.MaxLine)])
}

// Write writes after the handshake, which the banner is the first to need.
func (c *stallConn) Write(b []byte) (int, error) {
	if err := c.handshake(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *stallConn) handshake() error {
	c.once.Do(func() { c.err = c.Handshake() })
	return c.err
}

// NetConn returns the raw connection.
func (c *stallConn) NetConn() net.Conn { return c.rec.Conn }

// recordConn hands TLS no more than the record it asks for, as OpenSSL reads.
type recordConn struct {
	net.Conn
	br   *bufio.Reader
	left int // bytes of the current record not handed out yet
}

// Read reads within one record.
func (c *recordConn) Read(b []byte) (int, error) {
	const header = 5
	if c.left == 0 {
		h, err := c.br.Peek(header)
		if err != nil {
			if len(h) > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		c.left = header + int(binary.BigEndian.Uint16(h[3:]))
	}
	n, err := c.br.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}
