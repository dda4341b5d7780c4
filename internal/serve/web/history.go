package web

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// What the board shows of the past.
const (
	stepTime = 30 * time.Second
	steps    = 120 // an hour
)

// A step is what happened on a node in one interval of the past.
type step struct {
	number                          int64 // of the interval since 1970
	events, begun, ended, abandoned uint64
}

// A history counts what happened in the last hour, node by node. It is safe for concurrent use.
type history struct {
	mu    sync.Mutex // guards what follows
	nodes map[string]*[steps]step
}

// at returns the step of a moment. Called under mu.
func (h *history) at(node string, now time.Time) *step {
	if h.nodes == nil {
		h.nodes = make(map[string]*[steps]step)
	}
	ring := h.nodes[node]
	if ring == nil {
		ring = new([steps]step)
		h.nodes[node] = ring
	}
	n := now.UnixNano() / int64(stepTime)
	s := &ring[n%steps]
	if s.number != n {
		*s = step{number: n}
	}
	return s
}

// follow counts calls until ctx is done or the state is closed. Each change is handed on, too.
func (h *history) follow(ctx context.Context, w *state.Watcher, more func(*state.Change)) {
	known := make(map[string]bool) // nodes whose calls have been told: a call that is added then is a new one
	for ch, err := range w.Changes(ctx) {
		if err != nil {
			return
		}
		more(&ch)
		switch ch.Op {
		case state.OpReset:
			clear(known)
		case state.OpSynced:
			known[ch.Node] = true
		case state.OpAdd:
			if c, ok := ch.Object.(*state.Call); ok && known[ch.Node] && !c.Partial {
				h.count(ch.Node, func(s *step) { s.begun++ })
			}
		case state.OpRecord:
			if r, ok := ch.Object.(*state.Record); ok {
				h.count(ch.Node, func(s *step) {
					s.ended++
					if r.Outcome == "abandoned" {
						s.abandoned++
					}
				})
			}
		}
	}
}

func (h *history) count(node string, add func(*step)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	add(h.at(node, time.Now()))
}

// retain forgets nodes that are no more.
func (h *history) retain(nodes map[string]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.nodes, func(node string, _ *[steps]step) bool { _, there := nodes[node]; return !there })
}

// sample counts events until ctx is done, by what the sessions have received so far. It is what knows which nodes there are.
func (h *history) sample(ctx context.Context, received func() map[string]uint64) {
	tick := time.NewTicker(stepTime / 6)
	defer tick.Stop()
	last := received()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := received()
		for node, n := range now {
			if n > last[node] {
				h.count(node, func(s *step) { s.events += n - last[node] })
			}
		}
		last = now
		h.retain(now)
	}
}

// rates is the last hour of the nodes that a user may see, oldest step first; the one that is not over is left out.
func (h *history) rates(user *users.User, now time.Time) rates {
	r := rates{StepS: int(stepTime / time.Second), Events: make([]uint64, steps-1), Begun: make([]uint64, steps-1), Ended: make([]uint64, steps-1), Abandoned: make([]uint64, steps-1)}
	first := now.UnixNano()/int64(stepTime) - (steps - 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for node, ring := range h.nodes {
		if !user.SeesNode(node) {
			continue
		}
		for i := range ring {
			s := &ring[i]
			if at := s.number - first; at >= 0 && at < steps-1 {
				r.Events[at] += s.events
				r.Begun[at] += s.begun
				r.Ended[at] += s.ended
				r.Abandoned[at] += s.abandoned
			}
		}
	}
	return r
}
