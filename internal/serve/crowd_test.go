package serve

import (
	"net"
	"net/http"
	"testing"
)

// A conn is a connection from some address.
type conn struct {
	net.Conn
	from   string
	closed bool
}

func (c *conn) RemoteAddr() net.Addr {
	addr, err := net.ResolveTCPAddr("tcp", c.from)
	if err != nil {
		panic(err)
	}
	return addr
}

func (c *conn) Close() error { c.closed = true; return nil }

// No address takes all the room, this host aside, and who leaves makes room.
func TestCrowd(t *testing.T) {
	c := newCrowd(5, 2)
	come := func(from string) *conn {
		n := &conn{from: from}
		c.watch(n, http.StateNew)
		return n
	}
	first := come("192.0.2.1:1")
	come("[::ffff:192.0.2.1]:2")
	if third := come("192.0.2.1:3"); !third.closed {
		t.Error("an address has three connections, of two")
	} else {
		c.watch(third, http.StateClosed) // which has to change nothing
	}
	for i, n := range []*conn{come("127.0.0.1:1"), come("127.0.0.1:2"), come("127.0.0.1:3")} {
		if n.closed {
			t.Errorf("connection %d of this host was closed", i+1)
		}
	}
	if n := come("192.0.2.2:1"); !n.closed {
		t.Error("there are six connections, of five")
	}
	c.watch(first, http.StateClosed)
	if n := come("192.0.2.1:4"); n.closed {
		t.Error("there is no room where somebody left")
	}
	if len(c.in) != 5 || len(c.from) != 2 {
		t.Errorf("%d connections from %d addresses are counted", len(c.in), len(c.from))
	}
}

// An IPv6 host has a whole /64 of addresses.
func TestCrowdOfOneNetwork(t *testing.T) {
	c := newCrowd(10, 2)
	for i, from := range []string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "[2001:db8:0:1::1]:1"} {
		n := &conn{from: from}
		if c.watch(n, http.StateNew); n.closed != (i == 2) {
			t.Errorf("%s: closed %v", from, n.closed)
		}
	}
}
