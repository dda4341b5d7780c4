package serve

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/apntalk/amictl/internal/serve/users"
)

// Bounds of the connections of an HTTP door, idle ones included. What is being answered has a lower bound of its own, which is
// told to those who are over it; these are closed.
const (
	mostConnections = 16_384
	mostFromAddress = 1024 // that is not of this host, where a proxy may come for everybody
)

// A crowd counts connections. most and mostFrom bound it.
type crowd struct {
	most, mostFrom int

	mu   sync.Mutex // guards what follows
	in   map[net.Conn]netip.Prefix
	from map[netip.Prefix]int
}

func newCrowd(most, mostFrom int) *crowd {
	return &crowd{most: most, mostFrom: mostFrom, in: make(map[net.Conn]netip.Prefix), from: make(map[netip.Prefix]int)}
}

// watch is a server's ConnState: it closes a new connection for which there is no room.
func (c *crowd) watch(conn net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if !c.enter(conn) {
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		c.leave(conn)
	}
}

func (c *crowd) enter(conn net.Conn) bool {
	at, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	from := users.Network(at.Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.in) >= c.most || c.from[from] >= c.mostFrom && !from.Addr().IsLoopback() {
		return false
	}
	c.in[conn] = from
	c.from[from]++
	return true
}

func (c *crowd) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, ok := c.in[conn]
	if !ok {
		return
	}
	delete(c.in, conn)
	if c.from[from]--; c.from[from] == 0 {
		delete(c.from, from)
	}
}
