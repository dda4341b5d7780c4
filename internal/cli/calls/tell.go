package calls

import (
	"context"
	"errors"
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

// tell shows the events of one call.
func tell(ctx context.Context, r *run.Run, o *options) error {
	t := &telling{Timeline: timeline.New(o.timeline), run: r, id: o.timeline, names: o.names}
	kind := run.Endless
	if len(o.from) > 0 {
		kind = run.Answers
	}
	var nodes []ami.Config
	var err error
	if len(o.from) == 0 {
		if nodes, err = target.Nodes(r); err != nil {
			return err
		}
	}
	if t.out, err = r.Printer(kind, len(nodes) > 1, true); err != nil {
		return err
	}
	if len(o.from) > 0 {
		err = t.read(ctx, o)
	} else {
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

// mostPasses bounds how often files are read to find what belongs together.
const mostPasses = 5

// read tells the call of records and captures. What was joined to the call later is its own from the beginning, so that
// files are read until nothing new is found, and then once more; standard input is read once.
func (t *telling) read(ctx context.Context, o *options) error {
	once := slices.Contains(o.from, "-")
	for range mostPasses {
		if once {
			break
		}
		known := t.Known()
		t.Again()
		if _, err := t.pass(ctx, o, func(*ami.Event) error { return nil }); err != nil {
			return err
		}
		if t.Known() == known {
			break
		}
	}
	t.draw(t.Most())
	if once {
		t.draw(many)
	}
	t.Again()
	p, err := t.pass(ctx, o, func(ev *ami.Event) error { return t.show(ev, replay.Moment(ev)) })
	if err != nil {
		return err
	}
	if t.shown+t.hidden == 0 {
		return &fail.Error{
			Code: fail.CodeCondition, Message: "--from: no event is of the call " + t.id,
			Hint: "the linkedid, or the uniqueid or name of a channel; `amictl calls --from` shows them",
		}
	}
	return p.Verdict()
}

// pass reads the files once.
func (t *telling) pass(ctx context.Context, o *options, show func(*ami.Event) error) (*replay.Replay, error) {
	p, err := replay.New(t.run, replay.Options{Command: "calls", Names: o.from})
	if err != nil {
		return nil, err
	}
	for ev, err := range p.Events(ctx) {
		if err == nil && ev.Gap == nil && t.Take(&ev.Message) {
			err = show(&ev)
		}
		if err != nil {
			p.TellLost()
			return p, err
		}
	}
	return p, nil
}
