package top

import (
	"context"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

const (
	frame      = 100 * time.Millisecond // the least time between two drawings
	statsEvery = time.Second
)

// A shell joins a model with servers and a terminal. Everything that touches the model runs in loop.
type shell struct {
	run   *run.Run
	watch *held.Watch
	model *Model
	term  *terminal

	events map[string]uint64 // of each node, when they were counted last
	done   chan done
	told   *telling // nil: nobody looks at a call
}

// done is how an order ended.
type done struct {
	order Order
	err   error
}

// loop runs until somebody quits, or ctx is done.
func (s *shell) loop(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.done = make(chan done, 16)
	changes := make(chan []state.Change, 16)
	go s.follow(ctx, changes)
	input := make(chan tcell.Event, 16)
	go s.term.screen.ChannelEvents(input, ctx.Done())
	second := time.NewTicker(statsEvery)
	defer second.Stop()
	defer func() { s.told.end() }()
	due := time.NewTimer(0)
	s.model.Resize(s.term.screen.Size())
	s.stats(time.Now())
	var drawn time.Time
	for dirty := true; ; {
		var draw <-chan time.Time
		if dirty {
			due.Reset(frame - time.Since(drawn))
			draw = due.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case batch, ok := <-changes:
			if !ok {
				return ctx.Err()
			}
			for i := range batch {
				s.model.Change(&batch[i])
			}
			dirty = dirty || !s.model.frozen
		case ev := <-input:
			if quit := s.input(ctx, ev); quit {
				return nil
			}
			dirty = true
		case line := <-s.told.lines():
			s.model.Tell(line.text, line.over)
			dirty = dirty || !s.model.frozen
		case d := <-s.done:
			s.ended(d)
			dirty = true
		case now := <-second.C:
			s.stats(now)
			dirty = dirty || !s.model.frozen
		case <-draw:
			s.model.Tick(time.Now())
			s.term.show(s.model.View())
			dirty, drawn = false, time.Now()
		}
	}
}

// follow hands over changes, as many at a time as there are.
func (s *shell) follow(ctx context.Context, out chan<- []state.Change) {
	defer close(out)
	const most = 1024
	next := make(chan state.Change, most)
	go func() {
		defer close(next)
		for ch, err := range s.watch.Watcher.Changes(ctx) {
			if err != nil {
				return
			}
			select {
			case next <- ch:
			case <-ctx.Done():
				return
			}
		}
	}()
	for ch := range next {
		batch := []state.Change{ch}
		for n := len(next); n > 0; n-- {
			if ch, ok := <-next; ok {
				batch = append(batch, ch)
			}
		}
		select {
		case out <- batch:
		case <-ctx.Done():
			return
		}
	}
}

// input takes what comes from the terminal.
func (s *shell) input(ctx context.Context, ev tcell.Event) (quit bool) {
	switch e := ev.(type) {
	case *tcell.EventResize:
		s.model.Resize(e.Size())
		s.term.sync()
	case *tcell.EventKey:
		if key := keyName(e); key != "" {
			return s.do(ctx, s.model.Key(key))
		}
	}
	return false
}

// do does what a key asked for.
func (s *shell) do(ctx context.Context, i Intent) (quit bool) {
	switch {
	case i.Quit:
		return true
	case i.Redraw:
		s.term.sync()
	case i.Suspend:
		s.suspend()
	case i.Unwatch:
		s.told.end()
		s.told = nil
	case i.Watch != nil:
		s.told.end()
		if s.told = s.tell(ctx, i.Watch); s.told == nil {
			s.model.Say("the call's events cannot be followed", true)
		}
	}
	for _, o := range i.Orders {
		go func() { s.done <- done{o, s.send(ctx, o)} }()
	}
	return false
}

// send gives one order to its node.
func (s *shell) send(ctx context.Context, o Order) error {
	ctx, cancel := context.WithTimeout(ctx, s.run.Settings.Timeout)
	defer cancel()
	n, ok := s.watch.Cluster.Node(o.Node)
	if !ok {
		return ami.ErrNotReady
	}
	_, err := n.Do(ctx, o.Action)
	return err
}

// ended shows how an order ended. Of a call's channels some are gone when the others are hung up.
func (s *shell) ended(d done) {
	f := fail.Classify(d.err)
	switch {
	case d.err == nil:
		s.model.Say(d.order.What, false)
	case strings.Contains(f.Message, "No such channel") && !s.model.failed:
	default:
		s.model.Say(f.Message, true)
	}
}

// stats asks the engine how the nodes are.
func (s *shell) stats(now time.Time) {
	all := make(map[string]NodeStat)
	events := make(map[string]uint64)
	for _, n := range s.watch.Cluster.Stats().Nodes {
		stat := NodeStat{State: n.State.String(), Ping: n.PingLast}
		events[n.Node] = n.Events
		if before, ok := s.events[n.Node]; ok && n.Events >= before {
			stat.Rate = float64(n.Events-before) / statsEvery.Seconds()
		}
		all[n.Node] = stat
	}
	s.events = events
	s.model.Stats(all)
	s.model.Tick(now)
}
