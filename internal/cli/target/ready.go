package target

import (
	"context"
	"errors"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// WaitBooted waits for FullyBooted, or for the time of the last boot in CoreStatus on a user without the class system. That has
// the time a moment too early, before all modules are loaded [live, 22]: with sees, the user is known to see FullyBooted, and
// nothing else counts.
// A refused login ends it: Asterisk knows its users before it listens, so that waiting would not help.
func WaitBooted(ctx context.Context, n *ami.Node, sees bool) error {
	for {
		if err := waitSession(ctx, n); err != nil {
			return err
		}
		if n.Booted() {
			return nil
		}
		var err error
		if !sees {
			var r *ami.Reply
			if r, err = n.Do(ctx, ami.NewAction("CoreStatus")); err == nil && r.Get("CoreStartupTime") != "" {
				return nil
			}
		}
		select {
		case <-time.After(bootPause):
		case <-ctx.Done():
			return ctx.Err()
		}
		if refused := (*ami.ResponseError)(nil); errors.As(err, &refused) && wire.EqualFold(refused.Message, "Permission denied") {
			return nil // it answers with knowledge of its classes; there is no more to learn
		}
	}
}

// waitSession waits for a session, through all failures but a refused login.
func waitSession(ctx context.Context, n *ami.Node) error {
	for {
		short, cancel := context.WithTimeout(ctx, bootPause)
		err := n.WaitReady(short)
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if _, last := n.State(); last != nil && IsLogin(last) {
			return last
		}
		if short.Err() == nil {
			return err
		}
	}
}

// bootPause is the time between two looks at a server that boots.
const bootPause = 250 * time.Millisecond
