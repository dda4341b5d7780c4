package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/internal/natsserver"
)

// owning takes the node over for a publisher whose lease is a function.
func owning(ctx context.Context, js jetstream.JetStream, o batch.Owner, confirm func(context.Context) error) (*publisher, error) {
	p := newPublisher(js, "c", "pbx", slog.New(slog.DiscardHandler))
	p.confirm = confirm
	p.restore = func(ctx context.Context) error { return ensureStream(ctx, js, "c", Storage{Replicas: 1}) }
	_, err := p.takeOver(ctx, o, nil)
	return p, err
}

func leaseOurs(context.Context) error { return nil }

func leaseTaken(context.Context) error { return errTaken }

// An owner's batches stand behind each other, each once, until another one has taken over: then none of his goes in any more.
func TestPublisher(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	first, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 10, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := first.publish(ctx, aBatch(fmt.Sprintf("Event: A%d\r\n\r\n", i))); err != nil {
			t.Fatal(err)
		}
	}
	again := *first // a batch whose answer was lost is sent again: it is there already, once
	if err := first.publish(ctx, aBatch("Event: A3\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := again.publish(ctx, aBatch("Event: A3\r\n\r\n")); err != nil || again.last != first.last {
		t.Errorf("the same batch again: %v, sequence %d, want %d", err, again.last, first.last)
	}
	second, err := owning(ctx, js, batch.Owner{Bridge: "b", Epoch: 11, Time: time.Now()}, leaseTaken)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.publish(ctx, aBatch("Event: Late\r\n\r\n")); !errors.Is(err, errFenced) {
		t.Errorf("the first owner writes behind the second: %v", err)
	}
	if err := second.publish(ctx, aBatch("Event: B0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := owning(ctx, js, batch.Owner{Bridge: "late", Epoch: 10}, leaseTaken); !errors.Is(err, errTaken) {
		t.Errorf("an owner of an earlier epoch takes over: %v", err)
	}
	third, err := owning(ctx, js, batch.Owner{Bridge: "new", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil || third.epoch != 12 {
		t.Errorf("when the leases are new, the epoch goes on: %v, %v", third, err)
	}
	want := "owner a 10;gap disconnect;A0;A1;A2;A3;owner b 11;gap disconnect;B0;owner new 12;gap disconnect"
	if got := strings.Join(readAll(t, js.Conn(), 11), ";"); got != want {
		t.Errorf("on the bus is\n%s\nwant\n%s", got, want)
	}
}

// A leader of replicas may refuse a batch because it has not put the one before away yet. That is no other owner.
func TestBatchInProcess(t *testing.T) {
	nobody, err := natsserver.Start(natsserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nobody.Close)
	url := nobody.URL()
	js, err := jetstream.New(dial(t, url))
	if err != nil {
		t.Fatal(err)
	}
	server := dial(t, url) // in place of JetStream
	answer := func(subj string, texts ...string) {
		t.Helper()
		n := 0
		if _, err := server.Subscribe(subj, func(m *nats.Msg) {
			_ = m.Respond([]byte(texts[min(n, len(texts)-1)]))
			n++
		}); err != nil {
			t.Fatal(err)
		}
	}
	p := newPublisher(js, "c", "pbx", slog.New(slog.DiscardHandler))
	p.epoch, p.number, p.last = 3, 6, 70
	answer(p.subject, `{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"}}`, `{"stream":"`+p.stream+`","seq":71}`)
	answer("$JS.API.STREAM.MSG.GET."+p.stream, `{"message":{"seq":70}}`)
	if err := server.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := p.publish(t.Context(), aBatch("Event: A\r\n\r\n")); err != nil || p.last != 71 {
		t.Errorf("%v, sequence %d", err, p.last)
	}
}

// What a stream no longer has when a consumer comes to it is a gap, and the owner goes on when the stream is emptied.
func TestExpiredBatches(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	p, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, eventStream("c"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Read(ctx, js.Conn(), ReadOptions{Cluster: "c", Nodes: []string{"pbx"}, Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, _, err := other.Next(ctx); err != nil { // it has read the owner's mark
		t.Fatal(err)
	}
	for i := range 3 {
		if err := p.publish(ctx, aBatch(fmt.Sprintf("Event: A%d\r\n\r\n", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject.Events("c", "pbx"))); err != nil {
		t.Fatal(err)
	}
	if err := p.publish(ctx, aBatch("Event: Last\r\n\r\n")); err != nil {
		t.Fatalf("an owner cannot go on behind a purge: %v", err)
	}
	late := fromStart(ctx, t, js.Conn())
	late.places = other.places // as if it had been slow
	var got []string
	for range 2 {
		_, r, err := late.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if g := r.Event.Gap; g != nil {
			got = append(got, string(g.Reason))
		} else {
			got = append(got, strings.Clone(r.Event.Name()))
		}
	}
	if s := strings.Join(got, " "); s != "expired Last" {
		t.Errorf("a slow consumer gets %q", s)
	}
}

// When a node's batches have gone from the stream, there is nothing that a late one could stand behind wrongly: the lease alone says
// who may write.
func TestEmptiedStream(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	late, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	late.confirm = leaseTaken
	now, err := owning(ctx, js, batch.Owner{Bridge: "b", Epoch: 2, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, eventStream("c"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	if all, err := Verify(ctx, js.Conn(), "c"); err != nil || len(all) != 0 {
		t.Errorf("an empty stream: %v, %v", all, err)
	}
	if err := late.publish(ctx, aBatch("Event: Late\r\n\r\n")); !errors.Is(err, errTaken) {
		t.Errorf("a bridge that lost its lease writes: %v", err)
	}
	if err := now.publish(ctx, aBatch("Event: B0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, js.Conn(), 1); got[0] != "B0" {
		t.Errorf("on the bus is %q", got)
	}
	if err := js.DeleteStream(ctx, eventStream("c")); err != nil {
		t.Fatal(err)
	}
	if err := now.publish(ctx, aBatch("Event: B1\r\n\r\n")); err != nil {
		t.Errorf("the stream was deleted: %v", err)
	}
	if got := readAll(t, js.Conn(), 1); got[0] != "B1" {
		t.Errorf("in the new stream is %q", got)
	}
}

// A stream that keeps less than the server's usual time of duplicates can be made.
func TestShortRetention(t *testing.T) {
	js, err := jetstream.New(dial(t, aBus(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := ensureStream(t.Context(), js, "c", Storage{Retain: time.Minute, Replicas: 1}); err != nil {
		t.Error(err)
	}
}

// Batches that are missing between two of a node's are seen, within an epoch and across epochs.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		before, now place
		follows     bool
		behind      string
	}{
		{before: place{1, 1}, now: place{1, 2}, follows: true},
		{before: place{1, 2}, now: place{1, 2}, follows: true}, // once more
		{before: place{1, 1}, now: place{1, 3}, follows: false},
		{before: place{1, 9}, now: place{2, 1}, follows: true},
		{before: place{1, 9}, now: place{2, 2}, follows: false},
		{before: place{1, 9}, now: place{4, 1}, follows: true},
		{before: place{1, 9}, now: place{2, 1}, behind: "pbx.1.9", follows: true},
		{before: place{1, 7}, now: place{2, 1}, behind: "pbx.1.9"},
		{before: place{1, 9}, now: place{4, 1}, behind: "pbx.3.2"},
		{before: place{2, 1}, now: place{2, 1}, behind: "pbx.1.9", follows: true}, // once more
	} {
		if got := c.now.follows(c.before, nats.Header{afterHeader: []string{c.behind}}); got != c.follows {
			t.Errorf("%v behind %v: %v", c.now, c.before, got)
		}
	}
}
