package calls

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/replay"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// read prints the calls of records and captures.
func read(ctx context.Context, v *held.View, o *options) error {
	p, err := replay.New(v.Run, replay.Options{Command: "calls", Names: o.from})
	if err != nil {
		return err
	}
	e := newEnd(v, o)
	up := make(map[[2]string]*state.Call)
	var last time.Time
	for ch, err := range state.Replay(e.gaps(p.Events(ctx), o.live), state.Options{Kinds: []state.Kind{state.KindCall, state.KindRecord}}) {
		if err == nil {
			last = ch.Time
			err = e.read(&ch, up, o.live)
		}
		switch {
		case errors.Is(err, errEnough):
			return errors.Join(v.Out.Close(), p.Verdict())
		case err != nil:
			p.TellLost()
			return err
		}
	}
	if err := e.still(up, o.live, last); err != nil {
		return err
	}
	return errors.Join(v.Out.Close(), p.Verdict())
}

// read takes a change of a record. up are the calls that are up.
func (e *end) read(ch *state.Change, up map[[2]string]*state.Call, live bool) error {
	switch o := ch.Object.(type) {
	case *state.Record:
		if !live {
			return e.record(o)
		}
	case *state.Call:
		key := [2]string{ch.Node, o.Linkedid}
		if up[key] = o; ch.Op == state.OpRemove {
			delete(up, key)
		}
	}
	return nil
}

// gaps passes events on, and prints the gaps among them: calls may be missing there.
func (e *end) gaps(events iter.Seq2[ami.Event, error], live bool) iter.Seq2[ami.Event, error] {
	return func(yield func(ami.Event, error) bool) {
		for ev, err := range events {
			if err == nil && ev.Gap != nil && !live && !e.IsTable() {
				err = e.Out.Event(&ev)
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// still prints the calls that are up at the end of a record, which was at that time, or tells how many are.
func (e *end) still(up map[[2]string]*state.Call, live bool, at time.Time) error {
	if !live {
		if len(up) > 0 {
			e.Run.Note("--from: %s still up at the end; --live shows what is", fail.Were(len(up), "call"))
		}
		return nil
	}
	for _, key := range slices.SortedFunc(maps.Keys(up), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		call := up[key]
		if object := e.Parts[0].Record(call); e.Meets(e.Parts[0], call.Node, object, at) {
			if err := e.Out.Record(object); err != nil {
				return err
			}
		}
	}
	return nil
}
