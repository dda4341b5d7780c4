package health

import (
	"slices"
	"sync"
	"time"
)

// How long a look may take before the screen shows who has not answered, and how often it is drawn from then on.
const (
	patience = 2 * time.Second
	redraw   = time.Second
)

// A progress is what is known of the nodes while they are looked at: of those that have not answered, what was found before.
type progress struct {
	begun time.Time

	mu    sync.Mutex
	found []checkup // guarded by mu
	open  []bool    // guarded by mu: they have not answered
}

// newProgress begins a look; before is what the last one found, nil if this is the first.
func newProgress(names []string, before []checkup) *progress {
	p := &progress{begun: time.Now(), found: slices.Clone(before), open: slices.Repeat([]bool{true}, len(names))}
	for i := len(p.found); i < len(names); i++ {
		h := newCheckup(names[i])
		h.watched, h.at = true, p.begun
		p.found = append(p.found, h)
	}
	return p
}

// answer notes what a node's look came to.
func (p *progress) answer(i int, h checkup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found[i], p.open[i] = h, false
}

// soFar is what may be shown meanwhile: a node that was well and does not answer is degraded.
func (p *progress) soFar() []checkup {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := slices.Clone(p.found)
	for i := range found {
		if h := &found[i]; p.open[i] && h.err == nil {
			h.degraded = "no answer for " + time.Since(p.begun).Truncate(time.Second).String()
		}
	}
	return found
}

// await waits until all have answered, and shows meanwhile how far it is: one server that hangs must not hide itself, and what
// the others do, for as long as --timeout.
func (p *progress) await(all *sync.WaitGroup, show func(found []checkup)) []checkup {
	answered := make(chan struct{})
	go func() {
		all.Wait()
		close(answered)
	}()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case <-answered:
			return p.soFar()
		case <-late.C:
			show(p.soFar())
			late.Reset(redraw)
		}
	}
}
