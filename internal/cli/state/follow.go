package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// An identity tells one thing from all others.
type identity struct {
	kind      state.Kind
	node, key string
}

// changes prints what there is and what becomes of it, until ctx is done or --for is over, which begins with the first
// session.
func (v *view) changes(ctx context.Context, c *ami.Cluster, w *state.Watcher, length flags.Duration) error {
	if err := target.Await(ctx, v.run, c, 1); err != nil {
		return err
	}
	limited, cancel := context.WithCancel(ctx)
	if length.Given {
		limited, cancel = context.WithTimeout(ctx, length.Value)
	}
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	for _, n := range c.Nodes() {
		others.Go(func() {
			if err := v.connect(limited, n); err != nil && limited.Err() == nil {
				v.run.Complain(fail.Classify(err))
			}
		})
	}
	err := v.stream(limited, w)
	if ctx.Err() == nil && limited.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// stream prints changes, and writes whenever nothing is at hand.
func (v *view) stream(ctx context.Context, w *state.Watcher) error {
	type step struct {
		change state.Change
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	steps := make(chan step, 1024)
	go func() {
		defer close(steps)
		for ch, err := range w.Changes(ctx) {
			select {
			case steps <- step{ch, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for s := range steps {
		if s.err != nil {
			return s.err
		}
		if err := v.take(&s.change); err != nil {
			return err
		}
		if len(steps) == 0 {
			if err := v.out.Flush(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// take prints one change.
func (v *view) take(ch *state.Change) error {
	switch ch.Op {
	case state.OpRecord:
		return nil
	case state.OpSynced:
		if n, ok := ch.Object.(*state.Node); ok {
			for _, text := range v.lacking(n) {
				v.note(text)
			}
		}
		return v.mark(output.Record{{Key: "type", Value: "synced"}, {Key: "time", Value: ch.Time}, {Key: "node", Value: ch.Node}},
			moment(ch.Time, time.Now())+"  synced  "+output.Safe(ch.Node))
	case state.OpReset:
		clear(v.shown)
		v.run.Note("%d changes were dropped: what reads this output, or this host, was too slow; all there is follows anew", ch.Lost)
		return v.mark(output.Record{{Key: "type", Value: "gap"}, {Key: "time", Value: ch.Time}, {Key: "reason", Value: "overflow"}, {Key: "dropped", Value: ch.Lost}},
			fmt.Sprintf("%s  gap     %d changes were dropped", moment(ch.Time, time.Now()), ch.Lost))
	}
	p := v.parts[ch.Object.Kind()]
	if ch.Object.Kind() == state.KindNode && v.marks {
		return v.object(&parts[0], ch.Op, ch)
	}
	if p == nil {
		return nil
	}
	op := v.seen(p, ch)
	if op == "" {
		return nil
	}
	return v.object(p, op, ch)
}

// seen says what a change is to a reader who is told only of what meets the condition; "" if it is nothing to him.
func (v *view) seen(p *part, ch *state.Change) state.Op {
	if v.where == nil {
		return ch.Op
	}
	id := identity{p.kind, ch.Node, ch.Object.Key()}
	held := v.shown[id]
	if ch.Op != state.OpRemove && v.meets(ch.Node, p.record(ch.Object)) {
		v.shown[id] = true
		if held {
			return state.OpChange
		}
		return state.OpAdd
	}
	delete(v.shown, id)
	if held {
		return state.OpRemove
	}
	return ""
}

// object prints an object that was added, changed or removed.
func (v *view) object(p *part, op state.Op, ch *state.Change) error {
	var changed []string
	if op == state.OpChange {
		changed = ch.Changed
	}
	if v.isTable() {
		return v.out.Text("", v.line(p, op, ch.Time, p.record(ch.Object), changed))
	}
	behind := []output.Pair{{Key: "op", Value: string(op)}, {Key: "changed"}, {Key: "time"}}
	if len(changed) > 0 {
		behind[1].Value = changed
	}
	if !ch.Time.IsZero() {
		behind[2].Value = ch.Time
	}
	return v.out.Record(p.record(ch.Object, behind...))
}

// mark prints an object that is no thing's, or what people get instead of it.
func (v *view) mark(record output.Record, line string) error {
	if v.isTable() {
		return v.out.Text("", line)
	}
	return v.out.Record(record)
}
