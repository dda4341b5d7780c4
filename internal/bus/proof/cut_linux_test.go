package proof

import (
	"strings"
	"testing"
	"time"
)

// wired is a lab of two bridges, each behind proxies of its own: to the bus, and to each node.
type wired struct {
	*lab
	ear *tap
	bus map[string]*proxy
	ami map[string][]*proxy
}

func newWired(t *testing.T, flags ...string) (w *wired, stop func()) {
	t.Helper()
	w = &wired{lab: newLab(t, startServers(t, 1, "").start(), 4, flags...), bus: make(map[string]*proxy), ami: make(map[string][]*proxy)}
	w.ear = w.tap()
	for _, name := range []string{"a", "b"} {
		w.bus[name] = newProxy(t, strings.TrimPrefix(w.servers.urls(), "nats://"))
		w.bridge(name, "nats://"+w.bus[name].addr(), func(n *node) string {
			p := newProxy(t, n.Addr())
			w.ami[name] = append(w.ami[name], p)
			return p.addr()
		})
	}
	w.read()
	w.owned()
	stop = w.nodes.emitting(1000, t.Name())
	t.Cleanup(stop)
	w.arrived("events come from each node")
	for name := range w.bus {
		eventually(t, "each bridge beats", func() bool { return w.ear.heard(name, time.Time{}) })
	}
	return w, stop
}

// cut cuts a bridge off from the bus, from its nodes, or both, or mends that.
func (w *wired) cut(bridge string, bus, ami, cut bool) {
	if bus {
		w.bus[bridge].setCut(cut)
	}
	if ami {
		for _, p := range w.ami[bridge] {
			p.setCut(cut)
		}
	}
}

// A bridge is cut off from the bus, from Asterisk, or from both, for as long as others need to notice, and then is not. Where it
// was cut off from the bus, another has its nodes.
func TestCutOff(t *testing.T) {
	cutOff(t, func(*testing.T, *book, bool) {})
}

func cutOff(t *testing.T, judge func(t *testing.T, b *book, bus bool), flags ...string) {
	t.Helper()
	t.Parallel()
	for name, tt := range map[string]struct{ bus, ami bool }{
		"from the bus":  {true, false},
		"from Asterisk": {false, true},
		"from both":     {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, stop := newWired(t, flags...)
			victim, owned := w.anOwner()
			late := w.ear.lateBatches()
			struck := time.Now()
			w.cut(victim.name, tt.bus, tt.ami, true)
			if tt.bus {
				w.takenOver(victim.name, owned, struck)
			}
			time.Sleep(time.Until(struck.Add(times(6*time.Second, 30*time.Second))))
			w.cut(victim.name, tt.bus, tt.ami, false)
			w.arrived("events go on")
			if tt.bus {
				eventually(t, "it gives its nodes up", func() bool { return len(victim.told("given up")) >= len(owned) })
			}
			stop()
			b := w.judge()
			t.Logf("FIGURES a bridge of %d nodes was cut off %s: %d late batches refused, 0 events twice, %s", len(owned), name, w.ear.lateBatches()-late, b)
			judge(t, b, tt.bus)
		})
	}
}

// A firewall forgets the connection of a bridge to the bus, so that nothing passes on it and nobody says so. The bridge makes
// another one.
func TestForgottenConnection(t *testing.T) {
	t.Parallel()
	w, stop := newWired(t)
	victim, owned := w.anOwner()
	struck := time.Now()
	w.bus[victim.name].forget()
	w.takenOver(victim.name, owned, struck)
	eventually(t, "it is on the bus again", func() bool { return w.ear.heard(victim.name, struck.Add(3*time.Second)) })
	back := time.Since(struck)
	eventually(t, "it gives its nodes up", func() bool { return len(victim.told("given up")) >= len(owned) })
	stop()
	b := w.judge()
	t.Logf("FIGURES a connection to the bus was forgotten: its bridge was back after %.0f s, 0 events twice, %s", back.Seconds(), b)
}

// A server ends and begins again: the session's loss is a gap.
func TestAsteriskRestarts(t *testing.T) {
	t.Parallel()
	l := newLab(t, startServers(t, 1, "").start(), 4)
	l.bridge("a", "", nil)
	l.read()
	l.owned()
	stop := l.nodes.emitting(1000, t.Name())
	t.Cleanup(stop)
	rounds := times(3, 20)
	for i := range rounds {
		l.arrived("events come from each node")
		n := l.nodes.all[i%len(l.nodes.all)]
		if err := n.InjectText("restart for=300ms"); err != nil {
			t.Fatal(err)
		}
		gaps := func() (k uint64) {
			l.reader.has(func(b *book) bool { k = b.of(n.Name()).gaps["disconnect"]; return true })
			return k
		}
		before := gaps()
		eventually(t, "the loss of the session is marked", func() bool { return gaps() > before })
	}
	stop()
	b := l.judge()
	t.Logf("FIGURES %d restarts of a server: 0 events twice, %s", rounds, b)
	if got := b.reasons()["disconnect"]; got < uint64(rounds+len(l.nodes.all)) { //nolint:gosec // few
		t.Errorf("%d sessions were lost, and %d gaps mark that", rounds, got)
	}
}
