package backlog

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// subscribed is a subscription with little room to a server, once there is a session.
func subscribed(t *testing.T, events int) (*amitest.Server, *ami.Subscription) {
	t.Helper()
	srv := amitest.NewServer(amitest.WithName("pbx"))
	t.Cleanup(srv.Close)
	c := ami.NewCluster(ami.ClusterConfig{})
	t.Cleanup(func() { _ = c.Close() })
	sub, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"Tick"}, RingEvents: events})
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Add(ami.Config{Name: "pbx", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "on"})
	if err == nil {
		err = n.WaitReady(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return srv, sub
}

// What was taken before Stop is handed out behind it, in order, and then the end.
func TestBacklog(t *testing.T) {
	srv, sub := subscribed(t, 20_000)
	queue, err := spool.New(spool.Options{Dir: t.TempDir(), Disk: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	b := New(t.Context(), sub, queue, Options{RingEvents: 20_000, RingBytes: 64 << 20, Full: func(err error) { t.Error(err) }, Left: func() { close(left) }})
	defer b.Close()
	const count = 15_000
	filler := strings.Repeat("x", 500)
	for n := range count {
		srv.EmitEvent("Tick", "N", strconv.Itoa(n), "Filler", filler)
		if n%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	for sub.Stats().Offered < count {
		time.Sleep(time.Millisecond)
	}
	if queue.Stats().Disk == 0 {
		t.Error("nothing is on disk: this test shows nothing")
	}
	b.Stop()
	for n := range count {
		ev, err := b.NextBorrowed(t.Context())
		if err != nil || ev.Get("N") != strconv.Itoa(n) || ev.Node != "pbx" || ev.Session != 1 || ev.Received.IsZero() {
			t.Fatalf("%v, %v, not %d", err, ev, n)
		}
	}
	if ev, ok := b.PollBorrowed(); ok {
		t.Errorf("behind the last is %v", ev)
	}
	if _, err := b.NextBorrowed(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last: %v", err)
	}
	<-left
	if b.HoldsGaps() {
		t.Error("there were no gaps")
	}
}

// A gap that waits may be among what a disk loses.
func TestHoldsGaps(t *testing.T) {
	srv, sub := subscribed(t, 100)
	queue, err := spool.New(spool.Options{Dir: t.TempDir(), Disk: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b := New(t.Context(), sub, queue, Options{RingEvents: 100, RingBytes: 1 << 20, Full: func(error) {}})
	defer b.Close()
	srv.Kick()
	ev, err := b.NextBorrowed(t.Context())
	if err != nil || ev.Gap == nil || ev.Gap.Reason != ami.GapDisconnect || b.HoldsGaps() {
		t.Errorf("%v, %v; a gap waits: %v", ev, err, b.HoldsGaps())
	}
	srv.Kick()
	for !b.HoldsGaps() {
		time.Sleep(time.Millisecond)
	}
	b.Close()
	if _, err := b.NextBorrowed(t.Context()); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("when it is closed: %v", err)
	}
}
