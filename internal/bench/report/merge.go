package report

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// Repeats makes one result of several runs of the same configuration: the run whose p99 is the median, with the
// figures of all in Repeats and the worst verdict of any.
func Repeats(runs []*bench.Result) (*bench.Result, error) {
	if len(runs) == 0 {
		return nil, errors.New("bench: no runs")
	}
	order := slices.Clone(runs)
	slices.SortStableFunc(order, func(a, b *bench.Result) int { return cmp.Compare(a.Metrics["p99"], b.Metrics["p99"]) })
	res := *order[(len(order)-1)/2]
	res.Repeats = nil
	for i, r := range runs {
		res.Repeats = append(res.Repeats, r.Metrics)
		if worse(r.Verdict, res.Verdict) {
			res.Verdict = r.Verdict
			res.Reasons = append(slices.Clone(res.Reasons), fmt.Sprintf("repeat %d was %s", i+1, r.Verdict))
		}
		res.Partial = res.Partial || r.Partial
	}
	return &res, nil
}

func worse(a, b bench.Verdict) bool {
	order := []bench.Verdict{bench.Pass, bench.Measured, bench.Fail, bench.Invalid}
	return slices.Index(order, a) > slices.Index(order, b)
}

// Merge makes one result of runs that took place at the same time on several machines: counts are added, histograms merged,
// nodes of the same name put together. Rates are over the time from the first one's start to the last one's end.
// Configurations must be equal but for the nodes, and the times of measurement must overlap.
func Merge(runs []*bench.Result) (*bench.Result, error) {
	if len(runs) == 0 {
		return nil, errors.New("bench: no results to merge")
	}
	first := *runs[0]
	res := &first
	res.Nodes, res.Intervals, res.Repeats, res.Queues = nil, nil, nil, nil
	res.Total, res.Actions, res.Notes, res.Ledger = bench.Tally{}, nil, nil, bench.Ledger{Differences: []string{}}
	res.Histograms, res.Memory, res.Lag, res.Events, res.Calls = map[string]string{}, nil, nil, nil, nil
	res.Workers, res.Partial, res.Ended, res.Elapsed = nil, false, "", 0
	m := merger{res: res, full: map[string]*bench.Histogram{}, nodes: map[string]*mergedNode{}}
	if err := m.overlap(runs); err != nil {
		return nil, err
	}
	for i, r := range runs {
		if d := differences(&runs[0].Config, &r.Config); i > 0 && len(d) > 0 {
			return nil, &DifferentConfigsError{d}
		}
		if slices.ContainsFunc(runs[:i], func(o *bench.Result) bool { return r.Run != "" && o.Run == r.Run }) {
			return nil, fmt.Errorf("bench: run %s is among the results twice", r.Run)
		}
		for _, t := range r.Config.FailIf {
			if !slices.Contains(res.Config.FailIf, t) {
				res.Config.FailIf = append(slices.Clip(res.Config.FailIf), t)
			}
		}
		if err := m.add(r); err != nil {
			return nil, err
		}
	}
	if err := m.finish(); err != nil {
		return nil, err
	}
	thresholds, err := bench.ParseThresholds(res.Config.FailIf, false) // those of all
	if err != nil {
		return nil, err
	}
	res.Decide(thresholds)
	Carry(res, runs, thresholds)
	res.Notes = append(res.Notes, fmt.Sprintf("merged from %d results", len(runs)))
	return res, nil
}

// overlap finds out when the measurement began and ended, and refuses results that have no time in common.
func (m *merger) overlap(runs []*bench.Result) error {
	var first, last int
	for i, r := range runs {
		if r.Started.Before(runs[first].Started) {
			first = i
		}
		if ended(r).After(ended(runs[last])) {
			last = i
		}
	}
	for _, r := range runs {
		for _, o := range runs {
			if ended(r).Before(o.Started) {
				return fmt.Errorf("bench: run %s had ended when run %s began: they did not load the servers together", r.Run, o.Run)
			}
		}
	}
	m.res.Started = runs[first].Started
	m.res.Elapsed = ended(runs[last]).Sub(m.res.Started).Seconds()
	if warm := time.Duration(m.res.Config.WarmUp).Seconds(); m.res.Elapsed >= warm {
		m.res.Elapsed -= warm
	}
	return nil
}

// ended is when a result's measurement was over.
func ended(r *bench.Result) time.Time {
	return r.Started.Add(time.Duration(r.Config.WarmUp) + time.Duration(r.Elapsed*float64(time.Second)))
}

