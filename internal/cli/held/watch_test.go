package held

import (
	"context"
	"errors"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/state"
)

// An ending is a context in the moment in which it has ended and has not yet told those below it.
type ending struct{ context.Context }

func (ending) Err() error { return context.DeadlineExceeded }

// A length that is over is told as such, whichever of the contexts below it ends first.
func TestStreamEndsAsItsContext(t *testing.T) {
	changes := func(yield func(state.Change, error) bool) { yield(state.Change{}, context.Canceled) }
	if err := stream(ending{t.Context()}, changes, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the deadline", err)
	}
}
