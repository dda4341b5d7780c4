package calls

import (
	"context"
	"errors"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// follow prints calls as they end.
func follow(ctx context.Context, v *held.View, o *options) error {
	w, err := held.Follow(ctx, v.Run, v.Nodes, state.Options{Kinds: v.Kinds()})
	if err != nil {
		return err
	}
	defer w.Finish(ctx)
	quiet, err := act.ListenFor(ctx, v.Run, w.Cluster, ami.FollowedEvents())
	if err != nil {
		return err
	}
	defer quiet.Stop()
	run.FavourStreams()
	e := newEnd(v, o)
	e.lines = v.IsTable()
	err = w.Changes(ctx, o.length, e.take, v.Out.Flush)
	switch {
	case errors.Is(err, errEnough):
		err = nil
	case err == nil:
		quiet.End()
	}
	return errors.Join(err, v.Out.Close())
}

// take prints what a change tells of calls: one that ended, or that some may be missing.
func (e *end) take(ch *state.Change) error {
	if ch.Op == state.OpReset {
		e.Run.Dropped += ch.Lost
		e.Run.Note("%s may be missing: the reader of this output, or this host, was too slow", fail.Count(ch.Lost, "call"))
		return e.Out.Event(&ami.Event{Received: ch.Time, Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: ch.Lost}})
	}
	switch o := ch.Object.(type) {
	case *state.Record:
		return e.record(o)
	case *state.Node:
		switch {
		case ch.Op == state.OpSynced:
			e.NoteLacking(o)
		case o.Stale && ch.Has("stale"):
			return e.Out.Event(&ami.Event{Node: o.Node, Received: ch.Time, Gap: &ami.Gap{Reason: ami.GapReason(o.Reason), Since: o.Since}})
		}
	}
	return nil
}
