package ami_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// What a Config that says nothing gets. These numbers are promised (docs/operations.md); to change one is a change of
// behaviour.
func TestDefaults(t *testing.T) {
	c := ami.NewCluster(ami.ClusterConfig{})
	defer c.Close()
	n, err := c.Add(ami.Config{Addr: "nowhere:5038", Dial: hang})
	if err != nil {
		t.Fatal(err)
	}
	got := n.Config()
	got.Dial = nil
	want := ami.Config{
		Name: "nowhere:5038", Addr: "nowhere:5038", Events: "off",
		DialTimeout: 5 * time.Second, LoginTimeout: 10 * time.Second, ActionTimeout: 30 * time.Second,
		Keepalive: 15 * time.Second, PingTimeout: 10 * time.Second, KeepaliveMisses: 3,
		BackoffMin: 100 * time.Millisecond, BackoffMax: 30 * time.Second,
		BreakerFailures: 5, BreakerOpen: 30 * time.Second,
		LoginBackoffMin: 30 * time.Second, LoginBackoffMax: 10 * time.Minute, StableAfter: 10 * time.Second,
		Pending: 4096, WriteBuffer: 1 << 20, ListItems: 100_000, ListBytes: 64 << 20, Unauthorized: 64 << 10,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a node's defaults (-want +got):\n%s", diff)
	}
	if st := c.Stats(); st.BudgetCap != 1<<30 {
		t.Errorf("a cluster's budget is %d", st.BudgetCap)
	}
	// The behaviour of these is pinned by tests of their own: the dial queue's, the rings', the decoder's, the sink's.
	for _, d := range []struct {
		name      string
		got, want int
	}{
		{"dials at once", ami.DefaultMaxDials, 64},
		{"redials a second", ami.DefaultRedialRate, 50},
		{"events in a ring", ami.DefaultRingEvents, 8192},
		{"bytes in a ring", ami.DefaultRingBytes, 8 << 20},
		{"records in a log sink", redact.DefaultQueue, 1024},
		{"bytes in a log sink", redact.DefaultQueueBytes, 4 << 20},
		{"bytes of a packet", wire.DefaultPacket, 1 << 20},
		{"headers of an event", wire.DefaultHeaders, 1024},
		{"headers of a response", wire.DefaultResponseHeaders, 64 << 10},
		{"bytes of a Command's output", wire.DefaultOutput, 16 << 20},
		{"bytes of a banner", wire.DefaultBanner, 256},
	} {
		if d.got != d.want {
			t.Errorf("%s: %d, want %d", d.name, d.got, d.want)
		}
	}
}

func TestConfigRefusesWhatCannotWork(t *testing.T) {
	for name, set := range map[string]func(*ami.Config){
		"ListItems":     func(c *ami.Config) { c.ListItems = -1 },
		"ListBytes":     func(c *ami.Config) { c.ListBytes = -1 },
		"Unauthorized":  func(c *ami.Config) { c.Unauthorized = -1 },
		"Pending":       func(c *ami.Config) { c.Pending = -1 },
		"ActionTimeout": func(c *ami.Config) { c.ActionTimeout = -1 },
	} {
		cfg := ami.Config{Addr: "pbx:5038", Username: "u"}
		set(&cfg)
		cluster := ami.NewCluster(ami.ClusterConfig{})
		if _, err := cluster.Add(cfg); err == nil {
			t.Errorf("a negative %s was taken", name)
		}
		_ = cluster.Close()
	}
}

// A filter that no session could ever send is refused where it is configured.
func TestFilterThatCannotBeSent(t *testing.T) {
	_, _, cfg := simulate(t)
	cfg.Filters = [][]ami.Field{{{Name: "Filter", Value: "a\nb"}}}
	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	if _, err := cluster.Add(cfg); !errors.Is(err, wire.ErrNewline) {
		t.Errorf("Add: %v", err)
	}
}
