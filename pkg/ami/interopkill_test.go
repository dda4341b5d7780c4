package ami_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A server that is killed under load: every action ends once, and the node is ready again when the server is.
func TestInteropKillUnderLoad(t *testing.T) {
	if os.Getenv("AMICTL_LAB_MAY_KILL") != "1" {
		t.Skip("SKIPPED: it kills Asterisk 22; AMICTL_LAB_MAY_KILL=1 allows that (a lab of its own: AMICTL_LAB_DIR, AMICTL_LAB_22_PORT)")
	}
	l := lab{version: "22"}
	if l.env("ADDR") == "" {
		t.Fatal("AMICTL_LAB_MAY_KILL=1 without AMICTL_LAB_22_ADDR")
	}
	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	cfg := l.config("admin")
	cfg.Events, cfg.BackoffMax = "on", time.Second
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
	b := ami.NewBatch(ami.BatchOptions{})
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
			if n.Submit(t.Context(), ami.NewAction("Ping"), b, accepted) == nil {
				accepted++
			} else {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	ended, byKind := uint64(0), map[string]uint64{}
	take := func(r ami.Result) {
		if r.Tag >= 1<<62 {
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
	l.script(t, "start")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n.Stats().Sessions == session || !n.Ready() {
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
	for { // the subscriber sees the gap in its place
		ev, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("no gap: %v", err)
		}
		if ev.Gap != nil && ev.Gap.Reason == ami.GapDisconnect {
			break
		}
	}
}
