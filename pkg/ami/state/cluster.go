package state

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// patience is how long a list that has arrived waits for the events before it while other nodes keep the stream busy.
const patience = 2 * time.Second

// Follow watches the nodes of a cluster until ctx is done, the cluster is closed, or Close. It returns at once; a node
// is known when its OpSynced has come, or its Node is not Stale.
//
// It costs each server a dozen lists when a session begins and at each audit. Here it costs one subscription, and a
// goroutine for each node. The sessions' event mask decides what is seen; see the package's documentation. An error means
// invalid options or a closed cluster.
func Follow(ctx context.Context, cluster *ami.Cluster, o Options) (*Watcher, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	events, err := cluster.Subscribe(ami.SubscribeOptions{Events: eventNames(), Nodes: o.Nodes})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{
		Watcher: newWatcher(o, cancel), cluster: cluster, events: events, options: o,
		tenders: make(map[string]*tender), due: make(map[string][]arrival),
	}
	f.roster(ctx)
	f.all.Go(func() {
		defer cancel()
		defer events.Close()
		f.end(f.pump(ctx))
	})
	f.all.Go(func() { f.rouse(ctx) })
	f.all.Go(func() { f.clock(ctx) })
	return f.Watcher, nil
}

// A follower is the shell over a cluster: one goroutine that applies events and lists in the order of each session's
// stream, one clock, and a tender a node that asks for the lists.
type follower struct {
	*Watcher
	cluster *ami.Cluster
	events  *ami.Subscription
	options Options

	tenders map[string]*tender   // guarded by mu
	lists   ami.Batch[*question] // the answers are the pump's to take
	answers bool                 // guarded by mu: some may be there
	idle    context.CancelFunc   // guarded by mu: wakes the pump where it waits for an event; nil: it does not

	due map[string][]arrival // the pump's own: lists by node that wait for the events before them
}

// An arrival is the answer to a listing, which is applied at its place in the stream.
type arrival struct {
	*question
	session, seq uint64
	at           time.Time
}

// pump applies what comes, until there is no more.
func (f *follower) pump(ctx context.Context) error {
	for {
		f.collect()
		if ev, ok := f.events.PollBorrowed(); ok {
			f.next(ev)
			continue
		}
		// All events that came before a list in due have been applied: they were queued when its answer was.
		f.settleAll()
		ev, err := f.wait(ctx)
		if err != nil {
			return err
		}
		if ev != nil {
			f.next(ev)
		}
	}
}

// next applies an event or gap, and before it each list that it is behind: its answer is there by now.
func (f *follower) next(ev *ami.Event) {
	f.collect()
	f.take(ev)
}

// wait returns the next event, or nil if answers may have come first.
func (f *follower) wait(ctx context.Context) (*ami.Event, error) {
	idle, cancel := context.WithCancel(ctx)
	defer cancel()
	f.mu.Lock()
	if f.answers {
		cancel()
	}
	f.answers, f.idle = false, cancel
	f.mu.Unlock()
	ev, err := f.events.NextBorrowed(idle)
	f.mu.Lock()
	f.idle = nil
	f.mu.Unlock()
	switch {
	case err == nil:
		return ev, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.Canceled):
		return nil, nil
	}
	return nil, err
}

// rouse wakes the pump for answers, until ctx is done.
func (f *follower) rouse(ctx context.Context) {
	for {
		select {
		case <-f.lists.Ready():
		case <-ctx.Done():
			return
		}
		f.mu.Lock()
		f.answers = true
		if f.idle != nil {
			f.idle()
		}
		f.mu.Unlock()
	}
}

// collect takes over the answers that have come.
func (f *follower) collect() {
	if f.lists.Outstanding() == 0 {
		return
	}
	for r, ok := f.lists.Poll(); ok; r, ok = f.lists.Poll() {
		q := r.Value
		if q.hear(r.Reply, r.Err); q.err == nil && q.final && f.inSurvey(q, r.Reply) {
			f.due[q.t.name] = append(f.due[q.t.name], arrival{q, r.Reply.Session, r.Reply.Seq, r.Reply.Received})
		}
		q.answered <- struct{}{}
	}
}

