package scenario

import (
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A timeline notes the nodes' changes of state.
type timeline struct {
	start time.Time

	mu    sync.Mutex
	nodes map[string]*history // guarded by mu
	dials []time.Time         // redials; guarded by mu
	now   int                 // nodes that dial or log in; guarded by mu
	most  int                 // guarded by mu
}

// history is what became of one node.
type history struct {
	dials  int
	busy   bool // dials or logs in
	ready  time.Time
	away   time.Time // since when it has not been ready; zero while it is
	absent time.Duration
}

func newTimeline() *timeline { return &timeline{nodes: make(map[string]*history)} }

// changed is the cluster's hook.
func (t *timeline) changed(node string, _, to ami.State, _ error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.nodes[node]
	if h == nil {
		h = &history{away: now}
		t.nodes[node] = h
	}
	busy := to == ami.StateDialing || to == ami.StateLogin
	if busy != h.busy {
		h.busy = busy
		if busy {
			t.now++
		} else {
			t.now--
		}
		t.most = max(t.most, t.now)
	}
	switch {
	case to == ami.StateDialing:
		if h.dials++; h.dials > 1 {
			t.dials = append(t.dials, now)
		}
	case to == ami.StateReady:
		if h.ready.IsZero() {
			h.ready = now
		} else if !h.away.IsZero() {
			h.absent = max(h.absent, now.Sub(h.away))
		}
		h.away = time.Time{}
	}
	if to != ami.StateReady && h.away.IsZero() {
		h.away = now
	}
}

// busiestSecond returns the most redials within any one second.
func (t *timeline) busiestSecond() (most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := 0
	for i, at := range t.dials {
		for at.Sub(t.dials[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// of returns when a node was first ready since the start, and how long it was away at most; false if it never was.
func (t *timeline) of(node string) (first, longest time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.nodes[node]
	if h == nil || h.ready.IsZero() {
		return 0, 0, false
	}
	longest = h.absent
	if !h.away.IsZero() {
		longest = max(longest, time.Since(h.away))
	}
	return h.ready.Sub(t.start), longest, true
}
