package health

import (
	"context"
	"hash/maphash"

	"github.com/apntalk/amictl/pkg/ami"
)

// countChannels asks for a server's channels, and for the calls that they are parts of: those with one Linkedid are one call.
// CoreStatus has no such number: its CoreCurrentCalls are the channels (ast_active_channels in manager.c). The items are
// counted as they come, so that 50,000 channels cost no more than their calls' hashes. calls is -1 where the server names
// no Linkedid, as Asterisk 11 and older do not.
func countChannels(ctx context.Context, d ami.Doer) (calls, channels int, err error) {
	seed := maphash.MakeSeed()
	linked := make(map[uint64]struct{})
	b := ami.Batch[struct{}]{Items: true}
	if err := b.Submit(ctx, d, ami.NewAction("CoreShowChannels"), struct{}{}); err != nil {
		return -1, -1, err
	}
	for {
		r, err := b.NextBorrowed(ctx)
		switch {
		case err != nil:
			return -1, -1, err
		case r.Err != nil:
			return -1, -1, r.Err
		case r.Item == nil:
			return calls, channels, nil
		}
		channels++
		id := r.Item.Get("Linkedid")
		if id == "" {
			calls = -1
		} else if calls >= 0 {
			linked[maphash.String(seed, id)] = struct{}{}
			calls = len(linked)
		}
	}
}