// Carry keeps what makes one of several results invalid and does not show in its figures, such as sessions that were not
// ready, in the result of all.
func Carry(res *bench.Result, runs []*bench.Result, thresholds []bench.Threshold) {
	for _, r := range runs {
		again := *r
		again.Decide(thresholds)
		for _, why := range r.Reasons {
			if r.Verdict == bench.Invalid && !slices.Contains(again.Reasons, why) && !slices.Contains(res.Reasons, why) {
				res.Because(bench.Invalid, why)
			}
		}
	}
}

type merger struct {
	res   *bench.Result
	full  map[string]*bench.Histogram
	nodes map[string]*mergedNode
	order []string
	runs  int // how many were added, and of how many the whole lag is known
	lags  int
}

type mergedNode struct {
	bench.NodePart
	response, service bench.Small
}

func (m *merger) add(r *bench.Result) error {
	m.runs++
	if r.Histograms["lag"] != "" && r.Lag != nil {
		m.lags++
	}
	for name, text := range r.Histograms {
		h, err := bench.DecodeHistogram(text)
		if err != nil {
			return fmt.Errorf("%w (%s)", err, name)
		}
		if m.full[name] == nil {
			m.full[name] = bench.NewHistogram()
		}
		m.full[name].Merge(h)
	}
	for i := range r.Nodes {
		if err := m.node(&r.Nodes[i]); err != nil {
			return err
		}
	}
	res := m.res
	if r.Partial && !res.Partial {
		res.Partial, res.Ended = true, r.Ended
	}
	plus(&res.Total, &r.Total)
	m.actions(r.Actions)
	m.intervals(r.Intervals, r.Started.Sub(res.Started).Seconds())
	res.Workers = append(res.Workers, r.Workers...)
	mergeLedger(&res.Ledger, &r.Ledger)
	m.memory(r)
	m.events(r)
	for _, q := range r.Queues {
		i := slices.IndexFunc(res.Queues, func(o bench.Queue) bool { return o.Name == q.Name })
		switch {
		case i < 0:
			res.Queues = append(res.Queues, q)
		case q.Fill() > res.Queues[i].Fill():
			res.Queues[i] = q
		}
	}
	return nil
}

// plus adds counts; percentiles come from merged histograms, rates from the time that all took.
func plus(t, o *bench.Tally) {
	t.Sent += o.Sent
	t.Ended.Add(o.Ended)
}

// rates fills in the rates of everything.
func (m *merger) rates() {
	rate(&m.res.Total, m.res.Elapsed)
	for i := range m.res.Actions {
		rate(&m.res.Actions[i].Tally, m.res.Elapsed)
	}
	for _, n := range m.nodes {
		rate(&n.Tally, m.res.Elapsed)
	}
}

func rate(t *bench.Tally, seconds float64) {
	if t.Rate = 0; seconds > 0 {
		t.Rate = float64(t.Answered()) / seconds
	}
}

func (m *merger) node(n *bench.NodePart) error {
	response, err := bench.DecodeSmall(n.Response)
	if err != nil {
		return fmt.Errorf("%w (%s)", err, n.Node)
	}
	service, err := bench.DecodeSmall(n.Service)
	if err != nil {
		return fmt.Errorf("%w (%s)", err, n.Node)
	}
	o := m.nodes[n.Node]
	if o == nil {
		m.order = append(m.order, n.Node)
		m.nodes[n.Node] = &mergedNode{*n, *response, *service}
		return nil
	}
	o.response.Merge(response)
	o.service.Merge(service)
	plus(&o.Tally, &n.Tally)
	o.Starvation, o.EventStarvation = max(o.Starvation, n.Starvation), max(o.EventStarvation, n.EventStarvation)
	o.Events += n.Events
	o.EventDrops += n.EventDrops
	o.EventGaps += n.EventGaps
	o.Reconnects += n.Reconnects
	o.Dropped += n.Dropped
	return nil
}

// actions adds counts and rates of the mix's actions. Their percentiles cannot be put together, no histograms of
// them are kept, so they are left out.
func (m *merger) actions(parts []bench.ActionPart) {
	for _, p := range parts {
		i := slices.IndexFunc(m.res.Actions, func(o bench.ActionPart) bool { return o.Name == p.Name })
		if i < 0 {
			i = len(m.res.Actions)
			m.res.Actions = append(m.res.Actions, bench.ActionPart{Name: p.Name})
		}
		plus(&m.res.Actions[i].Tally, &p.Tally)
	}
}

// intervals adds up stretches that ended at about the same time; late is how many seconds after the others theirs are
// counted from. Of their percentiles the worst is kept.
func (m *merger) intervals(parts []bench.Interval, late float64) {
	for _, p := range parts {
		p.At += late
		i := slices.IndexFunc(m.res.Intervals, func(o bench.Interval) bool { return math.Abs(o.At-p.At) < p.Length/2 })
		if i < 0 {
			m.res.Intervals = append(m.res.Intervals, p)
			continue
		}
		beside(&m.res.Intervals[i], &p)
	}
}

