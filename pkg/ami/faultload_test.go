package ami_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// What a faultLoad's nodes are configured with, so that a dead peer is found in seconds.
const (
	faultKeepalive     = time.Second
	faultPingTimeout   = time.Second
	faultMisses        = 2
	faultActionTimeout = time.Second

	// A Ping's time starts when the actions ahead of it are due, and more are sent while it is out.
	faultDeadAfter = faultKeepalive + faultMisses*(faultPingTimeout+faultActionTimeout)
)

// A faultLoad is a cluster under a load that goes on whatever happens, with a book of its own.
type faultLoad struct {
	t       *testing.T
	cluster *ami.Cluster
	nodes   []*ami.Node
	sub     *ami.Subscription
	stop    context.CancelFunc
	gone    sync.WaitGroup

	submitted, answered, timedOut, disconnected, refused atomic.Uint64
	unexpected                                           sync.Map // errors that should not be
	events, gaps, missing                                atomic.Uint64
}

// newFaultLoad connects to count servers, one action and an event stream at a time on each.
func newFaultLoad(t *testing.T, count int, host string, port int) *faultLoad {
	t.Helper()
	f := &faultLoad{t: t, cluster: ami.NewCluster(ami.ClusterConfig{RedialRate: 200})}
	sub, err := f.cluster.Subscribe(ami.SubscribeOptions{Events: []string{"UserEvent"}})
	if err != nil {
		t.Fatal(err)
	}
	f.sub = sub
	for i := range count {
		n, err := f.cluster.Add(ami.Config{
			Name: fmt.Sprintf("pbx%d", i), Addr: net.JoinHostPort(host, strconv.Itoa(port+i)), Events: "user",
			Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Auth: ami.AuthPlain,
			Timeouts:  ami.Timeouts{Dial: 2 * time.Second, Login: 3 * time.Second, Action: faultActionTimeout},
			Keepalive: ami.Keepalive{Interval: faultKeepalive, Timeout: faultPingTimeout, Misses: faultMisses},
			Redial:    ami.Redial{BackoffMin: 50 * time.Millisecond, BackoffMax: time.Second, BreakerAfter: 2 * time.Second, StableAfter: time.Second},
		})
		if err != nil {
			t.Fatal(err)
		}
		f.nodes = append(f.nodes, n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	for _, n := range f.nodes {
		f.gone.Go(func() { f.work(ctx, n) })
	}
	f.gone.Go(func() { f.follow(ctx) })
	return f
}

// work sends one action after another and books how each ended.
func (f *faultLoad) work(ctx context.Context, n *ami.Node) {
	for ctx.Err() == nil {
		f.submitted.Add(1)
		r, err := n.Do(context.Background(), ami.Action{Name: "Ping"})
		switch {
		case err == nil && r.Success():
			f.answered.Add(1)
		case errors.Is(err, ami.ErrNotReady), errors.Is(err, ami.ErrBreakerOpen):
			f.refused.Add(1)
		case errors.Is(err, ami.ErrTimeout):
			f.timedOut.Add(1)
		case errors.Is(err, ami.ErrDisconnected):
			f.disconnected.Add(1)
		default:
			f.unexpected.Store(fmt.Sprint(err), true)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// follow checks that each node's events are numbered without a hole, but behind a gap.
func (f *faultLoad) follow(ctx context.Context) {
	last := make(map[string]int)
	for ev, err := range f.sub.All(ctx) {
		if err != nil {
			return
		}
		if ev.Gap != nil {
			f.gaps.Add(1)
			delete(last, ev.Node)
			continue
		}
		f.events.Add(1)
		n, err := strconv.Atoi(ev.Get("Tick"))
		if err != nil {
			f.unexpected.Store("an event without a number: "+err.Error(), true)
			continue
		}
		if before, ok := last[ev.Node]; ok && n != before+1 {
			f.missing.Add(1)
		}
		last[ev.Node] = n
	}
}

// ready waits until every node takes actions and returns how long that took.
func (f *faultLoad) ready(within time.Duration) time.Duration {
	f.t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for _, n := range f.nodes {
		if err := n.WaitReady(ctx); err != nil {
			f.t.Errorf("%s is not ready %v later: %v", n.Name(), within, err)
		}
	}
	return time.Since(start)
}

// allLost waits until every session that lived before is gone and returns how long that took.
func (f *faultLoad) allLost(before map[string]uint64, within time.Duration) time.Duration {
	f.t.Helper()
	start := time.Now()
	for _, n := range f.nodes {
		for n.Stats().Lost <= before[n.Name()] {
			if time.Since(start) > within {
				f.t.Errorf("%s still believes in its session after %v", n.Name(), within)
				return within
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return time.Since(start)
}

func (f *faultLoad) lost() map[string]uint64 {
	m := make(map[string]uint64)
	for _, n := range f.nodes {
		m[n.Name()] = n.Stats().Lost
	}
	return m
}

// finish ends the load, compares every book and closes the cluster.
func (f *faultLoad) finish(server *amitest.Ledger) {
	f.t.Helper()
	f.stop()
	f.gone.Wait()
	s := f.cluster.Stats()
	l := s.Ledger
	var internal uint64
	for _, n := range s.Nodes {
		if !n.Ledger.Exact() {
			f.t.Errorf("%s: the ledger is not exact: %+v", n.Node, n.Ledger)
		}
		internal += n.Internal
	}
	if !l.Exact() || l.InFlight != 0 {
		f.t.Errorf("the cluster's ledger is not exact: %+v", l)
	}
	got := [...]uint64{l.Submitted, l.Replied, l.TimedOut, l.DisconnectedUnsent + l.DisconnectedMaybe, l.Rejected, l.ErrorReplies + l.Cancelled}
	want := [...]uint64{f.submitted.Load(), f.answered.Load(), f.timedOut.Load(), f.disconnected.Load(), f.refused.Load(), 0}
	// An action refused because its session had just died says "disconnected" and is booked as rejected.
	if slack := got[4] - want[4]; slack <= want[3] {
		got[4] -= slack
		got[3] += slack
	}
	if got != want {
		f.t.Errorf("the engine's book says %v (submitted, answered, timed out, disconnected, refused, other), the callers' %v", got, want)
	}
	if server != nil && (server.ActionsReceived < l.Replied || server.ActionsReceived > l.Accepted-l.DisconnectedUnsent+internal) {
		f.t.Errorf("the servers received %d actions; the engine accepted %d (%d unsent, %d answered) and sent %d of its own", server.ActionsReceived, l.Accepted, l.DisconnectedUnsent, l.Replied, internal)
	}
	f.unexpected.Range(func(err, _ any) bool { f.t.Errorf("unexpected: %v", err); return true })
	if n := f.missing.Load(); n > 0 {
		f.t.Errorf("%d times events were missing without a gap", n)
	}
	st := f.sub.Stats()
	if st.Offered != st.Filtered+st.Delivered+st.Dropped+st.Discarded+st.Queued {
		f.t.Errorf("the subscription's ledger is not exact: %+v", st)
	}
	f.sub.Close()
	if err := f.cluster.Close(); err != nil {
		f.t.Error(err)
	}
}
