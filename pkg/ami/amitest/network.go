package amitest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Network is an in-memory network: bounded buffers, deadlines, latency, partition
// and resets, all on package time, so that it works inside testing/synctest. Its
// hosts are whatever names servers listen as; each also has an address out of
// 10.0.0.0/8.
type Network struct {
	mu        sync.Mutex // guards the rest; a leaf but for a listener's
	listeners map[string]*memListener
	hosts     map[string]*host
	byAddr    map[string]string
	lastPort  int
	link      Link
	buffer    int
}

// host is what is known of one host name.
type host struct {
	addr        netip.Addr
	link        *Link
	partitioned bool
	healed      chan struct{} // closed when the partition ends; nil without one
	conns       map[*memConn]struct{}
	leaving     []*memConn // closed in the partition that is under way
}

// Link says how a connection carries bytes. The zero value carries them at once.
type Link struct {
	// Latency is the one-way delay.
	Latency time.Duration
	// Bandwidth is in bytes a second for each direction, 0 for unlimited.
	Bandwidth int
}

// defaultBuffer is how many bytes each direction of a connection holds before a
// write waits, as the socket buffers of a kernel do.
const defaultBuffer = 256 << 10

// NewNetwork returns an empty network.
func NewNetwork() *Network {
	return &Network{
		listeners: make(map[string]*memListener),
		hosts:     make(map[string]*host),
		byAddr:    make(map[string]string),
		lastPort:  40000,
		buffer:    defaultBuffer,
	}
}

// SetBuffer sets the size of each direction's buffer, in bytes, for connections
// made from now on.
func (n *Network) SetBuffer(bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.buffer = bytes
}

// SetLink sets the link of a host, or with host "" of all others, for connections
// made from now on.
func (n *Network) SetLink(host string, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if host == "" {
		n.link = l
		return
	}
	n.host(host).link = &l
}

// host finds or makes a host; mu is held.
func (n *Network) host(name string) *host {
	if h := n.hosts[name]; h != nil {
		return h
	}
	i := len(n.hosts) + 1
	addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	if given, err := netip.ParseAddr(name); err == nil {
		addr = given
	}
	h := &host{addr: addr, conns: make(map[*memConn]struct{})}
	n.hosts[name] = h
	n.byAddr[addr.String()] = name
	return h
}

// Partition cuts a host off: bytes on their way stay on their way, new
// connections hang, and Heal lets everything move again.
func (n *Network) Partition(host string) { n.setPartition(host, true) }

// Heal ends a partition.
func (n *Network) Heal(host string) { n.setPartition(host, false) }

func (n *Network) setPartition(name string, cut bool) {
	n.mu.Lock()
	h := n.host(name)
	switch {
	case cut && !h.partitioned:
		h.healed = make(chan struct{})
	case !cut && h.partitioned:
		close(h.healed)
	}
	h.partitioned = cut
	conns := make([]*memConn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	if !cut {
		conns, h.leaving = append(conns, h.leaving...), nil
	}
	n.mu.Unlock()
	for _, c := range conns {
		c.rd.setCut(cut)
		c.wr.setCut(cut)
	}
}

// Reset breaks every connection of a host with a reset, on both ends.
func (n *Network) Reset(name string) {
	n.mu.Lock()
	conns := make([]*memConn, 0)
	if h := n.hosts[name]; h != nil {
		for c := range h.conns {
			conns = append(conns, c)
		}
	}
	n.mu.Unlock()
	for _, c := range conns {
		c.rd.fail(syscall.ECONNRESET)
		c.wr.fail(syscall.ECONNRESET)
	}
}

// Listen listens as host:port; port 0 chooses one.
func (n *Network) Listen(addr string) (net.Listener, error) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("amitest: listen: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == "0" {
		n.lastPort++
		port = strconv.Itoa(n.lastPort)
	}
	key := net.JoinHostPort(name, port)
	if n.listeners[key] != nil {
		return nil, opError("listen", addrOf(name, port), syscall.EADDRINUSE)
	}
	n.host(name)
	l := &memListener{network: n, key: key, host: name, addr: addrOf(name, port)}
	l.cond.L = &l.mu
	n.listeners[key] = l
	return l, nil
}

// DialContext connects to a listener by its name or its address. Without one it
// is refused; an unknown name is an error of the resolver; behind a partition it
// waits for its end, or for ctx.
func (n *Network) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	n.mu.Lock()
	if byAddr, ok := n.byAddr[name]; ok {
		name = byAddr
	}
	h := n.hosts[name]
	if h == nil {
		n.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}}
	}
	link := n.link
	if h.link != nil {
		link = *h.link
	}
	n.lastPort++
	local := addrOf("10.255.255.1", strconv.Itoa(n.lastPort))
	n.mu.Unlock()

	remote := addrOf(name, port)
	if link.Latency > 0 {
		if err := pause(ctx, 2*link.Latency); err != nil {
			return nil, dialTimeout(ctx, remote)
		}
	}
	for {
		l, client, server, healed := n.connect(h, local, remote, link, net.JoinHostPort(name, port))
		if healed != nil {
			select {
			case <-healed:
				continue
			case <-ctx.Done():
				return nil, dialTimeout(ctx, remote)
			}
		}
		if l == nil {
			return nil, opError("dial", remote, syscall.ECONNREFUSED)
		}
		if !l.offer(server) {
			n.forget(h, server)
			return nil, opError("dial", remote, syscall.ECONNREFUSED)
		}
		return client, nil
	}
}

// connect makes a connection, unless a partition, whose end it returns, or the want of a listener keep it from that.
func (n *Network) connect(h *host, local, remote net.Addr, link Link, key string) (l *memListener, client, server *memConn, healed <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.partitioned {
		return nil, nil, nil, h.healed
	}
	if l = n.listeners[key]; l != nil {
		client, server = n.pair(h, local, remote, link)
	}
	return l, client, server, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func dialTimeout(ctx context.Context, addr net.Addr) error {
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		err = os.ErrDeadlineExceeded
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: err}
}

// LookupNetIP resolves the name of a host, in the manner of net.Resolver.
func (n *Network) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a}, nil
	}
	h := n.hosts[name]
	if h == nil {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return []netip.Addr{h.addr}, nil
}

// LookupHost resolves the name of a host to text, in the manner of net.Resolver.
func (n *Network) LookupHost(ctx context.Context, name string) ([]string, error) {
	as, err := n.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, err
	}
	return []string{as[0].String()}, nil
}

// Conns returns how many connections a host has.
func (n *Network) Conns(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.hosts[name]; h != nil {
		return len(h.conns)
	}
	return 0
}

func (n *Network) forget(h *host, c *memConn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(h.conns, c)
	if h.partitioned {
		h.leaving = append(h.leaving, c) // the other end hears of it when the partition ends
	}
}

// memAddr is an address on a Network.
type memAddr string

func (memAddr) Network() string  { return "tcp" }
func (a memAddr) String() string { return string(a) }

func addrOf(host, port string) net.Addr { return memAddr(net.JoinHostPort(host, port)) }

func opError(op string, addr net.Addr, err error) error {
	name := map[string]string{"dial": "connect", "listen": "bind"}[op]
	if name == "" {
		name = op
	}
	return &net.OpError{Op: op, Net: "tcp", Addr: addr, Err: os.NewSyscallError(name, err)}
}
