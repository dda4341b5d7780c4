package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A follow is a view whose changes are printed.
type follow struct {
	*held.View
	marks bool              // nodes are told of because of what they held, not because they were asked for
	shown map[identity]bool // with a condition: what the reader holds
}

func newFollow(v *held.View) *follow {
	marks := len(v.Parts) == len(objects.Parts) || !v.Has(state.KindNode)
	return &follow{View: v, marks: marks, shown: make(map[identity]bool)}
}

// An identity tells one thing from all others.
type identity struct {
	kind      state.Kind
	node, key string
}

// changes prints what there is and what becomes of it, until ctx is done or --for is over.
func (f *follow) changes(ctx context.Context, length flags.Duration) error {
	w, err := held.Follow(ctx, f.Run, f.Nodes, state.Options{Kinds: f.Kinds()})
	if err != nil {
		return err
	}
	defer w.Finish(ctx)
	run.FavourStreams()
	return errors.Join(w.Changes(ctx, length, f.take, f.Out.Flush), f.Out.Close())
}

// take prints one change.
func (f *follow) take(ch *state.Change) error {
	switch ch.Op {
	case state.OpRecord, state.OpStep:
		return nil
	case state.OpSynced:
		if n, ok := ch.Object.(*state.Node); ok {
			f.NoteLacking(n)
		}
		return f.mark(output.Record{{Key: "type", Value: "synced"}, {Key: "time", Value: ch.Time}, {Key: "node", Value: ch.Node}},
			objects.Moment(ch.Time, time.Now())+"  synced  "+output.Safe(ch.Node))
	case state.OpReset:
		clear(f.shown)
		f.Run.Note("%s dropped: the reader of this output, or this host, was too slow; the current state follows", fail.Were(ch.Lost, "change"))
		return f.mark(output.Record{{Key: "type", Value: "gap"}, {Key: "time", Value: ch.Time}, {Key: "reason", Value: "overflow"}, {Key: "dropped", Value: ch.Lost}},
			fmt.Sprintf("%s  gap     %s dropped", objects.Moment(ch.Time, time.Now()), fail.Were(ch.Lost, "change")))
	}
	p := f.Part(ch.Object.Kind())
	if ch.Object.Kind() == state.KindNode && f.marks {
		return f.object(objects.PartOf(state.KindNode), ch.Op, ch)
	}
	if p == nil {
		return nil
	}
	op := f.seen(p, ch)
	if op == "" {
		return nil
	}
	return f.object(p, op, ch)
}

// seen says what a change is to a reader who is told only of what meets the condition; "" if it is nothing to him.
func (f *follow) seen(p *objects.Part, ch *state.Change) state.Op {
	if f.Where == nil {
		return ch.Op
	}
	id := identity{p.Kind, ch.Node, ch.Object.Key()}
	held := f.shown[id]
	if ch.Op != state.OpRemove && f.Meets(p, ch.Node, p.Record(ch.Object), time.Now()) {
		f.shown[id] = true
		if held {
			return state.OpChange
		}
		return state.OpAdd
	}
	delete(f.shown, id)
	if held {
		return state.OpRemove
	}
	return ""
}

// object prints an object that was added, changed or removed.
func (f *follow) object(p *objects.Part, op state.Op, ch *state.Change) error {
	var changed []string
	if op == state.OpChange {
		changed = ch.Changed
	}
	if f.IsTable() {
		return f.Out.Text("", objects.Line{Fields: f.Form.Fields, Width: f.Form.Width}.Of(p, op, ch.Time, p.Record(ch.Object), changed))
	}
	behind := []output.Pair{{Key: "op", Value: string(op)}, {Key: "changed"}, {Key: "time"}}
	if len(changed) > 0 {
		behind[1].Value = changed
	}
	if !ch.Time.IsZero() {
		behind[2].Value = ch.Time
	}
	return f.Out.Record(p.Record(ch.Object, behind...))
}

// mark prints an object that is no thing's, or what people get instead of it.
func (f *follow) mark(record output.Record, line string) error {
	if f.IsTable() {
		return f.Out.Text("", line)
	}
	return f.Out.Record(record)
}
