package ami_test

import (
	"errors"
	"strings"
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
		Timeouts:  ami.Timeouts{Dial: 5 * time.Second, Login: 10 * time.Second, Action: 30 * time.Second},
		Keepalive: ami.Keepalive{Interval: 15 * time.Second, Timeout: 10 * time.Second, Misses: 3},
		Redial: ami.Redial{
			BackoffMin: 100 * time.Millisecond, BackoffMax: 30 * time.Second, BreakerAfter: 30 * time.Second,
			LoginBackoffMin: 30 * time.Second, LoginBackoffMax: 10 * time.Minute, StableAfter: 10 * time.Second,
		},
		Limits: ami.Limits{Pending: 4096, WriteBuffer: 1 << 20, ListItems: 100_000, ListBytes: 64 << 20, Unauthorized: 64 << 10},
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
		{"bytes of an answer", wire.DefaultAnswer, 16 << 20},
		{"bytes of a banner", wire.DefaultBanner, 256},
	} {
		if d.got != d.want {
			t.Errorf("%s: %d, want %d", d.name, d.got, d.want)
		}
	}
}

func TestConfigRefusesWhatCannotWork(t *testing.T) {
	for name, set := range map[string]func(*ami.Config){
		"ListItems":       func(c *ami.Config) { c.Limits.ListItems = -1 },
		"ListBytes":       func(c *ami.Config) { c.Limits.ListBytes = -1 },
		"Unauthorized":    func(c *ami.Config) { c.Limits.Unauthorized = -1 },
		"Pending":         func(c *ami.Config) { c.Limits.Pending = -1 },
		"Timeouts.Action": func(c *ami.Config) { c.Timeouts.Action = -1 },
		"Line":            func(c *ami.Config) { c.Limits.Wire.Line = -1 },
		"large Packet":    func(c *ami.Config) { c.Limits.Wire.Packet = 9 << 20 },
		"large Answer":    func(c *ami.Config) { c.Limits.Wire.Answer = 17 << 20 },
	} {
		cfg := ami.Config{Addr: "pbx:5038", Username: "u"}
		set(&cfg)
		cluster := ami.NewCluster(ami.ClusterConfig{})
		if _, err := cluster.Add(cfg); err == nil || !strings.Contains(err.Error(), name[strings.Index(name, " ")+1:]) {
			t.Errorf("%s is not refused by its name: %v", name, err)
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
