package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// aLine is what a test's bridge makes of an event.
func aLine(dst []byte, ev *ami.Event) []byte {
	if ev.Gap != nil {
		return fmt.Appendf(dst, "gap %s %d", ev.Gap.Reason, ev.Gap.Dropped)
	}
	return fmt.Appendf(dst, "%s %s", ev.Name(), ev.Get("N"))
}

// singlesOf returns what puts a node's events on the bus one by one, for the owner of an epoch.
func singlesOf(ctx context.Context, t *testing.T, js jetstream.JetStream, epoch uint64) *singles {
	t.Helper()
	if err := ensureOne(ctx, js, "c", Storage{Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	b := &bridge{o: Options{Cluster: "c", Each: []string{"Queue*", "hangup"}, Line: aLine, Storage: Storage{Replicas: 1}}, js: js}
	p := newPublisher(js, "c", "pbx", quiet())
	p.epoch, p.confirm = epoch, leaseOurs
	return newSingles(b, p, quiet())
}

// onesOf reads so many messages of the stream of singles, from the beginning.
func onesOf(ctx context.Context, t *testing.T, js jetstream.JetStream, n int) (all []string) {
	t.Helper()
	c, err := js.OrderedConsumer(ctx, oneStream("c"), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for range n {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			t.Fatalf("%v behind %q", err, all)
		}
		all = append(all, m.Subject()+" "+string(m.Data()))
	}
	return all
}

func single(name string, n int) ami.Event {
	ev := anEvent(fmt.Sprintf("Event: %s\r\nN: %d\r\n\r\n", name, n))
	ev.Node, ev.Seq = "pbx", uint64(n)
	return *ev
}

// Events that are asked for, and no others, are on the bus by themselves, once and in order, behind a gap; an owner before can write
// nothing any more.
func TestSingles(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := singlesOf(ctx, t, js, 7)
	for name, want := range map[string]bool{"Hangup": true, "QueueJoin": true, "Newchannel": false, "Que": false} {
		for range 2 {
			if ev := single(name, 0); s.wants(&ev) != want {
				t.Errorf("%s is asked for: %v", name, !want)
			}
		}
	}
	if answer := anEvent("Response: Success\r\n\r\n"); s.wants(answer) {
		t.Error("an answer is no event")
	}
	end := s.begin(ctx)
	s.offer([]ami.Event{single("Hangup", 1), single("Queue*.x", 2)})
	s.offer([]ami.Event{gapOf("pbx", ami.GapDisconnect, 0), single("Hangup", 3)})
	end() // what is in the queue is stored

	next := singlesOf(ctx, t, js, 8)
	end = next.begin(ctx)
	next.offer([]ami.Event{single("Hangup", 1)})
	end()
	late := single("Hangup", 4)
	if err := s.put(ctx, &late, []byte("late")); !errors.Is(err, errFenced) {
		t.Errorf("the owner before writes: %v", err)
	}
	if err := singlesOf(ctx, t, js, 7).takeOver(ctx); !errors.Is(err, errFenced) {
		t.Errorf("the owner before takes over: %v", err)
	}
	want := []string{
		"ami.one.c.pbx.gap gap disconnect 0", "ami.one.c.pbx.Hangup Hangup 1", "ami.one.c.pbx.Queue%2A%2Ex Queue*.x 2",
		"ami.one.c.pbx.gap gap disconnect 0", "ami.one.c.pbx.Hangup Hangup 3", "ami.one.c.pbx.gap gap disconnect 0", "ami.one.c.pbx.Hangup Hangup 1",
	}
	if got := onesOf(ctx, t, js, len(want)); !slices.Equal(got, want) {
		t.Errorf("on the bus is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An event whose answer was lost is there once; one that is too large is a gap; a stream that has gone is made anew.
func TestSinglesRetry(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := singlesOf(ctx, t, js, 1)
	if err := s.takeOver(ctx); err != nil {
		t.Fatal(err)
	}
	ev, before := single("Hangup", 1), s.last
	for range 2 {
		s.last = before
		if err := s.put(ctx, &ev, []byte("A")); err != nil {
			t.Fatal(err)
		}
	}
	if err := js.DeleteStream(ctx, oneStream("c")); err != nil {
		t.Fatal(err)
	}
	s.bridge.o.Line = func(dst []byte, ev *ami.Event) []byte {
		if ev.Gap == nil && ev.Get("N") == "2" {
			return append(dst, make([]byte, 2<<20)...)
		}
		return aLine(dst, ev)
	}
	s.offer([]ami.Event{single("Hangup", 2), single("Hangup", 3)})
	s.close()
	if err := s.run(ctx); err != nil {
		t.Fatal(err)
	}
	want := []string{"ami.one.c.pbx.gap gap disconnect 0", "ami.one.c.pbx.gap gap unpublished 1", "ami.one.c.pbx.Hangup Hangup 3"}
	if got := onesOf(ctx, t, js, len(want)); !slices.Equal(got, want) {
		t.Errorf("on the bus is %q, want %q", got, want)
	}
}

// What the queue has no room for is counted in its place, and nobody waits.
func TestSinglesOverflow(t *testing.T) {
	s := &singles{chain: chain{node: "pbx"}, came: make(chan struct{}, 1)}
	many := make([]ami.Event, mostSingles+10)
	for i := range many {
		many[i] = single("Hangup", i)
	}
	s.offer(many)
	s.offer(many[:5])
	all := s.take(t.Context())
	if len(all) != mostSingles+1 || all[mostSingles].Gap == nil || all[mostSingles].Gap.Dropped != 15 {
		t.Errorf("%d are in the queue, the last is %v", len(all), all[len(all)-1])
	}
	s.offer(many[:1])
	if all := s.take(t.Context()); len(all) != 1 || all[0].Gap != nil {
		t.Errorf("behind it are %v", all)
	}
}

// A bridge puts on the bus one by one what it puts there in batches.
func TestBridgeEach(t *testing.T) {
	url := aBus(t)
	srv := amitest.NewServer(amitest.WithName("pbx.1"))
	t.Cleanup(srv.Close)
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, Options{Conn: conn, Cluster: "c", Name: "a", Nodes: func() []ami.Config { return configsOf(srv) }, Each: []string{"User*"}, Line: aLine})
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	js := mustJetStream(t, dial(t, url))
	var c jetstream.Consumer
	for ctx.Err() == nil {
		if c, err = js.OrderedConsumer(ctx, oneStream("c"), jetstream.OrderedConsumerConfig{}); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	messages, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	emitting, end := context.WithCancel(ctx)
	defer end()
	go func() {
		for n := 0; emitting.Err() == nil; n++ {
			srv.EmitEvent("Other", "N", fmt.Sprint(n))
			srv.EmitEvent("UserEvent", "N", fmt.Sprint(n))
			time.Sleep(time.Millisecond)
		}
	}()
	last := -1
	for n := 0; n < 100; {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		var is int
		if _, err := fmt.Sscanf(string(m.Data()), "UserEvent %d", &is); err != nil {
			if !strings.HasPrefix(string(m.Data()), "gap disconnect") || m.Subject() != "ami.one.c.pbx%2E1.gap" {
				t.Fatalf("%s: %s", m.Subject(), m.Data())
			}
			continue
		}
		if last >= 0 && is != last+1 {
			t.Fatalf("%d comes behind %d", is, last)
		}
		last = is
		n++
	}
}
