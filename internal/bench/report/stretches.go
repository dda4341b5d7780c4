package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// Stretches puts the stretches of a load's workers together while they come in, without loss. What it holds does not grow
// with the length of the run. It is not safe for concurrent use.
type Stretches struct {
	every, warm time.Duration
	total       bench.Tally // counts alone
	actions     []sum
	waited      *bench.Counts // response times of no action: of what was never sent
	workers     []workerSum
	open        map[int]*slot // stretches that are not everybody's yet, by number
	done        int           // those up to this number are over
	intervals   []bench.Interval
	pooled      bench.Pooled
}

// A sum is what has come so far.
type sum struct {
	name string
	bench.Tally
	response, service *bench.Counts
}

func newSum(name string) sum {
	return sum{name: name, response: bench.NewCounts(), service: bench.NewCounts()}
}

// workerSum is what has come of one worker.
type workerSum struct {
	tally  bench.Tally // counts alone
	latest *bench.Stretch
	number int // of the latest stretch
}

// A slot is a stretch as far as it has come.
type slot struct {
	sum
	parts []*bench.Interval // by worker
	soFar []*bench.Result
}

// NewStretches expects so many workers with that load.
func NewStretches(c *bench.Config, workers int) *Stretches {
	return &Stretches{
		every: time.Duration(c.Every), warm: time.Duration(c.WarmUp), waited: bench.NewCounts(), workers: make([]workerSum, workers),
		open: map[int]*slot{}, done: -1 << 31,
	}
}

// Whole is a stretch of everybody.
type Whole struct {
	bench.Interval
	Missing []int         // workers who said nothing of it
	SoFar   *bench.Result // the figures of all since the start, where all sent theirs
}

// Add adds a worker's next stretch.
func (s *Stretches) Add(worker int, b *bench.Stretch) error {
	if len(s.actions) == 0 {
		for i := range b.Actions {
			s.actions = append(s.actions, newSum(b.Actions[i].Name))
		}
	}
	if len(b.Actions) != len(s.actions) {
		return fmt.Errorf("bench: a stretch of %d actions, not of %d", len(b.Actions), len(s.actions))
	}
	n := max(s.number(&b.Interval), s.done+1) // what comes too late for its own stretch counts in the next one
	o := s.open[n]
	if o == nil {
		o = &slot{sum: newSum(""), parts: make([]*bench.Interval, len(s.workers)), soFar: make([]*bench.Result, len(s.workers))}
		s.open[n] = o
	}
	w := &s.workers[worker]
	for i := range b.Actions {
		a, to := &b.Actions[i], &s.actions[i]
		if err := bench.AddSparse(a.Response, to.response, o.response); err != nil {
			return err
		}
		if err := bench.AddSparse(a.Service, to.service, o.service); err != nil {
			return err
		}
		for _, t := range []*bench.Tally{&to.Tally, &s.total, &w.tally} {
			t.Sent += a.Sent
			t.Ended.Add(a.Ended)
		}
	}
	if err := bench.AddSparse(b.Waited, s.waited, o.response); err != nil {
		return err
	}
	v := b.Interval
	if before := o.parts[worker]; before != nil {
		v = bench.Join(*before, v)
	}
	o.parts[worker], o.soFar[worker] = &v, b.SoFar
	w.latest, w.number = b, n
	return nil
}

// slack is the part of a stretch by which its end may be late.
const slack = 0.25

// number is which stretch an interval ends: the clocks of all workers started together.
func (s *Stretches) number(v *bench.Interval) int {
	return int(math.Ceil((v.At+s.warm.Seconds())/s.every.Seconds() - slack))
}

// Next returns the oldest stretch once each of the workers that expected names has said something of it or of a later one,
// or once force asks for it.
func (s *Stretches) Next(expected func(worker int) bool, force bool) (*Whole, bool) {
	if len(s.open) == 0 {
		return nil, false
	}
	n := math.MaxInt
	for k := range s.open {
		n = min(n, k)
	}
	o := s.open[n]
	for i := range s.workers {
		if w := &s.workers[i]; !force && expected(i) && (w.latest == nil || w.number < n) {
			return nil, false
		}
	}
	delete(s.open, n)
	s.done = n
	whole := &Whole{}
	var results []*bench.Result
	first := true
	for i, p := range o.parts {
		switch {
		case p == nil:
			whole.Missing = append(whole.Missing, i)
			continue
		case first:
			whole.Interval, first = *p, false
		default:
			beside(&whole.Interval, p)
			whole.WarmUp = whole.WarmUp && p.WarmUp
		}
		if o.soFar[i] != nil {
			results = append(results, o.soFar[i])
		}
	}
	s.pooled.Sum(&whole.Interval, o.response.Histogram(), o.service.Histogram())
	if len(results) == len(s.workers) {
		whole.SoFar, _ = Merge(results) // what cannot be merged is judged at the end, where that is an error
	}
	s.intervals = bench.Thin(append(s.intervals, whole.Interval))
	return whole, true
}

// Latest returns a worker's latest stretch, nil if there is none yet.
func (s *Stretches) Latest(worker int) *bench.Stretch { return s.workers[worker].latest }

// Tally returns what a worker's stretches count.
func (s *Stretches) Tally(worker int) bench.Tally { return s.workers[worker].tally }

// Apply puts what the stretches know and merged results do not into the result of all: each action's percentiles, and those of
// each interval. With totals it takes the totals too, for a result from which workers are missing.
func (s *Stretches) Apply(res *bench.Result, totals bool) (err error) {
	slices.SortStableFunc(s.intervals, func(a, b bench.Interval) int { return cmp.Compare(a.At, b.At) })
	res.Intervals = append([]bench.Interval{}, s.intervals...)
	res.Actions = nil
	for i := range s.actions {
		a := &s.actions[i]
		p := bench.ActionPart{Name: a.name}
		p.Tally = a.tally(res.Elapsed)
		res.Actions = append(res.Actions, p)
	}
	if !totals {
		return nil
	}
	total := newSum("total")
	total.Tally = s.total
	total.response.Add(s.waited)
	for i := range s.actions {
		total.response.Add(s.actions[i].response)
		total.service.Add(s.actions[i].service)
	}
	res.Total = total.tally(res.Elapsed)
	if res.Histograms["response"], err = total.response.Histogram().Encode(); err != nil {
		return err
	}
	res.Histograms["service"], err = total.service.Histogram().Encode()
	return err
}

func (s *sum) tally(seconds float64) bench.Tally {
	t := s.Tally
	t.Latency(s.response.Histogram().Summary(), s.service.Histogram().Summary())
	rate(&t, seconds)
	return t
}
