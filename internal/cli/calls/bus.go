package calls

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// query is what is asked of a bus; ok is false if the calls are not those of one.
func (o *options) query(r *run.Run) (q run.BusQuery, ok bool, err error) {
	a, ok, err := o.bus.Chosen(r)
	switch {
	case err != nil:
		return q, false, err
	case len(o.from) > 0 && o.bus.Given():
		return q, false, fail.Usage("leave one of them out", "--from reads a file, and --nats a bus")
	case o.live && o.since != "":
		return q, false, fail.Usage("leave one of them out", "--live prints the calls that are up now, and --since reads what a bus has stored")
	case o.timeline != "" && o.since != "" && o.length.Given:
		return q, false, fail.Usage("leave one of them out", "--since ends with what a bus has stored of the call, and --for ends a run that does not")
	case !ok || len(o.from) > 0 || o.live || o.timeline != "" && o.since == "":
		if o.since != "" {
			return q, false, fail.Usage("such as --nats nats://127.0.0.1:4222 --cluster prod", "--since is for a bus: a server tells of the calls from now on")
		}
		return q, false, nil
	}
	q = run.BusQuery{BusAddress: a, Stored: o.timeline != "", Log: r.Logger()}
	if q.Since, err = run.ParseMoment("--since", o.since, time.Now()); err != nil {
		return q, false, err
	}
	q.Nodes, err = o.bus.Nodes(r)
	return q, true, err
}

// fromBus prints calls as they end, by what a bus has of their events.
func fromBus(ctx context.Context, v *held.View, o *options, q run.BusQuery) error {
	events, err := target.OpenBus(ctx, v.Run, q)
	if err != nil {
		return err
	}
	defer events.Close()
	run.FavourStreams()
	limited, cancel := ctx, func() {}
	if o.length.Given {
		limited, cancel = context.WithTimeoutCause(ctx, o.length.Value, errEnough)
	}
	defer cancel()
	e := newEnd(v, o)
	e.lines = v.IsTable()
	all := e.gaps(eventsOf(limited, events, q.Nodes, v.Out.Flush), false)
	for ch, err := range state.Replay(all, state.Options{Kinds: []state.Kind{state.KindCall, state.KindRecord}}) {
		if record, ok := ch.Object.(*state.Record); err == nil && ok {
			err = e.record(record)
		}
		switch {
		case errors.Is(err, errEnough), err != nil && errors.Is(context.Cause(limited), errEnough):
			return v.Out.Close()
		case err != nil:
			return errors.Join(err, v.Out.Close())
		}
	}
	return v.Out.Close()
}

// eventsOf iterates over the events of some nodes, until ctx is done or they end. idle is called whenever it has to wait.
func eventsOf(ctx context.Context, events run.EventStream, nodes []string, idle func() error) iter.Seq2[ami.Event, error] {
	return func(yield func(ami.Event, error) bool) {
		for {
			ev, ok := events.PollBorrowed()
			var err error
			if !ok {
				if err = idle(); err == nil {
					ev, err = events.NextBorrowed(ctx)
				}
			}
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(ami.Event{}, err)
				return
			case !target.OfNodes(nodes, ev.Node):
			case !yield(ev.Clone(), nil):
				return
			}
		}
	}
}
