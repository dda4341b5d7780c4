package act

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A server is where a manager listens: a host, by name or address, and a port.
type server struct {
	host string // lower case, without a final dot
	port int
}

// thisHost stands for all ways to say loopback, and for the host's own addresses.
const thisHost = "localhost"

func newServer(addr string) server {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return server{host: strings.ToLower(addr)}
	}
	n, _ := strconv.Atoi(port)
	return server{strings.TrimSuffix(strings.ToLower(host), "."), n}
}

// plainPort and tlsPort are the two doors that an Asterisk has as a rule.
const plainPort, tlsPort = 5038, 5039

// door is the port, or the one that stands for both usual ones.
func (s server) door() int {
	if s.port == tlsPort {
		return plainPort
	}
	return s.port
}

// A lookup knows the addresses of hosts, as texts that are equal for what is the same host.
type lookup struct {
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	own     func() []netip.Addr // of this host's interfaces

	known   map[string][]string
	unknown []string // names that could not be looked up
	ownOnce map[netip.Addr]bool
}

func newLookup() *lookup {
	return &lookup{
		known: make(map[string][]string), own: interfaceAddrs,
		resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
	}
}

func interfaceAddrs() (all []netip.Addr) {
	list, _ := net.InterfaceAddrs() // without them fewer are known to be ours
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr())
		}
	}
	return all
}

// simple returns a host's addresses if no name server has to be asked for them.
func (l *lookup) simple(host string) ([]string, bool) {
	if host == thisHost || strings.HasSuffix(host, "."+thisHost) || host == "" {
		return []string{thisHost}, true
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []string{l.canonical(a)}, true
	}
	known, ok := l.known[host]
	return known, ok
}

func (l *lookup) canonical(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if l.ownOnce == nil {
		l.ownOnce = make(map[netip.Addr]bool)
		for _, o := range l.own() {
			l.ownOnce[o.Unmap().WithZone("")] = true
		}
	}
	if a.IsLoopback() || a.IsUnspecified() || l.ownOnce[a] {
		return thisHost
	}
	return a.String()
}

// Bounds of what name servers are asked.
const (
	lookupTimeout = 3 * time.Second
	mostLookups   = 32
)

// ask looks hosts up, all within one time.
func (l *lookup) ask(ctx context.Context, hosts []string) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	slices.Sort(hosts)
	hosts = slices.DeleteFunc(slices.Compact(hosts), func(host string) bool { _, ok := l.simple(host); return ok })
	found := make([][]netip.Addr, len(hosts))
	slots := make(chan struct{}, mostLookups)
	var all sync.WaitGroup
	for i, host := range hosts {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i], _ = l.resolve(ctx, host)
		})
	}
	all.Wait()
	for i, host := range hosts {
		texts := make([]string, 0, len(found[i]))
		for _, a := range found[i] {
			texts = append(texts, l.canonical(a))
		}
		if l.known[host] = texts; len(texts) == 0 {
			l.unknown = append(l.unknown, host)
		}
	}
}

// names returns all ways to say a server that are known: one that it shares with another is the same server.
func (l *lookup) names(s server) []server {
	all := []server{{s.host, s.door()}}
	addrs, _ := l.simple(s.host)
	for _, a := range addrs {
		all = append(all, server{a, s.door()})
	}
	return all
}
