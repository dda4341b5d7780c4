package scenario

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A watcher is a subscription of the scenario with its consumer, and what that saw.
type watcher struct {
	v     *Subscription
	sub   *ami.Subscription
	nodes []string
	gone  sync.WaitGroup
	stop  context.CancelFunc

	mu          sync.Mutex // guards all below
	reading     bool
	events      uint64
	from        map[string]uint64
	lag         map[string]time.Duration
	lost        uint64 // told by gaps
	overflows   int
	disconnects int
	places      map[string]place
	numbers     map[string]map[uint64]bool // by node: the simulator's event numbers
	wrong       []string
}

// place is where in a node's stream the last event stood.
type place struct{ session, seq uint64 }

func (s *Scenario) watch(c *ami.Cluster, v *Subscription) (*watcher, error) {
	o := ami.SubscribeOptions{Events: v.Events, RingEvents: v.RingEvents, RingBytes: v.RingBytes}
	if v.Where != "" {
		where, err := ami.ParseWhere(v.Where)
		if err != nil {
			return nil, err
		}
		o.Where = where
	}
	w := &watcher{
		v: v, nodes: matching(v.On, s.nodeNames()), from: make(map[string]uint64), lag: make(map[string]time.Duration),
		places: make(map[string]place), numbers: make(map[string]map[uint64]bool),
	}
	o.Nodes = w.nodes
	var err error
	w.sub, err = c.Subscribe(o)
	return w, err
}

// run is the consumer. Its time begins now.
func (w *watcher) run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.gone.Go(func() {
		if !pause(ctx, w.v.Start.D()) {
			return
		}
		w.mu.Lock()
		w.reading = true
		w.mu.Unlock()
		for due := time.Now(); ; {
			ev, err := w.sub.Next(ctx)
			if err != nil {
				return
			}
			w.take(&ev)
			if due = later(due, time.Now()).Add(w.v.Delay.D()); time.Until(due) >= consumerNap && !pause(ctx, time.Until(due)) {
				return
			}
		}
	})
}

// consumerNap is how far a consumer that takes its time runs ahead before it sleeps: real clocks know no shorter sleep.
const consumerNap = 2 * time.Millisecond

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// take books one item of the stream.
func (w *watcher) take(ev *ami.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if g := ev.Gap; g != nil {
		switch g.Reason {
		case ami.GapOverflow:
			w.overflows++
			w.lost += g.Dropped
		case ami.GapDisconnect:
			w.disconnects++
		}
		return
	}
	w.events++
	w.from[ev.Node]++
	w.lag[ev.Node] = max(w.lag[ev.Node], time.Since(ev.Received))
	at, last := place{ev.Session, ev.Seq}, w.places[ev.Node]
	if at.session < last.session || at.session == last.session && at.seq <= last.seq {
		w.complain("%s: %v came after %v", ev.Node, at, last)
	}
	w.places[ev.Node] = at
	n, err := strconv.ParseUint(ev.Get("Num"), 10, 64)
	if err != nil {
		return
	}
	if w.numbers[ev.Node] == nil {
		w.numbers[ev.Node] = make(map[uint64]bool)
	}
	if w.numbers[ev.Node][n] {
		w.complain("%s: event %d came twice", ev.Node, n)
	}
	w.numbers[ev.Node][n] = true
}

func (w *watcher) complain(format string, args ...any) {
	if len(w.wrong) < 5 {
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
}

// drained reports whether the consumer, if it reads, has read everything.
func (w *watcher) drained() bool {
	stats := w.sub.Stats()
	w.mu.Lock()
	defer w.mu.Unlock()
	return stats.Queued == 0 && w.events == stats.Delivered && w.lost == stats.Dropped
}

// verdict checks the subscription's books and what is expected of it. It is called when the consumer has stopped.
func (w *watcher) verdict(r *Report, world *World) {
	where := "subscription " + w.v.Name
	stats := w.sub.Stats()
	for _, text := range w.wrong {
		r.fail(where, "order", "every event once, in order", text)
	}
	r.check(where, "ledger", exactly(int(stats.Offered)), stats.Filtered+stats.Delivered+stats.Dropped+stats.Discarded+stats.Queued)
	r.check(where, "events received", exactly(int(stats.Delivered)), w.events)
	if w.reading && stats.Queued == 0 {
		r.check(where, "lost events told by gaps", exactly(int(stats.Dropped)), w.lost)
	}
	got := numbers(stats)
	got["overflow_gaps"], got["disconnect_gaps"] = w.overflows, w.disconnects
	got["complete"] = strconv.FormatBool(w.complete(r, where, world))
	for key, want := range inOrder(w.v.Expect) {
		r.check(where, key, want, got[key])
	}
	for node, want := range inOrder(w.v.Delivered) {
		r.check(where, "delivered of "+node, want, w.from[node])
	}
	for node, want := range inOrder(w.v.Lag) {
		if w.from[node] == 0 {
			r.fail(where, "lag of "+node, want.String(), "no event of it, so nothing was checked")
			continue
		}
		r.check(where, "lag of "+node, want, w.lag[node])
	}
}

// complete reports whether every numbered event that a server wrote to the node was delivered. One that was delivered
// without having been written was made up.
func (w *watcher) complete(r *Report, where string, world *World) bool {
	all, compared := true, false
	for i := range world.s.Servers {
		v := &world.s.Servers[i]
		for _, name := range v.names() {
			nodes := matching(w.v.On, v.nodes(name))
			if len(nodes) != 1 || v.Nodes > 1 {
				continue
			}
			compared = true
			written := make(map[uint64]bool)
			for _, session := range world.by[name].Ledger().BySession {
				for _, span := range session.Written {
					for n := span.First; n <= span.Last; n++ {
						written[n] = true
					}
				}
			}
			for n := range w.numbers[nodes[0]] {
				if !written[n] {
					r.fail(where, "events of "+nodes[0], "only what was written", fmt.Sprintf("event %d", n))
				}
			}
			if len(written) == 0 || len(w.numbers[nodes[0]]) != len(written) {
				all = false
			}
		}
	}
	return all && compared
}
