package ami_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// saysNothing reads, and answers never.
func saysNothing(c net.Conn) {
	_, _ = c.Read(make([]byte, 1))
	time.Sleep(time.Hour)
}

// brokenServers are the ways in which a probe fails.
var brokenServers = []struct {
	name  string
	setup func(f *fleet, c *ami.Config)
}{
	{"refused", func(f *fleet, _ *ami.Config) { f.serve("pbx").Close() }},
	{"connect hangs", func(f *fleet, _ *ami.Config) { f.serve("pbx"); f.net.Partition("pbx") }},
	{"half-open peer", func(f *fleet, _ *ami.Config) { f.script("pbx", saysNothing) }},
	{"greets, never answers the login", func(f *fleet, _ *ami.Config) {
		f.script("pbx", func(c net.Conn) { fmt.Fprint(c, "Asterisk Call Manager/11.0.0\r\n"); saysNothing(c) })
	}},
	{"dial ignores its context", func(f *fleet, cfg *ami.Config) {
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			time.Sleep(time.Minute)
			return nil, errors.New("late")
		}
	}},
	{"OnReady fails", func(f *fleet, cfg *ami.Config) {
		f.serve("pbx")
		cfg.OnReady = func(context.Context, *ami.Conn) error { return errors.New("no state") }
	}},
	{"OnReady panics", func(f *fleet, cfg *ami.Config) {
		f.serve("pbx")
		cfg.OnReady = func(context.Context, *ami.Conn) error { panic("no state") }
	}},
	{"OnReady ends its goroutine", func(f *fleet, cfg *ami.Config) {
		f.serve("pbx")
		cfg.OnReady = func(context.Context, *ami.Conn) error { runtime.Goexit(); return nil }
	}},
	{"Dial panics", func(_ *fleet, cfg *ami.Config) {
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) { panic("no network") }
	}},
	{"Wrap panics", func(f *fleet, cfg *ami.Config) {
		f.serve("pbx")
		cfg.Wrap = func(net.Conn) net.Conn { panic("no trace") }
	}},
	{"the secret's provider panics", func(f *fleet, cfg *ami.Config) {
		f.serve("pbx")
		cfg.Secret = func(context.Context) (ami.Secret, error) { panic("no vault") }
	}},
	{"no secret", func(f *fleet, cfg *ami.Config) {
		f.serve("pbx")
		cfg.Secret = func(context.Context) (ami.Secret, error) { return ami.Secret{}, errors.New("the vault is shut") }
	}},
}

// The outcome of every probe of an open breaker is recorded, however it ends, and another follows.
func TestNodeBreakerProbeIsAlwaysRecorded(t *testing.T) {
	for _, tt := range brokenServers {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, ami.ClusterConfig{})
				defer f.close()
				n := f.add("pbx", func(c *ami.Config) { tt.setup(f, c) })
				time.Sleep(10 * time.Minute)
				first := n.Stats()
				if first.BreakerOpens != 1 {
					t.Fatalf("breaker opened %d times", first.BreakerOpens)
				}
				time.Sleep(10 * time.Minute)
				later := n.Stats()
				more := later.Dials - first.Dials
				if more < 5 || more > 80 {
					t.Errorf("%d probes in ten minutes", more)
				}
				if got := uint64(later.Failures - first.Failures); got+1 < more || got > more+1 {
					t.Errorf("%d probes, %d failures recorded", more, got)
				}
				for later.State != ami.StateBreakerOpen {
					time.Sleep(time.Second)
					later = n.Stats()
				}
				if later.Cause == "" || later.Breaker != "open" {
					t.Errorf("breaker %q, cause %q", later.Breaker, later.Cause)
				}
				if err := ping(n); !errors.Is(err, ami.ErrBreakerOpen) {
					t.Errorf("a call behind an open breaker: %v", err)
				}
			})
		})
	}
}

func TestNodeBreakerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("pbx").Close()
		n := f.add("pbx")
		time.Sleep(time.Minute)
		if s := n.Stats(); s.Breaker == "closed" {
			t.Fatal("breaker closed: the test proves nothing")
		}
		f.serve("pbx")
		f.ready(ami.DefaultBackoffMax + time.Second)
		if s := n.Stats(); s.Breaker == "open" {
			t.Errorf("breaker open on a ready node")
		}
		time.Sleep(ami.DefaultStableAfter + time.Second)
		if s := n.Stats(); s.Breaker != "closed" || s.Failures != 0 {
			t.Errorf("breaker %s with %d failures on a session that stayed up", s.Breaker, s.Failures)
		}
	})
}