// beside adds a stretch of the same time. One that ended early, because its load was done, has the longer one's time.
func beside(o, p *bench.Interval) {
	o.Target += p.Target
	o.Sent += p.Sent
	o.Ended += p.Ended
	o.Failed += p.Failed
	if length := max(o.Length, p.Length); length > 0 {
		o.Rate = (o.Rate*o.Length + p.Rate*p.Length) / length
		o.Length = length
	}
	o.At = max(o.At, p.At)
	o.P50, o.P99, o.Max = max(o.P50, p.P50), max(o.P99, p.P99), max(o.Max, p.Max)
	o.ServiceP50, o.ServiceP99 = max(o.ServiceP50, p.ServiceP50), max(o.ServiceP99, p.ServiceP99)
	o.InFlight += p.InFlight
	o.Backlog += p.Backlog
	o.Events += p.Events
	o.Queued += p.Queued
	o.Ready += p.Ready
	o.RSS, o.Heap = max(o.RSS, p.RSS), max(o.Heap, p.Heap)
	o.Goroutines = max(o.Goroutines, p.Goroutines)
	o.Channels = max(o.Channels, p.Channels)
}

func mergeLedger(l, o *bench.Ledger) {
	l.Bench.Add(o.Bench)
	l.Engine.Add(o.Engine)
	if o.Simulator != nil {
		if l.Simulator == nil {
			l.Simulator = &bench.ServerBooks{}
		}
		l.Simulator.Add(*o.Simulator)
	}
	l.Compared += o.Compared
	l.Bounded += o.Bounded
	l.Differences = append(l.Differences, o.Differences...)
}

func (m *merger) memory(r *bench.Result) {
	if r.Memory != nil {
		if m.res.Memory == nil || r.Memory.PeakRSS > m.res.Memory.PeakRSS {
			m.res.Memory = r.Memory
		}
	}
	if r.Lag != nil {
		l := *r.Lag
		if o := m.res.Lag; o != nil {
			l.P50, l.P99, l.Max = max(l.P50, o.P50), max(l.P99, o.P99), max(l.Max, o.Max)
			l.Dropped += o.Dropped
			l.Invalid = l.Invalid || o.Invalid
		}
		m.res.Lag = &l
	}
}

func (m *merger) events(r *bench.Result) {
	if e := r.Events; e != nil {
		if m.res.Events == nil {
			m.res.Events = &bench.Events{}
		}
		o := m.res.Events
		o.Expected += e.Expected
		o.Delivered += e.Delivered
		o.Dropped += e.Dropped
		o.Gaps += e.Gaps
		o.Missing += e.Missing
		o.Disorder += e.Disorder
		o.HeldUp = max(o.HeldUp, e.HeldUp)
		o.Rate += e.Rate
	}
	if c := r.Calls; c != nil {
		if m.res.Calls == nil {
			m.res.Calls = &bench.Calls{}
		}
		o := m.res.Calls
		o.Originated += c.Originated
		o.Answered += c.Answered
		o.Failed += c.Failed
		o.HungUp += c.HungUp
		o.Left += c.Left
		o.Peak += c.Peak
		o.Channels = max(o.Channels, c.Channels)
	}
}

func (m *merger) finish() error {
	res := m.res
	if r, s := m.full["response"], m.full["service"]; r != nil && s != nil {
		res.Total.Latency(r.Summary(), s.Summary())
	}
	if e := m.full["events"]; e != nil && res.Events != nil {
		res.Events.Latency(e.Summary())
	}
	if h := m.full["hangup"]; h != nil && res.Calls != nil {
		s := h.Summary()
		res.Calls.HangupP50, res.Calls.HangupP99, res.Calls.HangupMax = s.P50, s.P99, s.Max
	}
	if h := m.full["lag"]; h != nil && m.lags == m.runs { // else the worst of each is all that is known
		res.Lag = bench.NewLag(h, time.Duration(res.Config.MaxLag), res.Lag.Dropped, res.Total.P50)
	}
	m.rates()
	var err error
	for name, h := range m.full {
		if res.Histograms[name], err = h.Encode(); err != nil {
			return err
		}
	}
	for _, name := range m.order {
		n := m.nodes[name]
		n.Latency(n.response.Summary(), n.service.Summary())
		n.Response, n.Service = n.response.Encode(), n.service.Encode()
		res.Nodes = append(res.Nodes, n.NodePart)
	}
	res.Fairness = bench.Judge(res.Nodes)
	slices.SortStableFunc(res.Intervals, func(a, b bench.Interval) int { return cmp.Compare(a.At, b.At) })
	return nil
}
