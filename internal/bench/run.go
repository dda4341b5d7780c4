package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// A run is one load run. Its fields are set before Do and not changed after.
type run struct {
	Config     Config
	Seed       uint64
	ID         string // part of what the run leaves in servers' logs
	Version    string // of amictl
	Mix        *Mix
	Thresholds []Threshold
	AbortIf    []Threshold
	Engine     engine
	Simulator  simulator   // nil for real servers
	Conditions []condition // of nodes, in the order of the engine's first lanes of each; nil: all healthy
	Sampler    *sampler    // started before the engine was made; Do stops it
	Over       <-chan footprint
	Live       func(*Interval) // called for every stretch, from one goroutine; may be nil
	Part       *Part           // nil: the run is the whole load
	Notes      []string
	nap        func(time.Duration) // an exact sleep; nil: a timer has to do

	// The rest belongs to Do.
	epoch    time.Time
	schedule *schedule
	nodes    []*nodeRecord
	lanes    []*lane
	workers  []*worker
	turns    []*lane // the load's sessions in order, nil for those of other processes
	order    []int   // which of turns has an open loop's next arrival, by weight
	lead     uint64  // open loop: arrivals of the warm-up, before those of the schedule
	tap      *tap
	calls    *callBook

	warm     time.Duration // offset at which the measurement starts
	deadline time.Duration // offset at which a closed loop stops; 0: by count
	claimed  atomic.Uint64
	numbers  atomic.Uint64 // actions tried so far; each has its number
	stop     atomic.Bool   // issue nothing more
	giveUp   atomic.Bool   // drop what is due and not sent
	quit     chan struct{}

	unready   string // how many sessions were not ready at the start
	intervals []Interval
	pooled    Pooled        // percentiles of the stretches
	ended     string        // why the run ended early
	cut       time.Duration // and when
	aborting  *Aborting
}

// ErrNotReady says that no node became ready in time.
var ErrNotReady = errors.New("bench: no node became ready")

// readyWait is how long a run waits for all nodes to be ready.
const readyWait = 60 * time.Second

// now returns the offset from the start of the run.
func (r *run) now() time.Duration { return time.Since(r.epoch) }

// Do runs the load and returns what came of it. When ctx is done the run ends early: what is due is dropped,
// what is in flight is waited for, and the result is marked as partial. An error means that there is no result.
func (r *run) Do(ctx context.Context) (*Result, error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if err := r.awaitReady(ctx); err != nil {
		return nil, err
	}
	if r.Sampler != nil {
		r.Sampler.Ready()
	}
	started, err := r.Part.start(ctx)
	if err != nil {
		return nil, err
	}
	r.begin(started)
	if err := r.startStreams(); err != nil {
		return nil, err
	}
	if r.Simulator != nil {
		if err := r.Simulator.Start(); err != nil {
			return nil, err
		}
	}
	r.Part.await(ctx, started)
	for _, w := range r.workers {
		w.start()
	}
	r.watch(ctx)
	r.finish(ctx)
	return r.result(started)
}

// prepare checks what Do was given and lays out lanes and workers.
func (r *run) prepare() error {
	if err := r.Config.Validate(); err != nil {
		return err
	}
	c := &r.Config
	if err := r.plan(); err != nil {
		return err
	}
	byName := map[string]*nodeRecord{}
	for i, l := range r.Engine.Lanes() {
		n := byName[l.Node]
		if n == nil {
			n = &nodeRecord{name: l.Node, weight: c.Weights.Of(l.Node), condition: "healthy"}
			if k := len(r.nodes); k < len(r.Conditions) && !r.Conditions[k].Healthy() {
				n.condition, n.state = r.Conditions[k].Name, r.Conditions[k]
			}
			byName[l.Node] = n
			r.nodes = append(r.nodes, n)
		}
		n.lanes = append(n.lanes, i)
		r.lanes = append(r.lanes, &lane{index: i, node: n, callers: r.callers(n)})
	}
	if len(r.lanes) == 0 {
		return &ConfigError{"nodes", "are none"}
	}
	all := r.lanes
	r.turns = r.lanes
	if r.Part != nil {
		all, r.turns = r.Part.turns(c, r.lanes)
	}
	r.order = arrivals(all)
	r.quit = make(chan struct{})
	r.aborting = newAborting(r.AbortIf, r.Thresholds, c.AbortOnFail)
	return nil
}

// plan makes an open loop's schedule.
func (r *run) plan() (err error) {
	c := &r.Config
	r.warm = time.Duration(c.WarmUp)
	if !c.Open() {
		return nil
	}
	if r.schedule, err = newSchedule(c.Rate, time.Duration(c.Duration), c.Stages, c.Actions); err != nil {
		return err
	}
	r.lead = uint64(r.schedule.RateAt(0) * r.warm.Seconds())
	return nil
}

// callers returns how many actions a lane of a node may have in flight: a closed loop's callers by weight, or an
// open loop's window.
func (r *run) callers(n *nodeRecord) int {
	if r.Config.Open() {
		return r.Config.Window
	}
	return r.Config.callersAt(n.weight)
}

