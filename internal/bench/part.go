package bench

import (
	"context"
	"time"
)

// A Part makes a launch one worker's part of a load. A nil Part is the whole load.
type Part struct {
	Segment
	// Start is called when all sessions are ready. It returns the instant at which all workers begin, StartLead before it.
	Start func(ctx context.Context) (time.Time, error)
	// Started is told when this one began.
	Started func(at time.Time)
	// Stretch is called for every stretch, from one goroutine.
	Stretch func(*Stretch)
	// Abandon, once it is closed, ends the run in a second: what is in flight is not waited for, calls are hung up. May be nil.
	Abandon <-chan struct{}
}

// StartLead is how long before the instant of the start Part.Start returns: time for what has to be up by then.
const StartLead = 100 * time.Millisecond

// Times of a run that is abandoned.
const (
	abandonWithin = 150 * time.Millisecond // for what is in flight
	abandonHangup = 500 * time.Millisecond // for calls to end
	abandonDrain  = 100 * time.Millisecond // for sessions to log off
)

// A Stretch is an interval with what it takes to put it together with those of other workers exactly. Its histograms are as
// Histogram.Sparse writes them.
type Stretch struct {
	Interval Interval        `json:"interval"`
	Waited   []byte          `json:"waited,omitempty"` // response times of what was given up before it was sent
	Actions  []ActionStretch `json:"actions"`          // in the mix's order
	Lag      int64           `json:"lag_us,omitempty"` // p99 so far, open loop
	// SoFar are the figures since the start, where conditions may end the run.
	SoFar *Result `json:"so_far,omitempty"`
}

// An ActionStretch is what was measured of one action of the mix in a stretch.
type ActionStretch struct {
	Name     string `json:"name"`
	Sent     uint64 `json:"sent"`
	Ended    Ended  `json:"ended"`
	Response []byte `json:"response,omitempty"`
	Service  []byte `json:"service,omitempty"`
}

// start returns the instant of the start.
func (p *Part) start(ctx context.Context) (time.Time, error) {
	if p == nil {
		return time.Now(), nil
	}
	return p.Start(ctx)
}

// await waits for the instant of the start.
func (p *Part) await(ctx context.Context, at time.Time) {
	if p == nil {
		return
	}
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done(): // the run ends it in its own way
	}
	p.Started(time.Now())
}

// abandoned is closed when the run is to be over at once.
func (p *Part) abandoned() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.Abandon
}

// gone reports whether the run is to be over at once.
func (p *Part) gone() bool {
	select {
	case <-p.abandoned():
		return true
	default:
		return false
	}
}

// quota returns how much of a total is this part's.
func (p *Part) quota(total uint64) uint64 {
	if p == nil {
		return total
	}
	return p.part(total)
}

// number makes the run's n-th action, from 1, one of the whole load: no two workers have the same.
func (p *Part) number(n uint64) uint64 {
	if p == nil {
		return n
	}
	return (n-1)*uint64(p.Workers) + uint64(p.Worker) + 1
}

// fraction is the part of an open loop's rate that is this one's.
func (p *Part) fraction(c *Config) float64 {
	if p == nil {
		return 1
	}
	return p.Segment.fraction(c)
}

// config is a Config that needs as much room as this part.
func (p *Part) config(c *Config) Config {
	if p == nil {
		return *c
	}
	return p.Segment.config(c)
}

// cells returns how many actions stretches tell apart: none unless they are to be merged with others'.
func (r *run) cells() int {
	if r.Part == nil {
		return 0
	}
	return len(r.Mix.kinds)
}

// stretch is an interval with its histograms.
func (r *run) stretch(v *Interval, sum *stretch) *Stretch {
	s := &Stretch{Interval: *v, Waited: sum.waited.Sparse()}
	for i := range sum.cells {
		c := &sum.cells[i]
		s.Actions = append(s.Actions, ActionStretch{
			Name: r.Mix.kinds[i].Name, Sent: c.sent, Ended: c.ended, Response: c.response.Sparse(), Service: c.service.Sparse(),
		})
	}
	if r.schedule != nil {
		s.Lag = r.lag().Quantile(99)
	}
	if r.aborting.Any() && !v.WarmUp {
		s.SoFar = r.partial()
		r.encode(s.SoFar)
	}
	return s
}
