package state

import (
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// maxSuspects bounds what audits remember of what they found, a kind and node.
const maxSuspects = 10_000

// maxServers bounds the nodes of a core; a record may name any.
const maxServers = 100_000

// A core is the whole state: packets in, changes out. It is not safe for concurrent use.
type core struct {
	limit   int // objects of a kind on a node
	wanted  map[Kind]bool
	servers map[string]*server
	refused uint64 // nodes beyond maxServers
	out     []Change
}

func newCore(limit int, kinds []Kind) *core {
	c := &core{limit: limit, servers: make(map[string]*server)}
	if len(kinds) > 0 {
		c.wanted = map[Kind]bool{KindNode: true}
		for _, k := range kinds {
			c.wanted[k] = true
		}
	}
	return c
}

// wants reports whether objects of a kind are asked for.
func (c *core) wants(k Kind) bool { return c.wanted == nil || c.wanted[k] }

// take returns the changes since the last call. They are valid until the next packet.
func (c *core) take() []Change {
	out := c.out
	c.out = c.out[:0]
	return out
}

// server finds or makes a node's state; nil beyond maxServers.
func (c *core) server(node string) *server {
	s := c.servers[node]
	if s == nil {
		if len(c.servers) >= maxServers {
			c.refused++
			return nil
		}
		s = newServer(c, node)
		c.servers[node] = s
	}
	return s
}

// event applies one event. The message may be borrowed.
func (c *core) event(node string, session uint64, m *wire.Message, received time.Time) {
	h := handlerOf(m.Name())
	if h == nil {
		return
	}
	s := c.server(node)
	if s == nil {
		return
	}
	s.at(received)
	if when, ok := stamp(m); ok {
		s.ahead = when.Sub(received)
		s.when = when
	}
	s.join(session)
	h(s, m)
	s.flush()
}

// gap tells that events are missing here.
func (c *core) gap(node string, why ami.GapReason, at time.Time) {
	if s := c.server(node); s != nil {
		s.at(at)
		s.stale(string(why))
	}
}

// list applies the answer to one of the listings, at its place in the stream.
func (c *core) list(node string, session uint64, l *listing, a answer, audit bool, received time.Time) {
	s := c.server(node)
	if s == nil {
		return
	}
	s.at(received)
	s.join(session)
	s.list(l, a, audit)
	s.flush()
}

// synced tells that all listings have been applied without a gap in between.
func (c *core) synced(node string, at time.Time) {
	if s := c.server(node); s != nil {
		s.at(at)
		s.fresh()
	}
}

// tick lets what waits for an event run out.
func (c *core) tick(now time.Time) {
	for _, s := range c.servers {
		s.at(now)
		s.tick(now)
	}
}

// forget removes all that is held of a node.
func (c *core) forget(node string, at time.Time) {
	if s := c.servers[node]; s != nil {
		s.at(at)
		s.clear()
		delete(c.servers, node)
	}
}
