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
