package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apntalk/amictl/internal/bus/batch"
)

// A hindsight reads backwards what is stored of a node, as far as events stand there without a gap between.
type hindsight struct {
	*chain
	first *stored // the earliest batch that was read
	marks []mark  // of all that was
	over  bool    // what comes before is beyond a gap, or there is nothing
}

// reach reads until there are so many marks, or no more.
func (h *hindsight) reach(ctx context.Context, want int) error {
	for len(h.marks) < want && !h.over {
		before, err := h.before(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", errUnread, err)
		}
		h.over = len(before) == 0
		for _, s := range slices.Backward(before) {
			if err := h.add(s); err != nil {
				return err
			}
			if h.over {
				break
			}
		}
	}
	return nil
}

// add puts a batch before the others.
func (h *hindsight) add(s *stored) error {
	if h.first != nil && !follows(h.first, s) {
		h.over = true // a batch between them has gone, or the owner of the later one does not know what came before
		return nil
	}
	marks, cut, err := marksIn(s)
	h.first, h.marks, h.over = s, append(marks, h.marks...), cut
	return err
}

// follows reports whether a batch was stored right behind another one of its node, without a gap between.
func follows(later, earlier *stored) bool {
	at, ok := placeOf(later.id())
	before, ok2 := placeOf(earlier.id())
	if !ok || !ok2 {
		return false
	}
	if at.epoch == before.epoch {
		return at.number == before.number+1
	}
	return later.header().Get(afterHeader) == earlier.id()
}

// marksIn are those of a batch, behind its last gap. cut: there is one.
func marksIn(s *stored) (marks []mark, cut bool, err error) {
	r := batch.NewReader()
	if err := r.Open(s.Data); err != nil {
		return nil, true, err
	}
	for {
		record, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return marks, cut, nil
		case err != nil:
			return nil, true, err
		case record.Owner != nil: // with a gap, or the batch says behind which one he stands
		case record.Event.Gap != nil:
			marks, cut = nil, true
		default:
			if m, ok := markOf(record.Event); ok {
				marks = append(marks, m)
			}
		}
	}
}

// mostBack is how many batches are read at once.
const mostBack = 64

// before returns some batches that stand right before the first, in their order; none if there are none. The stream can only be asked
// for what comes next behind a sequence, and between two batches of a node may be any number of other nodes'. So it finds how far it has
// to go back for some, and not too many.
func (h *hindsight) before(ctx context.Context) ([]*stored, error) {
	end := h.first.Sequence
	var none, many uint64 // so far back there are none; there are too many; 0: nobody knows yet
	for step := uint64(mostBack / 4); ; {
		from := end - min(step, end-1)
		all, err := h.between(ctx, from, end)
		switch {
		case err != nil || len(all) > 0 && len(all) <= mostBack || len(all) == 0 && from == 1:
			return all, err
		case len(all) == 0:
			none = step
		default:
			many = step
		}
		if step = 2 * step; many > 0 {
			step = (none + many) / 2
		}
	}
}

// between returns the node's batches from a sequence on and before another, one more than mostBack if there are too many.
func (h *hindsight) between(ctx context.Context, from, end uint64) (all []*stored, err error) {
	for len(all) <= mostBack && from < end {
		s, err := nextOf(ctx, h.js, h.stream, h.subject, from)
		if err != nil {
			return nil, err
		}
		if s == nil || s.Sequence >= end {
			break
		}
		all, from = append(all, s), s.Sequence+1
	}
	return all, nil
}
