package proof

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
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

// Two of three servers are gone when bridges start, so that nothing has a leader: they wait, and begin when the servers are back.
func TestNoLeaderAtTheStart(t *testing.T) {
	t.Parallel()
	l := newLab(t, startServers(t, 3, "").start(), 2, "--replicas", "3", "--max-bytes", "1G")
	for _, name := range l.servers.names[1:] {
		l.servers.kill(name)
	}
	for _, name := range []string{"a", "b"} {
		l.bridge(name, "", nil)
	}
	for _, b := range l.bridges {
		eventually(t, "a bridge says that it waits", func() bool { return len(b.told("the bus is not able to answer, and is asked again until it is")) == 1 })
	}
	l.servers.start()
	l.read()
	l.owned()
	l.judge().wholeBut(t)
}

// The reader of a durable that is started while nothing has a leader waits as well, and goes on where the one before was.
func TestDurableWithoutALeader(t *testing.T) {
	t.Parallel()
	l := newLab(t, startServers(t, 3, "").start(), 2, "--replicas", "3", "--max-bytes", "1G")
	l.bridge("a", "", nil)
	l.read()
	l.owned()
	stop := l.nodes.emitting(200, "")
	t.Cleanup(stop)
	durable := l.tailed("durable", "--durable", "d")
	for _, name := range []string{stream, "KV_AMI_LEASE_" + cluster} {
		eventually(t, "all replicas of "+name+" are whole", func() bool { return wholeStream(l.js, name, 3) })
	}
	for _, name := range l.servers.names[1:] {
		l.servers.kill(name)
	}
	durable.kill()
	durable.again()
	eventually(t, "it says that it waits", func() bool { return durable.wrote("is not able to answer") })
	l.servers.start()
	l.arrived("events go on")
	stop()
	l.judge()
	durable.judge()
}

// Three servers keep the streams, and the bridges are hot. A leader is killed, and an owner right behind it, while there is none, again and
// again: nothing is lost or comes twice, also for a durable that is killed as well, and single events are missing within gaps alone.
func TestHotElections(t *testing.T) {
	t.Parallel()
	rounds := times(3, 20)
	l := newLab(t, startServers(t, 3, "").start(), 4, "--hot", "--replicas", "3", "--max-bytes", "1G", "--each", numbered)
	ear := l.tap()
	for _, name := range []string{"a", "b", "c"} {
		l.bridge(name, "", nil)
	}
	l.read()
	l.owned()
	stop := l.nodes.emitting(times(1000., 2000.), "of the usual size, which is some hundred bytes; "+t.Name())
	t.Cleanup(stop)
	l.arrived("events come from each node")
	durable := l.tailed("durable", "--durable", "d")
	streams := []string{stream, "AMI_ONE_" + cluster, "KV_AMI_LEASE_" + cluster}
	var took []time.Duration
	for round := range rounds {
		for _, name := range streams {
			eventually(t, "all replicas of "+name+" are whole", func() bool { return wholeStream(l.js, name, 3) })
		}
		l.inStep()
		name := leader(l.js, streams[round%len(streams)])
		if name == "" {
			t.Fatal("no leader")
		}
		victim, owned := l.anOwner()
		l.servers.kill(name)
		time.Sleep(rand.N(time.Second)) // at any moment of the election
		if round%2 == 1 {
			durable.kill()
		}
		struck := time.Now()
		victim.kill()
		took = append(took, l.takenOver(victim.name, owned, struck))
		if round%2 == 1 {
			durable.again()
		}
		l.servers.start()
		l.startBridge(victim)
		eventually(t, "it beats again", func() bool { return ear.heard(victim.name, struck.Add(time.Second)) })
		l.arrived("events go on")
	}
	for _, name := range streams {
		eventually(t, "all replicas of "+name+" are whole", func() bool { return wholeStream(l.js, name, 3) })
	}
	stop()
	b := l.judge()
	durable.judge()
	one, gaps := l.singles()
	b.wholeBut(t)
	t.Logf("FIGURES %d times the leader of a stream was killed, and an owner behind it, the bridges with --hot: replaced after %.1f s at most; %d single events, 0 twice, %d gaps; 0 events twice, %s",
		rounds, slices.Max(took).Seconds(), one, gaps, b)
}

// singles reads all single events, and wants each once, in order, and each that is missing within a gap.
func (l *lab) singles() (events, gaps int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := l.js.Stream(ctx, "AMI_ONE_"+l.cluster)
	if err != nil {
		l.t.Fatal(err)
	}
	left := stream.CachedInfo().State.Msgs
	all, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		l.t.Fatal(err)
	}
	in, err := all.Messages()
	if err != nil {
		l.t.Fatal(err)
	}
	defer in.Stop()
	last, marked := make(map[string]uint64), make(map[string]bool)
	for ; left > 0; left-- {
		m, err := in.Next(jetstream.NextContext(ctx))
		if err != nil {
			l.t.Fatal(err)
		}
		read, err := numbersIn(bytes.NewReader(m.Data()))
		if err != nil {
			l.t.Fatal(err)
		}
		if len(read) == 0 { // a gap
			gaps++
			marked[strings.Split(m.Subject(), ".")[3]] = true
		}
		for node, numbers := range read {
			events++
			if n := numbers[0]; n <= last[node] || n > last[node]+1 && !marked[node] {
				l.t.Errorf("%s: single event %d comes behind %d", node, n, last[node])
			}
			last[node], marked[node] = numbers[0], false
		}
	}
	return events, gaps
}