// awaitReady waits until every lane is ready, or some are and the wait is over.
func (r *run) awaitReady(ctx context.Context) error {
	limit := time.Now().Add(readyWait)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		ready := r.ready()
		switch {
		case ready == len(r.lanes):
			return nil
		case time.Now().After(limit) && ready == 0:
			return ErrNotReady
		case time.Now().After(limit):
			r.unready = fmt.Sprintf("only %d of %d sessions were ready at the start", ready, len(r.lanes))
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("bench: interrupted before the nodes were ready: %w", context.Cause(ctx))
		}
	}
}

func (r *run) ready() int {
	n := 0
	for i := range r.lanes {
		if r.Engine.Ready(i) {
			n++
		}
	}
	return n
}

// coresPerWorker is how many processors there are for each worker. One worker sends and collects some 500,000 actions
// a second, while the sessions' readers and writers need the other processors; two that share two processors are
// slower than one, and what one of them gets more is unfair to the other's nodes.
const coresPerWorker = 4

// begin fixes the times and makes the workers. All lanes of a node belong to one worker.
func (r *run) begin(now time.Time) {
	r.epoch = now
	if d := time.Duration(r.Config.Duration); d > 0 {
		r.deadline = r.warm + d
	}
	count := min(max(1, runtime.GOMAXPROCS(0)/coresPerWorker), len(r.nodes))
	for range count {
		r.workers = append(r.workers, newWorker(r))
	}
	owner := map[*nodeRecord]*worker{}
	for i, n := range r.nodes {
		owner[n] = r.workers[i%count]
	}
	for _, l := range r.lanes {
		w := owner[l.node]
		w.lanes = append(w.lanes, l)
		l.worker = w
	}
}

// watch waits for the end of the load, reporting stretches as they pass.
func (r *run) watch(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, w := range r.workers {
			<-w.done
		}
	}()
	every := time.Duration(r.Config.Every)
	if every <= 0 {
		every = defaultEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var warmed <-chan time.Time
	if r.Sampler != nil {
		warmed = time.After(max(r.warm, 0))
	}
	interrupted, abandoned := ctx.Done(), r.Part.abandoned()
	var soft, hard <-chan time.Time // send no more of what is due; stop waiting for what is in flight
	end := func(why string) {
		if r.ended == "" {
			r.ended, r.cut = why, r.now()
		}
		r.stop.Store(true)
		r.giveUp.Store(true)
		if !r.Part.gone() { // whoever is told both hears of them in any order
			hard = time.After(r.longest())
		}
	}
	last := r.now()
	issued := r.issued()
	for {
		select {
		case <-done:
			r.interval(&last)
			return
		case <-tick.C:
			r.interval(&last)
			if why := r.abort(); why != "" {
				end(why)
			}
		case <-warmed:
			r.Sampler.Warm()
		case f := <-r.Over:
			end(fmt.Sprintf("resident memory reached %s", f.RSS))
		case <-issued: // the load is over, but for what is due or in flight
			soft = time.After(time.Duration(r.Config.Grace))
		case <-soft:
			r.giveUp.Store(true)
			if hard == nil {
				hard = time.After(r.longest())
			}
		case <-interrupted:
			interrupted = nil
			end("interrupted")
		case <-abandoned:
			abandoned = nil
			end("abandoned")
			hard = time.After(abandonWithin)
		case <-hard:
			close(r.quit)
			<-done
			r.interval(&last)
			return
		}
	}
}

// issued returns what tells of the end of the load, but for what is due or in flight; nil if only its workers know.
func (r *run) issued() <-chan time.Time {
	if end := r.issueEnd(); end > 0 {
		return time.After(end - r.now())
	}
	return nil
}

// longest returns how long an action that is sent now may take to end: its timeout, and room for the engine's rounding.
func (r *run) longest() time.Duration {
	d := time.Duration(r.Config.Timeout)
	for i := range r.Mix.kinds {
		d = max(d, r.Mix.kinds[i].Timeout)
	}
	return d + time.Second
}

// issueEnd returns the offset at which nothing more is issued, 0 if that is not known.
func (r *run) issueEnd() time.Duration {
	if r.schedule != nil {
		return r.warm + r.schedule.End()
	}
	return r.deadline
}

// measuredUntil returns the offset at which the measurement ended, or has got to: the last answer, or the end of the
// load if that was later. Without the latter, servers that died early would show a fine rate until then. Of a counted
// load the end is when the last action was sent.
func (r *run) measuredUntil(lastAnswer, lastSent time.Duration) time.Duration {
	until := r.now()
	switch end := r.issueEnd(); {
	case r.schedule == nil && r.Config.Actions > 0:
		until = lastSent
	case end > 0:
		until = min(until, end)
	}
	if r.ended != "" {
		until = min(until, r.cut)
	}
	return max(lastAnswer, until)
}

