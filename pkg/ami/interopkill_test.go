package ami_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
)

// A pingLoad pings a node all the time, and counts how that ends.
type pingLoad struct {
	t       *testing.T
	b       ami.Batch[uint64]
	stop    chan struct{}
	stopped chan uint64 // how many were accepted
	ended   uint64
	byKind  map[string]uint64
}

// startPings begins a load that goes on through the death of the server and its new life.
func startPings(t *testing.T, n *ami.Node) *pingLoad {
	p := &pingLoad{t: t, stop: make(chan struct{}), stopped: make(chan uint64), byKind: map[string]uint64{}}
	go func() {
		accepted := uint64(0)
		for {
			select {
			case <-p.stop:
				p.stopped <- accepted
				return
			default:
			}
			if p.b.Submit(t.Context(), n, ami.NewAction("Ping"), accepted) == nil {
				accepted++
			} else {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	return p
}

func (p *pingLoad) take(r ami.Result[uint64]) {
	if r.Value >= 1<<62 {
		p.t.Error("a tag never given")
	}
	p.ended++
	switch {
	case r.Err == nil:
		p.byKind["replied"]++
	case errors.Is(r.Err, ami.ErrDisconnected):
		p.byKind["disconnected, sent "+ami.SentState(r.Err).String()]++
	default:
		p.byKind[r.Err.Error()]++
	}
}

// poll takes an end if there is one.
func (p *pingLoad) poll() bool {
	r, ok := p.b.Poll()
	if ok {
		p.take(r)
	}
	return ok
}

// end stops the load, and wants one end for every action that was accepted.
func (p *pingLoad) end(ctx context.Context) (accepted uint64) {
	p.t.Helper()
	close(p.stop)
	accepted = <-p.stopped
	for p.ended < accepted {
		r, err := p.b.Next(ctx)
		if err != nil {
			p.t.Fatalf("%d of %d accepted actions never ended (%v)", accepted-p.ended, accepted, p.byKind)
		}
		p.take(r)
	}
	if r, ok := p.b.Poll(); ok {
		p.t.Errorf("an end too many: %+v", r)
	}
	p.t.Logf("%d actions: %v", accepted, p.byKind)
	return accepted
}

// mortalNode is a node that may be killed, ready, with a subscription of its cluster's.
func mortalNode(t *testing.T, l lab) (*ami.Node, *ami.Subscription) {
	t.Helper()
	cluster := ami.NewCluster(ami.ClusterConfig{})
	t.Cleanup(func() { _ = cluster.Close() })
	cfg := l.config("admin")
	cfg.Events, cfg.Redial.BackoffMax = "on", time.Second
	n, err := cluster.Add(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	sub, err := cluster.Subscribe(ami.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	return n, sub
}

// A server that is killed under load: every action ends once, and the node is ready again when the server is.
func TestInteropKillUnderLoad(t *testing.T) {
	if os.Getenv("AMICTL_LAB_MAY_KILL") != "1" {
		skip.Loudly(t, "it kills Asterisk 22; AMICTL_LAB_MAY_KILL=1 allows that (a lab of its own: AMICTL_LAB_DIR, AMICTL_LAB_22_PORT)")
	}
	l := lab{version: "22"}
	if l.env("ADDR") == "" {
		t.Fatal("AMICTL_LAB_MAY_KILL=1 without AMICTL_LAB_22_ADDR")
	}
	n, sub := mortalNode(t, l)
	p := startPings(t, n)
	for p.ended < 20_000 {
		r, err := p.b.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.take(r)
	}
	session := n.Stats().Sessions
	l.script(t, "kill")
	for n.Ready() { // the kernel closed the socket
		p.poll()
	}
	repliedAtDeath := n.Stats().Ledger.Replied
	l.script(t, "start")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for st := n.Stats(); st.Sessions == session || !n.Ready() || st.Ledger.Replied <= repliedAtDeath; st = n.Stats() {
		if ctx.Err() != nil {
			t.Fatalf("not ready again: %+v", n.Stats())
		}
		if !p.poll() {
			time.Sleep(10 * time.Millisecond)
		}
	}
	accepted := p.end(ctx)
	exact(t, n.Stats())
	if lg := n.Stats().Ledger; lg.Accepted != accepted || lg.DisconnectedMaybe+lg.DisconnectedUnsent == 0 {
		t.Errorf("ledger %+v", lg)
	}
	// Work resumes: the load was answered by the new server too, and an action of this very moment is.
	if err := ping(n); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	if lg := n.Stats().Ledger; lg.Replied <= repliedAtDeath+1 {
		t.Errorf("%d answers before the restart, %d in all: the load did not resume", repliedAtDeath, lg.Replied)
	}
	gapThenNewSession(t, ctx, sub, session)
}

// gapThenNewSession reads up to the end of the gap that a death left, and wants events of that session before it and of
// a later one behind it.
func gapThenNewSession(t *testing.T, ctx context.Context, sub *ami.Subscription, session uint64) {
	t.Helper()
	resumed := false
	for {
		ev, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("resumed: %v; then: %v", resumed, err)
		}
		switch {
		case ev.Gap != nil && ev.Gap.Reason == ami.GapDisconnect:
			if ev.Gap.Since.IsZero() {
				t.Errorf("a gap without a beginning: %+v", ev.Gap)
			}
			resumed = resumed || !ev.Gap.Until.IsZero()
		case ev.Gap != nil:
			t.Errorf("a gap of another kind: %+v", ev.Gap)
		case !resumed && ev.Session > session || resumed && ev.Session <= session:
			t.Errorf("an event of session %d; resumed: %v", ev.Session, resumed)
		case resumed:
			return
		}
	}
}
