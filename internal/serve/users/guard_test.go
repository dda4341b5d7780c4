package users_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/serve/users"
)

func TestGuard(t *testing.T) {
	g, now := users.NewGuard(), time.Unix(1_800_000_000, 0)
	mallory, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	var waits []time.Duration
	for range 10 {
		waits = append(waits, g.Wait(mallory, "u", now))
		now = now.Add(g.Wait(mallory, "u", now))
		g.Failed(mallory, "u", now)
	}
	if got, want := fmt.Sprint(waits), "[0s 0s 0s 0s 1s 2s 4s 8s 16s 30s]"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if g.Wait(other, "u", now) != 0 || g.Wait(mallory, "another", now) != 0 || g.Wait(mallory, "", now) != 0 {
		t.Error("another address waits, too, or another user at this one")
	}
	if w := g.Wait(mallory, "u", now.Add(time.Hour)); w != 0 {
		t.Errorf("an hour later there are %v to wait", w)
	}
	g.Failed(mallory, "u", now.Add(time.Hour))
	if w := g.Wait(mallory, "u", now.Add(time.Hour)); w != 0 {
		t.Errorf("what is long ago counts: %v", w)
	}
	for range 5 {
		g.Failed(mallory, "u", now.Add(time.Hour))
	}
	g.Succeeded(mallory, "u")
	if w := g.Wait(mallory, "u", now.Add(time.Hour)); w != 0 {
		t.Errorf("who came in waits %v", w)
	}
}

// A token that is sent again is no new guess; one of many that went by meanwhile is.
func TestWrongTokens(t *testing.T) {
	g, now, addr := users.NewGuard(), time.Unix(1_800_000_000, 0), netip.MustParseAddr("192.0.2.1")
	for i := range 100 {
		if counts := g.WrongToken(addr, "old", now); counts != (i == 0) {
			t.Fatalf("try %d counts: %v", i+1, counts)
		}
	}
	if w := g.Wait(addr, "", now); w != 0 {
		t.Errorf("who guesses nothing waits %v", w)
	}
	for i := range 20 {
		g.WrongToken(addr, fmt.Sprint(i), now)
	}
	if !g.WrongToken(addr, "old", now) || g.Wait(addr, "", now) == 0 {
		t.Error("who guesses does not wait")
	}
}

// One IPv6 host has a whole /64, and an IPv4 address may come written as IPv6.
func TestGuardNetworks(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		failed, asks string
		same         bool
	}{
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.9", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		g := users.NewGuard()
		for range 5 {
			g.Failed(netip.MustParseAddr(c.failed), "u", now)
		}
		if waits := g.Wait(netip.MustParseAddr(c.asks), "u", now) > 0; waits != c.same {
			t.Errorf("%s failed, %s waits: %v", c.failed, c.asks, waits)
		}
	}
}

// However many addresses fail, what is remembered of them is bounded, and those that wait are kept before others.
func TestGuardIsBounded(t *testing.T) {
	g, now := users.NewGuard(), time.Unix(1_800_000_000, 0)
	waiting := netip.MustParseAddr("198.51.100.1")
	for range 20 {
		g.Failed(waiting, "u", now)
	}
	for i := range 200_000 {
		now = now.Add(10 * time.Microsecond)
		g.Failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), "u", now)
	}
	if n := users.Remembered(g); n > 65_536 {
		t.Errorf("%d addresses are remembered", n)
	}
	if g.Wait(waiting, "u", now) == 0 {
		t.Error("an address that waits was forgotten for one that does not")
	}
}