// inSurvey notes the answer to a question, and reports whether it is of the survey's session.
func (f *follower) inSurvey(q *question, reply *ami.Reply) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := q.survey
	if s.session == 0 {
		s.session, q.t.session, q.t.seq = reply.Session, reply.Session, reply.Seq
	}
	s.torn = s.torn || s.session != reply.Session
	s.whole = s.whole && !q.answer.short()
	return !s.torn
}

// take applies one event or gap, and before it the lists that came before it.
func (f *follower) take(ev *ami.Event) {
	if ev.Gap != nil {
		delete(f.due, ev.Node)
		f.apply(func(c *core) {
			if t := f.tenders[ev.Node]; t != nil {
				c.gap(ev.Node, ev.Gap.Reason, ev.Received)
				t.epoch++
				t.resurvey()
			}
		})
		return
	}
	if len(f.due) > 0 {
		f.settle(ev)
	}
	name := ev.Name()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tenders[ev.Node] == nil {
		return // removed, or so new that its first list tells all
	}
	if h := handlerOf(name); h == nil {
		f.hint(ev, name)
		return
	}
	f.core.event(ev.Node, ev.Session, &ev.Message, ev.Received)
	f.share()
}

// hint takes an event that only says that something may have changed. Called under mu.
func (f *follower) hint(ev *ami.Event, name string) {
	switch t := f.tenders[ev.Node]; {
	case wire.EqualFold(name, "FullyBooted"):
		// What was asked before that may have been refused for want of a module.
		if t.session == ev.Session && t.seq < ev.Seq {
			t.resurvey()
		}
	case wire.EqualFold(name, "Reload"):
		t.relist()
	}
}

// settle applies the lists that came before an event.
func (f *follower) settle(ev *ami.Event) {
	for node, list := range f.due {
		n := 0
		for _, a := range list {
			before := node == ev.Node && (a.session < ev.Session || a.session == ev.Session && a.seq < ev.Seq)
			if !before && ev.Received.Sub(a.at) < patience {
				break
			}
			f.arrive(a)
			n++
		}
		if f.due[node] = list[n:]; len(f.due[node]) == 0 {
			delete(f.due, node)
		}
	}
}

func (f *follower) settleAll() {
	for node, list := range f.due {
		for _, a := range list {
			f.arrive(a)
		}
		delete(f.due, node)
	}
}

// arrive applies a list, unless a gap came between its survey's beginning and now. Behind the last one everything is known.
func (f *follower) arrive(a arrival) {
	f.apply(func(c *core) {
		t, s := a.t, a.survey
		if f.tenders[t.name] != t || s.epoch != t.epoch {
			return
		}
		c.list(t.name, a.session, a.list, a.answer, s.audit, a.at)
		if s.left--; s.left == 0 && s.whole {
			c.synced(t.name, a.at)
		}
	})
}

// clock lets time pass, and finds nodes that were added or removed.
func (f *follower) clock(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			f.apply(func(c *core) { c.tick(now) })
			f.roster(ctx)
		}
	}
}

// roster starts a tender for each node that has none, and forgets nodes that were removed.
func (f *follower) roster(ctx context.Context) {
	nodes := make(map[string]*ami.Node)
	for _, n := range f.cluster.Nodes() {
		if len(f.options.Nodes) == 0 || slices.Contains(f.options.Nodes, n.Name()) {
			nodes[n.Name()] = n
		}
	}
	f.apply(func(c *core) {
		for name, t := range f.tenders {
			if nodes[name] != t.node {
				t.stop()
				delete(f.tenders, name)
				c.forget(name, time.Now())
			}
		}
		for name, n := range nodes {
			if f.tenders[name] != nil {
				continue
			}
			t := &tender{
				f: f, node: n, name: name, mask: n.Config().Events, again: make(chan struct{}, 1), soon: make(chan struct{}, 1),
			}
			f.tenders[name] = t
			c.server(name).flushAt(time.Now())
			var own context.Context
			own, t.stop = context.WithCancel(ctx)
			f.all.Go(func() { t.run(own) })
		}
	})
}

// sees reports whether a session with an event mask gets events of a class.
func sees(mask, class string) bool {
	switch mask = strings.ToLower(mask); mask {
	case "on", "all", "yes", "true", "1":
		return true
	}
	for word := range strings.SplitSeq(mask, ",") {
		if word == class || word == "all" {
			return true
		}
	}
	return false
}
