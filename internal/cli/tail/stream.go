package tail

import (
	"context"

	"github.com/apntalk/amictl/pkg/ami"
)

// A stream is where a tail takes events from: a subscription, or the spool behind one. Each event is valid until the next is taken.
type stream interface {
	PollBorrowed() (*ami.Event, bool)
	NextBorrowed(ctx context.Context) (*ami.Event, error)
}

// endCheck is how many events are taken between two looks at whether the time is over.
const endCheck = 64

// A tap is a subscription until ctx is done. Then it has what was there at that time, and no more: in a flood there is always
// one more, and the run would not end.
type tap struct {
	*ami.Subscription
	ctx   context.Context
	taken uint
	over  bool
	left  uint64 // events, once it is over
}

func (t *tap) PollBorrowed() (*ami.Event, bool) {
	if t.taken++; t.taken%endCheck == 0 && !t.over && t.ctx.Err() != nil {
		t.over, t.left = true, t.Stats().Queued
	}
	if t.over && t.left == 0 {
		return nil, false
	}
	ev, ok := t.Subscription.PollBorrowed()
	if t.over && ok && ev.Gap == nil {
		t.left--
	}
	return ev, ok
}
