package users

import (
	"net/netip"
	"sync"
	"time"
)

// A Guard slows failed logins by address: after a few, an address waits before its next attempt is looked at, twice as long
// each time. IPv6 counts by /64, which is what one host has.
type Guard struct {
	mu     sync.Mutex // guards failed
	failed map[netip.Prefix]*failures
}

type failures struct {
	count int
	until time.Time // no attempt is looked at before
}

// Bounds of a Guard.
const (
	freeFailures  = 3                // that cost nothing
	longestPause  = 30 * time.Second // between two attempts
	forgetAfter   = 10 * time.Minute // behind the last pause
	mostAddresses = 65_536           // when there are more, those whose pause is over go
)

// NewGuard returns a guard that has seen nobody.
func NewGuard() *Guard { return &Guard{failed: make(map[netip.Prefix]*failures)} }

// Wait returns how long an address has to wait before it may try.
func (g *Guard) Wait(addr netip.Addr, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.failed[network(addr)]; f != nil {
		return max(0, f.until.Sub(now))
	}
	return 0
}

// Failed notes a login that failed.
func (g *Guard) Failed(addr netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(now)
	at := network(addr)
	f := g.failed[at]
	if f == nil || now.Sub(f.until) > forgetAfter {
		f = &failures{until: now}
		g.failed[at] = f
	}
	f.count++
	if over := f.count - freeFailures; over > 0 {
		f.until = now.Add(min(time.Second<<min(over-1, 10), longestPause))
	}
}

// Succeeded forgets an address's failures.
func (g *Guard) Succeeded(addr netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.failed, network(addr))
}

// forget makes room where there are too many addresses. Called under mu.
func (g *Guard) forget(now time.Time) {
	if len(g.failed) < mostAddresses {
		return
	}
	for at, f := range g.failed {
		if !now.Before(f.until) {
			delete(g.failed, at)
		}
	}
	for at := range g.failed { // all of them wait: any will do
		if len(g.failed) < mostAddresses {
			return
		}
		delete(g.failed, at)
	}
}

func network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}
