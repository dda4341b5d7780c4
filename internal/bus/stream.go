package bus

import (
	"context"
	"errors"
	"time"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/pkg/ami"
)

// gapUnreadable: a batch was not what it should be, and its events are lost to this consumer.
const gapUnreadable ami.GapReason = "unreadable"

// Events is a Consumer of events and gaps alone, each valid until the next is taken.
type Events struct {
	*Consumer
	failed func(error) // is told of each batch that cannot be read
}

// NewEvents returns the events of a consumer.
func NewEvents(c *Consumer, failed func(error)) *Events { return &Events{c, failed} }

// PollBorrowed returns the next event if one is at hand.
func (e *Events) PollBorrowed() (*ami.Event, bool) {
	ev, err := e.take(context.Background(), false)
	return ev, err == nil
}

// NextBorrowed waits for the next event, until ctx is done.
func (e *Events) NextBorrowed(ctx context.Context) (*ami.Event, error) { return e.take(ctx, true) }

// take is NextBorrowed, or PollBorrowed if it is not to wait.
func (e *Events) take(ctx context.Context, wait bool) (*ami.Event, error) {
	for {
		node, r, err := e.next(ctx, wait)
		var version *batch.VersionError
		var format *batch.FormatError
		switch {
		case errors.As(err, &version), errors.As(err, &format):
			e.failed(err)
			return &ami.Event{Node: node, Received: time.Now(), Gap: &ami.Gap{Reason: gapUnreadable}}, nil
		case err != nil:
			return nil, err
		case r.Event != nil:
			return r.Event, nil
		}
	}
}
