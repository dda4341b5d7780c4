package ami_test

import (
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

// The reader goes on writing to a segment of which the consumer holds events. The race detector judges.
func TestReaderAndConsumerShareASegment(t *testing.T) {
	_, s, cfg := simulate(t)
	cfg.Events = "on"
	c := mustDial(t, cfg)
	sub, err := c.Subscribe(ami.SubscribeOptions{RingEvents: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	const events = 20_000
	go func() {
		for range events / 10 {
			s.Emit(ticks(10, 10)...)
		}
	}()
	for n := 0; n < events; {
		ev, err := sub.NextBorrowed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ev.Gap == nil && ev.Name() == "Tick" {
			n++
		}
	}
}
