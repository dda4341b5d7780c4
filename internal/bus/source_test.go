package bus

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bus/batch"
)

// A consumer goes on in a stream that was made anew, and is told of what was lost with the one before.
func TestStreamDeleted(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	c := fromStart(ctx, t, js.Conn())
	publish := func(name string) {
		t.Helper()
		if err := p.publish(ctx, aBatch("Event: "+name+"\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	got := func(n int) string {
		t.Helper()
		return strings.Join(records(ctx, t, c, n), ";")
	}
	publish("A")
	if all := got(3); all != "owner a 1;gap disconnect;A" {
		t.Fatal(all)
	}
	anew := func() {
		t.Helper()
		if err := js.DeleteStream(ctx, eventStream("c")); err != nil {
			t.Fatal(err)
		}
	}
	anew() // nothing was in it that was not read
	publish("B")
	if all := got(1); all != "B" {
		t.Errorf("in the new stream is %s", all)
	}
	anew()
	publish("C")
	anew() // and C may be lost before it is read
	publish("D")
	if all := got(1); all != "C" && all != "gap expired" {
		t.Errorf("behind a loss is %s", all)
	}
	if all := got(1); all != "D" {
		t.Errorf("in the last stream is %s", all)
	}
}

// A consumer that the client has given up is made anew behind what was read. Nothing comes twice, and nothing that was there before the
// start.
func TestLostConsumer(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(name string) {
		t.Helper()
		if err := p.publish(ctx, aBatch("Event: "+name+"\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	publish("Before")
	for name, nodes := range map[string][]string{"of all nodes": nil, "of a node": {"pbx"}} {
		t.Run(name, func(t *testing.T) {
			s := &source{js: js, o: ReadOptions{Cluster: "c", Nodes: nodes}}
			if err := s.open(ctx); err != nil {
				t.Fatal(err)
			}
			defer s.close()
			next := func() uint64 {
				t.Helper()
				m, err := s.next(ctx)
				if err != nil {
					t.Fatal(err)
				}
				at, err := m.Metadata()
				if err != nil {
					t.Fatal(err)
				}
				return at.Sequence.Stream
			}
			s.messages.Stop()
			publish("One")
			if at := next(); at != p.last {
				t.Errorf("message %d comes, and %d was the first since", at, p.last)
			}
			s.messages.Stop()
			publish("Two")
			publish("Three")
			if one, two := next(), next(); one != p.last-1 || two != p.last {
				t.Errorf("messages %d and %d come, want %d and %d", one, two, p.last-1, p.last)
			}
		})
	}
}

// The client makes a consumer anew when it hears that it was deleted: one that begins with what comes next does not begin with the
// oldest then.
func TestDeletedConsumerBeginsWhereItStood(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{js: js, o: ReadOptions{Cluster: "c"}}
	if err := s.open(ctx); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	came := make(chan uint64, 1)
	go func() {
		defer close(came)
		if m, err := s.next(ctx); err == nil {
			at, _ := m.Metadata()
			came <- at.Sequence.Stream
		}
	}()
	for names := s.stream.ConsumerNames(ctx); ; {
		name, ok := <-names.Name()
		if !ok {
			break
		}
		if err := s.stream.DeleteConsumer(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.publish(ctx, aBatch("Event: Next\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if at := <-came; at != p.last {
		t.Errorf("message %d comes, and %d was the first since", at, p.last)
	}
}
