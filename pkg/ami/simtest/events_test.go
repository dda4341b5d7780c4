package simtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// emit lets the host's server tell of numbered events, in bursts.
func (h *host) emit(ctx context.Context, r *rand.Rand) {
	between := float64(h.w.p.phase) / float64(h.w.p.events+1)
	for {
		pause(ctx, time.Duration(between*r.ExpFloat64()))
		if ctx.Err() != nil {
			return
		}
		n := 1 + r.IntN(20)
		if r.Float64() < h.w.p.flood {
			n = 1 + r.IntN(h.w.p.burst)
		}
		s := h.server()
		if s == nil {
			h.emitted += n // they happened, and nobody heard of them
			continue
		}
		for n > 0 {
			evs := make([]amitest.Event, min(n, 200))
			for i := range evs {
				h.emitted++
				evs[i] = amitest.NewEvent("Tick", "N", strconv.Itoa(h.emitted))
			}
			n -= len(evs)
			s.Emit(evs...)
		}
	}
}

// A watcher is a subscriber: it comes, reads at its own pace, checks what it sees, and goes.
type watcher struct {
	w      *world
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	subs   []*ami.Subscription
}

func (w *world) watch(i int) {
	ctx, cancel := context.WithCancel(context.Background())
	v := &watcher{w: w, cancel: cancel}
	w.watchers = append(w.watchers, v)
	r := w.p.rng("watcher", i)
	v.done.Go(func() {
		for ctx.Err() == nil && v.visit(ctx, r) {
			pause(ctx, time.Duration(r.ExpFloat64()*float64(w.p.phase)/20))
		}
	})
}

func (v *watcher) stop() {
	v.cancel()
	v.done.Wait()
}

// visit is one subscription, from Subscribe to Close or the cluster's end, which ends it.
func (v *watcher) visit(ctx context.Context, r *rand.Rand) bool {
	o := v.w.p.ring
	if r.IntN(4) == 0 {
		for _, h := range v.w.hosts {
			if r.IntN(2) == 0 {
				o.Nodes = append(o.Nodes, h.name)
			}
		}
	}
	s, err := v.w.cluster.Subscribe(o)
	if err != nil {
		if !errors.Is(err, ami.ErrClosed) {
			v.w.t.Errorf("subscribe: %v", err)
		}
		return false
	}
	v.mu.Lock()
	v.subs = append(v.subs, s)
	v.mu.Unlock()
	defer s.Close()
	stay, cancel := context.WithTimeout(ctx, time.Duration(r.ExpFloat64()*float64(v.w.p.phase)))
	defer cancel()
	pace := []time.Duration{0, 0, 0, time.Millisecond, 100 * time.Millisecond, time.Hour}[r.IntN(6)]
	streams := make(map[string]*stream)
	for {
		ev, err := s.Next(stay)
		if err != nil {
			return !errors.Is(err, ami.ErrClosed)
		}
		st := streams[ev.Node]
		removed := v.w.removals(ev.Node)
		if st == nil || st.removed != removed {
			// A node of the same name, but another one. What was taken of the old one before may still come.
			st = &stream{removed: removed, fuzzy: removed > 0}
			streams[ev.Node] = st
		}
		if problem := st.see(&ev); problem != "" {
			v.w.t.Errorf("%s: %s: %+v; %s", ev.Node, problem, *st, ev.Get("N"))
		}
		if ev.Gap != nil {
			v.w.seen.gaps.Add(1)
		} else {
			v.w.seen.events.Add(1)
		}
		if pace > 0 {
			pause(stay, pace)
		}
	}
}

// removals returns how often a node of that name was removed.
func (w *world) removals(name string) int64 {
	for _, h := range w.hosts {
		if h.name == name {
			return h.removed.Load()
		}
	}
	return 0
}

// check holds the ledgers of all visits against what must be.
func (v *watcher) check() {
	for _, s := range v.subs {
		st := s.Stats()
		if st.Offered != st.Filtered+st.Delivered+st.Dropped+st.Discarded || st.Queued != 0 {
			v.w.t.Errorf("a closed subscription: %+v", st)
		}
		if o := v.w.p.ring; st.PeakEvents > uint64(o.RingEvents) || st.PeakBytes > uint64(o.RingBytes) {
			v.w.t.Errorf("a ring held %d events of %d, %d bytes of %d", st.PeakEvents, o.RingEvents, st.PeakBytes, o.RingBytes)
		}
	}
}

// A stream is one node's part of what a subscriber sees: numbers that go up by one, but for what gaps say.
type stream struct {
	last    int    // number of the last event; 0: none yet
	seq     uint64 // its place in its session
	session uint64
	dropped int  // by overflows since
	away    bool // a disconnect since
	removed int64
	fuzzy   bool // the next break is the one between an old node and a new one
}

// see takes the next item and says what is wrong with it.
func (s *stream) see(ev *ami.Event) string {
	if ev.Gap != nil {
		switch {
		case ev.Gap.Reason == ami.GapDisconnect:
			s.away = true
			if ev.Gap.Since.IsZero() || !ev.Gap.Until.IsZero() && ev.Gap.Until.Before(ev.Gap.Since) {
				return "a disconnect without its time"
			}
		case ev.Gap.Dropped == 0:
			return "an overflow of nothing"
		default:
			s.dropped += int(ev.Gap.Dropped)
		}
		return ""
	}
	n, _ := strconv.Atoi(ev.Get("N"))
	before := *s
	*s = stream{last: n, seq: ev.Seq, session: ev.Session, removed: s.removed, fuzzy: s.fuzzy}
	broken := before.follow(n, ev)
	if broken != "" && s.fuzzy {
		s.fuzzy = false
		return ""
	}
	return broken
}

// follow says what is wrong with an event number n behind what was seen before.
func (s *stream) follow(n int, ev *ami.Event) string {
	before := *s
	switch {
	case n == 0:
		return "an event without its number"
	case before.last == 0:
		return ""
	case ev.Session < before.session || ev.Session == before.session && ev.Seq <= before.seq:
		return "out of order behind " + strconv.Itoa(before.last)
	case before.away && n <= before.last+before.dropped:
		return "too early behind a disconnect and " + strconv.Itoa(before.last)
	case !before.away && n != before.last+before.dropped+1:
		return "events lost without a word, or counted wrongly, behind " + strconv.Itoa(before.last) + " and an overflow of " + strconv.Itoa(before.dropped)
	}
	return ""
}
