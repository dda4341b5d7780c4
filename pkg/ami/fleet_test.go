package ami_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A fleet is a cluster of the engine's and, on one in-memory network, the servers that it talks to.
type fleet struct {
	*ami.Cluster
	t       testing.TB
	net     *amitest.Network
	servers map[string]*amitest.Server
	closers []func()
}

func newFleet(t testing.TB, cfg ami.ClusterConfig) *fleet {
	t.Helper()
	return &fleet{Cluster: ami.NewCluster(cfg), t: t, net: amitest.NewNetwork(), servers: make(map[string]*amitest.Server)}
}

// close ends everything: the engine first, so that nothing dials what is gone.
func (f *fleet) close() {
	_ = f.Cluster.Close()
	for _, s := range f.servers {
		s.Close()
	}
	for _, c := range f.closers {
		c()
	}
}

// serve starts, or starts again, a server of that name.
func (f *fleet) serve(name string, opts ...amitest.Option) *amitest.Server {
	if old := f.servers[name]; old != nil {
		old.Close()
	}
	s := amitest.NewServer(append([]amitest.Option{amitest.WithNetwork(f.net), amitest.WithName(name)}, opts...)...)
	f.servers[name] = s
	return s
}

// script starts a server that treats every connection as handle does, and counts the connections.
func (f *fleet) script(name string, handle func(net.Conn)) *atomic.Int64 {
	l, err := f.net.Listen(name + ":5038")
	if err != nil {
		f.t.Fatal(err)
	}
	count := new(atomic.Int64)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			all.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	f.closers = append(f.closers, func() { _ = l.Close(); all.Wait() })
	return count
}

func (f *fleet) config(name string) ami.Config {
	return ami.Config{
		Name: name, Addr: name + ":5038", Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
		Events: "on", Dial: f.net.DialContext,
	}
}

// add adds a node for the server of that name.
func (f *fleet) add(name string, change ...func(*ami.Config)) *ami.Node {
	f.t.Helper()
	cfg := f.config(name)
	for _, c := range change {
		c(&cfg)
	}
	n, err := f.Add(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// ready waits up to that long for all nodes.
func (f *fleet) ready(within time.Duration) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for _, n := range f.Nodes() {
		if err := n.WaitReady(ctx); err != nil {
			f.t.Fatalf("%s is not ready within %v: %v", n.Name(), within, err)
		}
	}
}

// greetAndAccept plays a server until its login is answered, by plain Login or by challenge.
func greetAndAccept(c net.Conn) (*bufio.Reader, bool) {
	r := greet(c)
	for {
		p, err := readPacket(r)
		if err != nil {
			return r, false
		}
		if strings.EqualFold(p["Action"], "Challenge") {
			fmt.Fprintf(c, "Response: Success\r\nActionID: %s\r\nChallenge: 123456789\r\n\r\n", p["ActionID"])
			continue
		}
		fmt.Fprintf(c, "Response: Success\r\nActionID: %s\r\nMessage: Authentication accepted\r\n\r\n", p["ActionID"])
		return r, true
	}
}

func greet(c net.Conn) *bufio.Reader {
	fmt.Fprint(c, "Asterisk Call Manager/11.0.0\r\n")
	return bufio.NewReader(c)
}

// readPacket reads one action as a server sees it.
func readPacket(r *bufio.Reader) (map[string]string, error) {
	p := make(map[string]string)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return p, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return p, nil
		}
		name, value, _ := strings.Cut(line, ": ")
		p[name] = value
	}
}

func ping(n *ami.Node) error {
	_, err := n.Do(context.Background(), ami.NewAction("Ping"))
	return err
}
