package amitest

import (
	"fmt"
	"sync"
)

// Cluster is a number of servers named pbx1, pbx2….
type Cluster struct{ servers []*Server }

// NewCluster starts n servers with the same options. They share what does not
// change, so that thousands cost little. It panics if one cannot listen.
func NewCluster(n int, opts ...Option) *Cluster {
	cfg := newConfig(opts)
	c := &Cluster{servers: make([]*Server, 0, n)}
	for i := range n {
		s := start(cfg, fmt.Sprintf("pbx%d", i+1))
		c.servers = append(c.servers, s)
		if err := s.listen(); err != nil {
			c.Close()
			panic(err)
		}
	}
	return c
}

// Servers returns the servers in order.
func (c *Cluster) Servers() []*Server { return c.servers }

// Server returns the server of that name, nil if there is none.
func (c *Cluster) Server(name string) *Server {
	for _, s := range c.servers {
		if s.name == name {
			return s
		}
	}
	return nil
}

// Close closes all servers and waits for them.
func (c *Cluster) Close() {
	var wg sync.WaitGroup
	for _, s := range c.servers {
		wg.Go(s.Close)
	}
	wg.Wait()
}
