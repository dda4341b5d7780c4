package bus

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A lease is one bridge's until he gives it back or ends, and renewals do not take its end away.
func TestLease(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	mine, err := acquire(ctx, js, "c", "pbx.1", "a", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := acquire(ctx, js, "c", "pbx.1", "b", 0, nil); !errors.Is(err, errTaken) {
		t.Errorf("two have it: %v", err)
	}
	if err := mine.renew(ctx); err != nil {
		t.Errorf("renewing: %v", err)
	}
	last, err := lastOf(ctx, js, "KV_"+leaseBucket("c"), leaseSubject("c", "pbx.1"))
	if err != nil || last == nil || !strings.Contains(string(last.Header), "Nats-TTL: 15s") {
		t.Fatalf("a renewed lease has no end: %v %v", last, err)
	}
	mine.revision = 1 << 40 // the answer to a renewal was lost: the revision is another, and still ours
	if err := mine.renew(ctx); err != nil || mine.revision <= last.Sequence || mine.revision == 1<<40 {
		t.Errorf("a renewal whose answer was lost: %v, revision %d", err, mine.revision)
	}
	theirs, err := acquire(ctx, js, "c", "pbx.1", "b", mine.revision, nil) // who takes us for dead
	if err != nil || theirs.epoch <= mine.epoch {
		t.Fatalf("taking over: %v", err)
	}
	if err := mine.renew(ctx); !errors.Is(err, errTaken) {
		t.Errorf("a lost lease is renewed: %v", err)
	}
	if err := mine.release(ctx); err != nil {
		t.Errorf("giving back what is another's: %v", err)
	}
	if err := theirs.renew(ctx); err != nil {
		t.Errorf("it took the other's away: %v", err)
	}
	if err := theirs.release(ctx); err != nil {
		t.Fatal(err)
	}
	board, err := watchLeases(ctx, js, "c")
	if err != nil {
		t.Fatal(err)
	}
	defer board.stop()
	s := board.of("pbx.1")
	if s.holder != "" {
		t.Errorf("a lease that was given back is %q's", s.holder)
	}
	if next, err := acquire(ctx, js, "c", "pbx.1", "c", s.revision, nil); err != nil || next.epoch <= theirs.epoch {
		t.Errorf("the next one: %v", err)
	}
}

// A lease that ended while the bus was away is taken back if nobody took it.
func TestLeaseExpired(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	mine, err := acquire(ctx, js, "c", "pbx", "a", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	short := &nats.Msg{Subject: mine.key, Data: mine.value} // as if it had been renewed 14 s ago
	if _, err := js.PublishMsg(ctx, short, jetstream.WithMsgTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	ended := func() bool {
		last, err := lastOf(ctx, js, "KV_"+leaseBucket("c"), mine.key)
		return err == nil && (last == nil || !last.isValue())
	}
	for start := time.Now(); !ended(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatal("the lease does not end")
		}
	}
	if err := mine.renew(ctx); err != nil {
		t.Errorf("a lease that nobody took cannot be had again: %v", err)
	}
	if err := mine.renew(ctx); err != nil {
		t.Error(err)
	}
}

// An admin deletes all leases: an owner has his own again, and what is free can be taken.
func TestLeasesDeleted(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	restore := func(ctx context.Context) error { return ensureBucket(ctx, js, "c", Storage{Replicas: 1}) }
	remove := func() {
		t.Helper()
		if err := js.DeleteKeyValue(ctx, leaseBucket("c")); err != nil {
			t.Fatal(err)
		}
	}
	mine, err := acquire(ctx, js, "c", "pbx", "a", 0, restore)
	if err != nil {
		t.Fatal(err)
	}
	remove()
	if err := mine.renew(ctx); err != nil {
		t.Errorf("the owner does not get it again: %v", err)
	}
	if _, err := acquire(ctx, js, "c", "pbx", "b", 0, restore); !errors.Is(err, errTaken) {
		t.Errorf("another one can have it: %v", err)
	}
	remove()
	if _, err := acquire(ctx, js, "c", "pbx", "b", mine.revision, restore); !errors.Is(err, errTaken) {
		t.Errorf("a lease that was deleted is free at its old revision: %v", err)
	}
	theirs, err := acquire(ctx, js, "c", "pbx", "b", 0, restore)
	if err != nil {
		t.Fatalf("it is not free: %v", err)
	}
	if err := theirs.renew(ctx); err != nil {
		t.Error(err)
	}
	if err := mine.renew(ctx); !errors.Is(err, errTaken) {
		t.Errorf("two have it: %v", err)
	}
}

// A lease that names a bridge which does not own the node, as after an acquisition whose answer was lost, is taken by that bridge.
func TestLeaseWithoutOwner(t *testing.T) {
	url := aBus(t)
	js := withJetStream(t, url)
	conn := dial(t, url)
	beats, err := conn.SubscribeSync(subject.Beats("c"))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	srv := amitest.NewServer(amitest.WithName("pbx"))
	t.Cleanup(srv.Close)
	var known atomic.Bool
	bridgingOn(t, url, "a", func() []ami.Config {
		if !known.Load() {
			return nil
		}
		return configsOf(srv)
	})
	beat, err := beats.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := acquire(t.Context(), js, "c", "pbx", string(beat.Data), 0, nil); err != nil {
		t.Fatal(err)
	}
	known.Store(true)
	if got := readAll(t, conn, 1); !strings.HasPrefix(got[0], "owner a ") {
		t.Errorf("on the bus is %q", got)
	}
}
