package bench

import "time"

// A gap finds the longest time in which a node that had something outstanding got nothing. Its methods take the time
// as an offset from the start of the measurement; it is not safe for concurrent use.
type gap struct {
	last    time.Duration
	longest time.Duration
	at      time.Duration // when the longest ended
	waiting bool
}

// Start says that the node has something outstanding from now on. It changes nothing if it had already.
func (g *gap) Start(now time.Duration) {
	if !g.waiting {
		g.waiting, g.last = true, now
	}
}

// Got says that something came; more says whether something is still outstanding.
func (g *gap) Got(now time.Duration, more bool) {
	g.close(now)
	g.last, g.waiting = now, more
}

// Stop ends the measurement: what is outstanding now has starved until now.
func (g *gap) Stop(now time.Duration) {
	g.close(now)
	g.waiting = false
}

func (g *gap) close(now time.Duration) {
	if g.waiting && now-g.last > g.longest {
		g.longest, g.at = now-g.last, now
	}
}

// Restart forgets gaps so far, at the end of the warm-up.
func (g *gap) Restart(now time.Duration) {
	g.longest, g.at = 0, 0
	g.last = now
}

// Longest returns the longest gap.
func (g *gap) Longest() time.Duration { return g.longest }

// At returns when the longest gap ended.
func (g *gap) At() time.Duration { return g.at }
