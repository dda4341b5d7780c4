package calls

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/replay"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cli/timeline"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// A telling prints a call's timeline.
type telling struct {
	*timeline.Timeline
	run    *run.Run
	id     string
	names  []string
	out    *output.Printer
	chart  *timeline.Chart // nil: events are printed as they are
	hidden int             // events of the call that were left out
	shown  int
}

// tell shows the events of one call: of records, of what a bus has stored, or from now on.
func tell(ctx context.Context, r *run.Run, o *options, q run.BusQuery, stored bool) error {
	t := &telling{Timeline: timeline.New(o.timeline), run: r, id: o.timeline, names: o.names}
	kind := run.Endless
	if len(o.from) > 0 || stored {
		kind = run.Answers
	}
	var nodes []ami.Config
	var err error
	if len(o.from) == 0 && !stored {
		if nodes, err = o.bus.Followed(ctx, r); err != nil {
			return err
		}
	}
	if t.out, err = r.Printer(kind, len(nodes) > 1, true); err != nil {
		return err
	}
	switch {
	case stored:
		err = t.read(ctx, &storage{what: "--since", shows: "`amictl calls --since`", open: func(ctx context.Context) (*reading, error) { return ofBus(ctx, r, q) }})
	case len(o.from) > 0:
		err = t.read(ctx, &storage{once: slices.Contains(o.from, "-"), what: "--from", shows: "`amictl calls --from`", open: func(ctx context.Context) (*reading, error) { return ofFiles(ctx, r, o.from) }})
	default:
		err = t.live(ctx, nodes, o.length)
	}
	t.noteHidden()
	return errors.Join(err, t.out.Close())
}

// noteHidden tells of events that were left out because nobody asked for them.
func (t *telling) noteHidden() {
	if t.chart != nil && len(t.names) == 0 && t.hidden > 0 {
		t.run.Note("%s left out (VarSet, RTCP and the like); naming them, or '*', shows them", fail.Were(t.hidden, "event"))
	}
}

// draw begins the chart, for people.
func (t *telling) draw(legs int) {
	if o := t.out.Options(); o.Format == output.TableText {
		t.chart = timeline.NewChart(o.Width, legs)
	}
}

// show prints an event that is of the call.
func (t *telling) show(ev *ami.Event, at time.Time) error {
	if !timeline.Shows(t.names, ev.Name()) {
		t.hidden++
		return nil
	}
	t.shown++
	if t.chart == nil {
		return t.out.Event(ev)
	}
	l, text := t.Words(&ev.Message)
	if l == nil {
		return nil
	}
	return t.out.Text("", t.chart.Line(at, l, text))
}

// many is for a chart that begins before all legs are known: as many columns as fit.
const many = 1000

// mostPasses bounds how often events are read to find what belongs together.
const mostPasses = 5

// A storage is where events are that can be read again and again, or once.
type storage struct {
	once  bool
	what  string // the flag that names it
	shows string // the calls in it
	open  func(context.Context) (*reading, error)
}

// A reading goes over all of them.
type reading struct {
	events  iter.Seq2[ami.Event, error]
	failed  func()       // tells what is lost beside the error that it ended with
	verdict func() error // what is wrong with what was read
	end     func()
}

// ofFiles reads records and captures.
func ofFiles(ctx context.Context, r *run.Run, names []string) (*reading, error) {
	p, err := replay.New(r, replay.Options{Command: "calls", Names: names})
	if err != nil {
		return nil, err
	}
	return &reading{events: p.Events(ctx), failed: p.TellLost, verdict: p.Verdict, end: func() {}}, nil
}

// ofBus reads what a bus has stored.
func ofBus(ctx context.Context, r *run.Run, q run.BusQuery) (*reading, error) {
	events, err := target.OpenBus(ctx, r, q)
	if err != nil {
		return nil, err
	}
	idle := func() error { return nil }
	return &reading{events: eventsOf(ctx, events, q.Nodes, idle), failed: func() {}, verdict: idle, end: events.Close}, nil
}

// read tells a call that is stored. What was joined to the call later is its own from the beginning, so that events are read until nothing
// new is found, and then once more; those that come but once are read once.
func (t *telling) read(ctx context.Context, s *storage) error {
	for range mostPasses {
		if s.once {
			break
		}
		known := t.Known()
		t.Again()
		if _, err := t.pass(ctx, s, func(*ami.Event) error { return nil }); err != nil {
			return err
		}
		if t.Known() == known {
			break
		}
	}
	t.draw(t.Most())
	if s.once {
		t.draw(many)
	}
	t.Again()
	verdict, err := t.pass(ctx, s, func(ev *ami.Event) error { return t.show(ev, replay.Moment(ev)) })
	if err != nil {
		return err
	}
	if t.shown+t.hidden == 0 {
		return &fail.Error{
			Code: fail.CodeCondition, Message: s.what + ": no event is of the call " + t.id,
			Hint: "the linkedid, or the uniqueid or name of a channel; " + s.shows + " shows them",
		}
	}
	return verdict()
}

// pass reads them once.
func (t *telling) pass(ctx context.Context, s *storage, show func(*ami.Event) error) (verdict func() error, err error) {
	r, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.end()
	for ev, err := range r.events {
		if err == nil && ev.Gap == nil && t.Take(&ev.Message) {
			err = show(&ev)
		}
		if err != nil {
			r.failed()
			return nil, err
		}
	}
	return r.verdict, nil
}
