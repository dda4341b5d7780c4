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

// A server that is killed under load: every action ends once, and the node is ready again when the server is.
func TestInteropKillUnderLoad(t *testing.T) {
	if os.Getenv("AMICTL_LAB_MAY_KILL") != "1" {
		skip.Loudly(t, "it kills Asterisk 22; AMICTL_LAB_MAY_KILL=1 allows that (a lab of its own: AMICTL_LAB_DIR, AMICTL_LAB_22_PORT)")
	}
	l := lab{version: "22"}
	if l.env("ADDR") == "" {
		t.Fatal("AMICTL_LAB_MAY_KILL=1 without AMICTL_LAB_22_ADDR")
	}
	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
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
	defer sub.Close()
	b := &ami.Batch[uint64]{}
	stop, stopped := make(chan struct{}), make(chan uint64)
	go func() { // load, through the death and the new life
		accepted := uint64(0)
		for {
			select {
			case <-stop:
				stopped <- accepted
				return
			default:
			}
			if b.Submit(t.Context(), n, ami.NewAction("Ping"), accepted) == nil {
				accepted++
			} else {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	ended, byKind := uint64(0), map[string]uint64{}
	take := func(r ami.Result[uint64]) {
		if r.Value >= 1<<62 {
			t.Error("a tag never given")
		}
		ended++
		switch {
		case r.Err == nil:
			byKind["replied"]++
		case errors.Is(r.Err, ami.ErrDisconnected):
			byKind["disconnected, sent "+ami.SentState(r.Err).String()]++
		default:
			byKind[r.Err.Error()]++
		}
	}
	for ended < 20_000 {
		r, err := b.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		take(r)
	}
	session := n.Stats().Sessions
	l.script(t, "kill")
	for n.Ready() { // the kernel closed the socket
		if r, ok := b.Poll(); ok {
			take(r)
		}
	}
	repliedAtDeath := n.Stats().Ledger.Replied
	l.script(t, "start")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for st := n.Stats(); st.Sessions == session || !n.Ready() || st.Ledger.Replied <= repliedAtDeath; st = n.Stats() {
		if ctx.Err() != nil {
			t.Fatalf("not ready again: %+v", n.Stats())
		}
		if r, ok := b.Poll(); ok {
			take(r)
		} else {
			time.Sleep(10 * time.Millisecond)
		}
	}
	close(stop)
	accepted := <-stopped
	for ended < accepted {
		r, err := b.Next(ctx)
		if err != nil {
			t.Fatalf("%d of %d accepted actions never ended (%v)", accepted-ended, accepted, byKind)
		}
		take(r)
	}
	if r, ok := b.Poll(); ok {
		t.Errorf("an end too many: %+v", r)
	}
	t.Logf("%d actions: %v", accepted, byKind)
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
