package state

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/replay"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// statsEvery is how often figures are printed that changed, or drawn.
const statsEvery = time.Second

// statsKinds are what figures are made of; queues themselves, so that one without calls has some, too.
var statsKinds = []state.Kind{state.KindQueue, state.KindQueueCall}

// stats are the figures of queues while they are counted.
type stats struct {
	*held.View
	sheet *run.Sheet // they are drawn on a terminal; nil: they are not

	mu      sync.Mutex
	figures *state.Figures                  // guarded by mu
	printed map[identity]state.QueueFigures // with --follow: what the reader has
}

// checkStats refuses what does not go together with --stats, or without it.
func (o *options) checkStats(r *run.Run) error {
	switch {
	case !o.stats && (o.last.Given || o.level.Given || len(o.from) > 0):
		return fail.Usage("such as `amictl state queues --stats --for 10m`", "--last, --sl and --from go with --stats")
	case !o.stats:
		return nil
	case len(o.parts) != 1 || o.parts[0] != "queues":
		return fail.Usage("`amictl state queues --stats`", "--stats is for queues")
	case o.level.Given && o.level.Value%time.Second != 0:
		return fail.Usage("such as 20s", "--sl is in whole seconds, as Asterisk counts waits")
	case len(o.from) > 0 && (o.follow || o.length.Given):
		return fail.Usage("leave it out", "--from ends with the file, and --follow and --for are for servers")
	case len(o.from) > 0 && o.bus.Given():
		return fail.Usage("leave one of them out", "--from reads a file, and --nats a bus")
	case len(o.from) > 0:
		return replay.RefuseServers(r)
	}
	return nil
}

// count prints the figures of queues.
func count(ctx context.Context, r *run.Run, o *options) error {
	kind := run.Records
	if o.follow {
		kind = run.Endless
	}
	servers := &o.bus
	if len(o.from) > 0 {
		servers = nil
	}
	v, err := held.NewView(ctx, r, []*objects.Part{objects.Figures}, o.where, kind, servers)
	if err != nil {
		return err
	}
	s := &stats{View: v, figures: state.NewFigures(state.FiguresOptions{Last: o.last.Value, ServiceLevel: o.level.Value})}
	if len(o.from) > 0 {
		return s.read(ctx, o)
	}
	w, err := held.Follow(ctx, r, v.Nodes, state.Options{Kinds: statsKinds})
	if err != nil {
		return err
	}
	defer w.Finish(ctx)
	var quiet *act.Silence
	if !o.bus.Used() { // where it is another user who reads
		if quiet, err = act.ListenFor(ctx, r, w.Cluster, []string{"Queue*", "Agent*"}); err != nil {
			return err
		}
		defer quiet.Stop()
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := s.watch(o.follow, cancel)
	err = w.Changes(watching, o.length, s.take, func() error { return nil })
	if failed := stop(); failed != nil { // which has ended the rest
		err = failed
	}
	if err == nil {
		quiet.End()
	}
	if !o.follow {
		err = errors.Join(err, s.print(time.Now()))
	}
	return errors.Join(err, v.Out.Close())
}

// read counts what records and captures hold, to their end.
func (s *stats) read(ctx context.Context, o *options) error {
	p, err := replay.New(s.Run, replay.Options{Command: "state queues --stats", Names: o.from})
	if err != nil {
		return err
	}
	var last time.Time
	for ch, err := range state.Replay(p.Events(ctx), state.Options{Kinds: statsKinds}) {
		if err != nil {
			p.TellLost()
			return err
		}
		s.figures.Add(&ch)
		last = ch.Time
	}
	return errors.Join(s.print(last), s.Out.Close(), p.Verdict())
}

// take counts what a change tells.
func (s *stats) take(ch *state.Change) error {
	s.mu.Lock()
	s.figures.Add(ch)
	s.mu.Unlock()
	if n, ok := ch.Object.(*state.Node); ok && ch.Op == state.OpSynced {
		s.NoteLacking(n)
	}
	return nil
}

// watch prints or draws the figures while they grow, until stop is called. It calls broken when they cannot be printed.
func (s *stats) watch(follow bool, broken func()) (stop func() error) {
	if !follow && !s.Run.Redraws(s.Out.Options()) {
		return func() error { return nil }
	}
	over := make(chan struct{})
	ended := make(chan error, 1)
	if !follow {
		s.sheet = run.NewSheet(s.Run.Stdout)
	} else {
		s.printed = make(map[identity]state.QueueFigures)
	}
	go func() {
		tick := time.NewTicker(statsEvery)
		defer tick.Stop()
		for {
			select {
			case <-over:
				var err error
				if follow {
					err = s.news(time.Now())
				}
				ended <- err
				return
			case now := <-tick.C:
				if !follow {
					s.draw(now)
				} else if err := s.news(now); err != nil {
					ended <- err
					broken()
					return
				}
			}
		}
	}()
	return func() error {
		close(over)
		err := <-ended
		if s.sheet != nil {
			s.sheet.Clear()
		}
		return err
	}
}

// at returns the figures that meet the condition, as they are printed.
func (s *stats) at(now time.Time) (all []*state.QueueFigures, records []output.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.figures.Queues(now) {
		if r := objects.Figures.Record(q); s.Meets(objects.Figures, q.Node, r, now) {
			all, records = append(all, q), append(records, r)
		}
	}
	return all, records
}

// print prints all figures.
func (s *stats) print(now time.Time) error {
	_, records := s.at(now)
	for _, r := range records {
		if err := s.Out.Record(r); err != nil {
			return err
		}
	}
	return nil
}

// news prints the figures that changed since they were printed.
func (s *stats) news(now time.Time) error {
	all, records := s.at(now)
	for i, q := range all {
		id, bare := identity{state.KindQueueFigures, q.Node, q.Queue}, *q
		bare.Since, bare.Until = time.Time{}, time.Time{}
		if old, ok := s.printed[id]; ok && reflect.DeepEqual(old, bare) {
			continue
		}
		s.printed[id] = bare
		if err := s.Out.Record(records[i]); err != nil {
			return err
		}
	}
	return s.Out.Flush()
}

// draw draws the figures on a terminal, over those before.
func (s *stats) draw(now time.Time) {
	var b bytes.Buffer
	o := s.Form
	o.Width = run.Width(s.Run.Stdout)
	p := output.NewPrinter(&b, o)
	_, records := s.at(now)
	for _, r := range records {
		_ = p.Record(r) // to a buffer
	}
	_ = p.Close()
	s.sheet.Draw(b.Bytes())
}
