package proof

import (
	"context"
	"testing"
	"time"
)

// oneBridge is a lab of one server and one bridge, under 1,000 events a second.
func oneBridge(t *testing.T, bridges ...string) (l *lab, stop func()) {
	t.Helper()
	l = newLab(t, startServers(t, 1, "").start(), 4)
	for _, name := range append(bridges, "a") {
		l.bridge(name, "", nil)
	}
	l.read()
	l.owned()
	stop = l.nodes.emitting(1000, t.Name())
	t.Cleanup(stop)
	l.arrived("events come from each node")
	return l, stop
}

// An admin deletes the stream: a bridge makes it anew, the consumer goes on in it, and what was lost with the old one is within a gap.
func TestStreamDeletedByAnAdmin(t *testing.T) {
	t.Parallel()
	l, stop := oneBridge(t)
	rounds := times(2, 20)
	for range rounds {
		if err := l.js.DeleteStream(context.Background(), stream); err != nil {
			t.Fatal(err)
		}
		l.arrived("events go on in another stream")
	}
	stop()
	b := l.judgeRead()
	t.Logf("FIGURES the stream was deleted %d times: 0 events twice, %s", rounds, b)
}

// An admin deletes the leases: they are taken anew, and no two bridges own a node.
func TestLeasesDeletedByAnAdmin(t *testing.T) {
	t.Parallel()
	l, stop := oneBridge(t, "b")
	rounds := times(2, 20)
	for range rounds {
		if err := l.js.DeleteKeyValue(context.Background(), "AMI_LEASE_"+cluster); err != nil {
			t.Fatal(err)
		}
		eventually(t, "there are leases again", func() bool { return leased(l) == len(l.nodes.all) })
		l.arrived("events go on")
	}
	stop()
	b := l.judge()
	t.Logf("FIGURES the leases were deleted %d times: 0 events twice, %s", rounds, b)
}

// leased is how many leases there are.
func leased(l *lab) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	bucket, err := l.js.KeyValue(ctx, "AMI_LEASE_"+cluster)
	if err != nil {
		return 0
	}
	keys, err := bucket.Keys(ctx)
	if err != nil {
		return 0
	}
	return len(keys)
}

// Two clusters of one bus know nothing of each other, though their nodes and bridges have the same names.
func TestTwoClusters(t *testing.T) {
	t.Parallel()
	one, stop := oneBridge(t)
	other := &lab{t: t, dir: t.TempDir(), cluster: cluster + ".2", servers: one.servers, js: one.js, nodes: startNodes(t, 4), bridges: make(map[string]*bridge), storage: []string{"--max-bytes", "1G"}}
	other.bridge("a", "", nil)
	other.read()
	stopOther := other.nodes.emitting(300, "of the other cluster")
	t.Cleanup(stopOther)
	other.owned()
	other.arrived("events come in both")
	one.bridges["a"].kill()
	other.arrived("a bridge of the same name is killed elsewhere")
	one.startBridge(one.bridges["a"])
	one.arrived("events go on")
	stop()
	stopOther()
	first, second := one.judge(), other.judge()
	if second.sum(func(a *account) uint64 { return a.owners }) != 4 {
		t.Error("what happened in one cluster changed owners in the other")
	}
	t.Logf("FIGURES two clusters on one bus, with the same nodes and bridges: %s; %s", first, second)
}

// Two sets of servers are given the same cluster's name by mistake: their nodes have other names, and none is lost or mixed up.
func TestOneNameForTwoClusters(t *testing.T) {
	t.Parallel()
	one, stop := oneBridge(t)
	other := &lab{t: t, dir: t.TempDir(), cluster: cluster, servers: one.servers, js: one.js, nodes: startNodes(t, 8), bridges: make(map[string]*bridge)}
	other.nodes.all = other.nodes.all[4:] // pbx5 and on
	other.bridge("z", "", nil)
	other.read()
	stopOther := other.nodes.emitting(300, "of the other cluster")
	t.Cleanup(stopOther)
	other.owned()
	other.arrived("events come of both")
	one.arrived("events come of both")
	stop()
	stopOther()
	first, second := one.judge(), other.judge()
	if n := first.sum(func(a *account) uint64 { return a.owners }); n > 8 {
		t.Errorf("%d owners of 8 nodes", n)
	}
	t.Logf("FIGURES two sets of servers under one cluster's name: %s; %s", first, second)
}
