package backlog

import (
	"context"

	"github.com/apntalk/amictl/pkg/ami"
)

// endCheck is how many events are taken between two looks at whether the time is over.
const endCheck = 64

// A Tap is a subscription until ctx is done. Then it has what was there at that time, and no more: in a flood there is always
// one more, and whoever takes them would not end.
type Tap struct {
	*ami.Subscription
	ctx   context.Context //nolint:containedctx // it is the tap's end, whichever method is called
	taken uint
	over  bool
	left  uint64 // events, once it is over
}

// NewTap returns a subscription's events until ctx is done.
func NewTap(ctx context.Context, sub *ami.Subscription) *Tap {
	return &Tap{Subscription: sub, ctx: ctx}
}

// PollBorrowed returns the next event if there is one. It is valid until the next call.
func (t *Tap) PollBorrowed() (*ami.Event, bool) {
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
