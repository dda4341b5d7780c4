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
	c, err := Read(ctx, js.Conn(), ReadOptions{Cluster: "c", Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
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
