package proof

import (
	"testing"
	"time"
)

// Three servers keep the stream. Its leader is killed, again and again, and all three at once: nothing that a bridge was told is
// stored is lost or comes twice.
func TestKilledServers(t *testing.T) {
	t.Parallel()
	leaders, alls := times(2, 20), times(1, 5)
	l := newLab(t, startServers(t, 3, "").start(), 4, "--replicas", "3")
	for _, name := range []string{"a", "b"} {
		l.bridge(name, "", nil)
	}
	l.read()
	l.owned()
	stop := l.nodes.emitting(times(2000., 4000.), "of the usual size, which is some hundred bytes; "+t.Name())
	t.Cleanup(stop)
	l.arrived("events come from each node")
	var longest time.Duration
	for range leaders {
		eventually(t, "all replicas are whole", func() bool { return wholeStream(l.js, stream, 3) })
		name := leader(l.js, stream)
		if name == "" {
			t.Fatal("no leader")
		}
		struck := time.Now()
		l.servers.kill(name)
		l.arrived("events go on with a leader less")
		longest = max(longest, time.Since(struck))
		l.servers.start()
	}
	for range alls {
		eventually(t, "all replicas are whole", func() bool { return wholeStream(l.js, stream, 3) })
		for _, name := range l.servers.names {
			_ = l.servers.all[name].Process.Kill() // at once, and not one behind the end of another
		}
		for _, name := range l.servers.names {
			l.servers.kill(name)
		}
		time.Sleep(time.Second)
		l.servers.start()
		l.arrived("events go on when all are back")
	}
	stop()
	for _, name := range []string{stream, "KV_AMI_LEASE_" + cluster} {
		eventually(t, "all replicas are whole", func() bool { return wholeStream(l.js, name, 3) })
	}
	b := l.judge()
	t.Logf("FIGURES %d kills of the leader, after which events stood still for %.1f s at most, and %d of all three servers: %d events were sent, 0 came twice, %s", leaders, longest.Seconds(), alls, l.nodes.sent(), b)
	for name, a := range b.nodes { // sessions and owners outlive an election, so that nothing at all is lost
		if a.owners == 1 && a.gaps["disconnect"] == 1 && a.lost > a.first {
			t.Errorf("%s: %d events are lost, though its owner was the same all the time", name, a.lost-a.first)
		}
	}
	if whole() && b.sum(func(a *account) uint64 { return a.events }) < 1_000_000 {
		t.Error("less than a million events were stored")
	}
}
