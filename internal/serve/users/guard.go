package users

import (
	"hash/fnv"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Guard slows failed logins by address (Network): after a few, an address waits before its next attempt is looked at, twice as
// long each time. Where a login names a user, the address waits for that user alone:
// many clients may share a host, and one with an old secret must not keep the others out.
type Guard struct {
	seed maphash.Seed

	mu     sync.Mutex // guards failed
	failed map[suspect]*failures
}

// A suspect is whose attempts count together. Names share few places, whether they are users' or not: what is remembered of an
// address is bounded, and a pause tells nobody which names exist.
type suspect struct {
	network netip.Prefix
	place   uint8 // of the name
}

func suspectOf(addr netip.Addr, user string) suspect {
	h := fnv.New32a()
	_, _ = h.Write([]byte(user))
	return suspect{Network(addr), uint8(h.Sum32())}
}

type failures struct {
	count int
	until time.Time // no attempt is looked at before
	wrong []uint64  // the latest tokens, hashed
}

// Bounds of a Guard.
const (
	freeFailures  = 3                // that cost nothing
	longestPause  = 30 * time.Second // between two attempts
	forgetAfter   = 10 * time.Minute // behind the last pause
	mostAddresses = 65_536           // when there are more, those whose pause is over go
	mostTokens    = 8                // of an address that are known again
)

// NewGuard returns a guard that has seen nobody.
func NewGuard() *Guard { return &Guard{seed: maphash.MakeSeed(), failed: make(map[suspect]*failures)} }

// Wait returns how long an address has to wait before it may try. user is the name that it gives, "" if none.
func (g *Guard) Wait(addr netip.Addr, user string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.failed[suspectOf(addr, user)]; f != nil {
		return max(0, f.until.Sub(now))
	}
	return 0
}

// Failed notes a login that failed.
func (g *Guard) Failed(addr netip.Addr, user string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at(addr, user, now).fail(now)
}

// WrongToken notes a token that is nobody's, and reports whether it counts: one that an address sends again and again, such as a
// client with an old secret does, is no new guess. No right token makes the failures of its address forgotten, for it names
// nobody: whoever had one could guess others' for nothing.
func (g *Guard) WrongToken(addr netip.Addr, token string, now time.Time) (counts bool) {
	hash := maphash.String(g.seed, token)
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.at(addr, "", now)
	if slices.Contains(f.wrong, hash) {
		return false
	}
	if f.wrong = append(f.wrong, hash); len(f.wrong) > mostTokens {
		f.wrong = slices.Delete(f.wrong, 0, 1)
	}
	f.fail(now)
	return true
}

// at returns the failures of an address as a user. Called under mu.
func (g *Guard) at(addr netip.Addr, user string, now time.Time) *failures {
	g.forget(now)
	at := suspectOf(addr, user)
	f := g.failed[at]
	if f == nil || now.Sub(f.until) > forgetAfter {
		f = &failures{until: now}
		g.failed[at] = f
	}
	return f
}

func (f *failures) fail(now time.Time) {
	f.count++
	if over := f.count - freeFailures; over > 0 {
		f.until = now.Add(min(time.Second<<min(over-1, 10), longestPause))
	}
}

// Succeeded forgets an address's failures as that user.
func (g *Guard) Succeeded(addr netip.Addr, user string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.failed, suspectOf(addr, user))
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

// Network returns what addresses are counted by: an IPv6 address's /64, which is what one host has; an IPv4 address itself.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() && !addr.IsLoopback() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}