// abort says why the run should end now, or "".
func (r *run) abort() string {
	if r.Part != nil || !r.aborting.Any() || r.now()-r.warm < time.Duration(r.Config.Every) {
		return "" // whoever has all parts judges, nothing is to be judged, or no whole stretch has been measured yet
	}
	return r.aborting.Judge(r.partial())
}

// interval sums up the stretch since *last.
func (r *run) interval(last *time.Duration) {
	now := r.now()
	length := now - *last
	if length < time.Millisecond {
		if r.Part == nil {
			return
		}
		length = time.Millisecond // nothing may be missing in what is added up
	}
	var sum stretch
	sum.init(r.cells())
	v := Interval{At: (now - r.warm).Seconds(), Length: length.Seconds(), WarmUp: now <= r.warm}
	for _, w := range r.workers {
		w.take(&sum)
		v.InFlight += uint64(w.flying.Load())
		v.Backlog += uint64(w.waiting.Load())
	}
	*last = now
	v.Sent, v.Ended, v.Failed = sum.sent, sum.ended, sum.failed
	v.Rate = float64(sum.answered) / length.Seconds()
	r.pooled.Sum(&v, sum.response, sum.service)
	v.Ready = r.ready()
	if r.schedule != nil {
		v.Target = r.schedule.RateAt(now-r.warm-length/2) * r.Part.fraction(&r.Config)
	}
	if r.tap != nil {
		v.Events, v.Queued = r.tap.interval()
	}
	if r.Sampler != nil {
		f := r.Sampler.Latest()
		v.RSS, v.Heap, v.Goroutines = f.RSS, f.Heap, f.Goroutines
	}
	if r.calls != nil {
		v.Channels = r.calls.channels.Load()
	}
	r.intervals = append(r.intervals, v)
	r.intervals = Thin(r.intervals)
	if r.Live != nil {
		r.Live(&v)
	}
	if r.Part != nil {
		r.Part.Stretch(r.stretch(&v, &sum))
	}
}

// maxIntervals bounds the intervals of a long run.
const maxIntervals = 3600

// Thin bounds the intervals of a long run: when there are too many it joins neighbours.
func Thin(in []Interval) []Interval {
	if len(in) <= maxIntervals {
		return in
	}
	return thin(in)
}

// thin joins neighbouring stretches.
func thin(in []Interval) []Interval {
	var out []Interval
	for pair := range slices.Chunk(in, 2) {
		if len(pair) == 1 {
			out = append(out, pair[0])
			break
		}
		out = append(out, Join(pair[0], pair[1]))
	}
	return out
}

// Join makes one stretch of two that follow one another. Of their percentiles the worse is kept.
func Join(a, b Interval) Interval {
	length := a.Length + b.Length
	b.Rate = (a.Rate*a.Length + b.Rate*b.Length) / length
	b.Length = length
	b.Sent, b.Ended, b.Failed, b.Events = a.Sent+b.Sent, a.Ended+b.Ended, a.Failed+b.Failed, a.Events+b.Events
	b.P50, b.P99, b.Max = max(a.P50, b.P50), max(a.P99, b.P99), max(a.Max, b.Max)
	b.ServiceP50, b.ServiceP99 = max(a.ServiceP50, b.ServiceP50), max(a.ServiceP99, b.ServiceP99)
	b.InFlight, b.Backlog, b.Queued = max(a.InFlight, b.InFlight), max(a.Backlog, b.Backlog), max(a.Queued, b.Queued)
	b.RSS, b.Heap, b.Goroutines = max(a.RSS, b.RSS), max(a.Heap, b.Heap), max(a.Goroutines, b.Goroutines)
	b.Channels, b.Ready = max(a.Channels, b.Channels), min(a.Ready, b.Ready)
	return b
}

// finish ends streams and waits for whoever belongs to the run.
func (r *run) finish(ctx context.Context) {
	if r.tap != nil && r.ended == "" {
		select {
		case <-time.After(r.warm + time.Duration(r.Config.Watch) - r.now()):
		case <-ctx.Done():
		case <-r.Part.abandoned():
		}
	}
	if r.calls != nil {
		r.calls.end()
	}
	over := r.now() // no later: the simulator sends nothing while it stops, and that is nobody's starvation
	if r.Simulator != nil {
		if err := r.Simulator.Stop(); err != nil {
			r.Notes = append(r.Notes, "the simulator did not stop: "+err.Error())
		}
	}
	if r.tap != nil {
		r.tap.end(over)
	}
}

// startStreams opens the event stream and lets the consumer run, for a run that has events to look at.
func (r *run) startStreams() error {
	if r.Config.EventRate <= 0 && r.Config.Workload != WorkloadEvents && r.Config.Workload != WorkloadCalls {
		return nil
	}
	s, err := r.Engine.Stream()
	if err != nil {
		return err
	}
	r.tap = newTap(r, s)
	if r.Config.Workload == WorkloadCalls {
		r.calls = newCallBook(r)
	}
	r.tap.start()
	return nil
}
