package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A nodeRecord gathers what happened on one node. It belongs to its worker and is guarded by the worker's lock.
type nodeRecord struct {
	name      string
	weight    float64
	condition string
	state     condition
	lanes     []int

	sent              uint64
	ended             Ended
	response, service Small
	gap               gap
	dropped           uint64
	lastAnswer        time.Duration
}

// A lane is one session, as its worker sees it.
type lane struct {
	index   int
	node    *nodeRecord
	worker  *worker
	callers int // most in flight
	flying  int
	parked  bool            // in the worker's list of lanes that are to be tried again
	due     []time.Duration // open loop: intended starts of what could not be sent yet, from head
	head    int
}

func (l *lane) backlog() int { return len(l.due) - l.head }

func (l *lane) push(at time.Duration) {
	if l.head > 0 && l.head == len(l.due) {
		l.due, l.head = l.due[:0], 0
	} else if l.head > 1024 && l.head*2 > len(l.due) {
		l.due = l.due[:copy(l.due, l.due[l.head:])]
		l.head = 0
	}
	l.due = append(l.due, at)
}

func (l *lane) pop() time.Duration {
	at := l.due[l.head]
	l.head++
	return at
}

// A flight is what a driver wants to know of an action at its end. An engine hands it back as it is.
type flight struct {
	lane     *lane
	number   uint64
	intended time.Duration
	kind     int32
	measured bool
}

// kindRecord gathers what happened to one action of the mix.
type kindRecord struct {
	sent              uint64
	ended             Ended
	response, service Small
}

// A worker sends and collects for some of the nodes. Only its own goroutine sends; the lock is for those who look in
// now and then, and nothing waits under it.
type worker struct {
	run   *run
	batch batch
	lanes []*lane
	done  chan struct{}

	flying  atomic.Int64 // in flight
	waiting atomic.Int64 // due and not sent

	mu     sync.Mutex // guards all below and the lanes' and nodes' records
	parked []*lane
	next   uint64 // open loop: number of the next arrival to look at
	fields []field
	action action

	response, service, lag *Histogram
	kinds                  []kindRecord
	all                    Ended // warm-up included, for the ledger
	now                    stretch
	lastAnswer             time.Duration
	lastSent               time.Duration // when the latest measured action was sent
}

func newWorker(r *run) *worker {
	w := &worker{
		run: r, batch: r.Engine.NewBatch(), done: make(chan struct{}),
		response: NewHistogram(), service: NewHistogram(), lag: NewHistogram(),
		kinds: make([]kindRecord, len(r.Mix.Kinds())),
	}
	w.now.init(r.cells())
	return w
}

func (w *worker) start() {
	for _, l := range w.lanes {
		w.park(l)
	}
	go w.loop()
}

// Bounds of a worker's turn.
const (
	turnEnds     = 256                   // ends handled under one hold of the lock
	turnArrivals = 4096                  // arrivals likewise, so that a generator that is behind still collects and reports
	retryEvery   = 2 * time.Millisecond  // for lanes that were not ready or had no room
	lookEvery    = 50 * time.Millisecond // for what the run wants: that it ends
)

// loop takes ends and sends what is due until nothing is left to do.
func (w *worker) loop() {
	defer close(w.done)
	for {
		w.mu.Lock()
		busy := w.collect()
		wake, more := w.issue()
		idle := w.flying.Load() == 0
		w.mu.Unlock()
		switch {
		case idle && !more:
			w.rest()
			return
		case w.quits():
			w.abandon()
			return
		case busy:
			continue
		}
		w.wait(wake)
	}
}

func (w *worker) quits() bool {
	select {
	case <-w.run.quit:
		return true
	default:
		return false
	}
}

// lateTimer is how late a timer may be. What is due sooner is napped for: an end that comes meanwhile has its time from the engine.
const lateTimer = 1200 * time.Microsecond

// wait waits for an end, at most until the offset wake.
func (w *worker) wait(wake time.Duration) {
	if w.run.nap != nil && w.run.schedule != nil && w.waiting.Load() == 0 {
		left := wake - w.run.now()
		if left <= lateTimer {
			w.run.nap(left)
			return
		}
		wake -= lateTimer
	}
	ctx, cancel := context.WithDeadline(context.Background(), w.run.epoch.Add(wake))
	defer cancel()
	e, err := w.batch.Wait(ctx)
	if err != nil {
		return
	}
	w.mu.Lock()
	w.end(e)
	w.mu.Unlock()
}

// collect handles ends that are there, and reports whether there were any.
func (w *worker) collect() bool {
	for i := range turnEnds {
		e, ok := w.batch.Poll()
		if !ok {
			return i > 0
		}
		w.end(e)
	}
	return true
}

// end books an action's end and lets its lane send the next one.
func (w *worker) end(e ending) {
	f := &e.Flight
	l := f.lane
	at := e.Received.Sub(w.run.epoch)
	if e.Received.IsZero() {
		at = w.run.now()
	}
	l.flying--
	w.flying.Add(-1)
	w.all.add(e.Kind)
	w.now.ended++
	if e.Kind != endReply {
		w.now.failed++
	}
	if e.Kind.Answered() {
		w.now.answered++
	}
	w.starved(l, e.Kind, at)
	if f.measured {
		w.measured(f, e, at)
	}
	if c := w.run.calls; c != nil {
		c.answered(f.number, e.Kind, e.Outcome)
	}
	w.refill(l)
}

// starved keeps the node's starvation: only answers end a gap, but with nothing in flight there is none.
func (w *worker) starved(l *lane, kind endKind, at time.Duration) {
	n := l.node
	flying := 0
	for _, i := range n.lanes {
		flying += w.run.lanes[i].flying
	}
	if at < w.run.warm {
		n.gap.Restart(w.run.warm)
		return
	}
	if kind.Answered() || flying == 0 {
		n.gap.Got(max(at, n.lastAnswer), flying > 0)
		n.lastAnswer = max(at, n.lastAnswer)
	}
}

// measured books an action that was not part of the warm-up. A timeout's latency is how long it was waited for:
// leaving it out would make a server look better by not answering.
func (w *worker) measured(f *flight, e ending, at time.Duration) {
	n, k := f.lane.node, &w.kinds[f.kind]
	n.ended.add(e.Kind)
	k.ended.add(e.Kind)
	var c *cell
	if len(w.now.cells) > 0 {
		c = &w.now.cells[f.kind]
		c.ended.add(e.Kind)
	}
	if !e.Kind.Answered() && e.Kind != endTimeout {
		return
	}
	us := micros(at - f.intended)
	w.sampled("response", f.kind, us)
	w.response.Record(us)
	w.now.response.Record(us)
	n.response.Record(us)
	k.response.Record(us)
	if c != nil {
		c.response.Record(us)
	}
	if !e.Kind.Answered() {
		return
	}
	w.lastAnswer = max(w.lastAnswer, at)
	us = micros(e.Service)
	w.sampled("service", f.kind, us)
	w.service.Record(us)
	w.now.service.Record(us)
	n.service.Record(us)
	k.service.Record(us)
	if c != nil {
		c.service.Record(us)
	}
}

// refill lets a lane with a free caller, or with actions due, send.
func (w *worker) refill(l *lane) {
	if l.parked {
		return // it has its turn with the other parked ones
	}
	if w.run.schedule == nil {
		w.park(l) // the lanes that got an answer send in turn, so that a quick one does not crowd out the others
		return
	}
	for l.backlog() > 0 && l.flying < l.callers && !w.run.giveUp.Load() {
		if !w.may(l) {
			w.park(l)
			return
		}
		w.waiting.Add(-1)
		if !w.send(l, l.pop()) { // refused is how it ended; the next one is given time
			w.park(l)
			return
		}
	}
}

func (w *worker) park(l *lane) {
	if !l.parked {
		l.parked = true
		w.parked = append(w.parked, l)
	}
}

// open reports whether a closed loop still issues actions.
func (w *worker) open() bool {
	r := w.run
	if r.stop.Load() {
		return false
	}
	return r.deadline == 0 || r.now() < r.deadline
}

// try sends a closed loop's next action on a lane, if the lane is ready. It returns false if the lane is to be tried
// again later.
func (w *worker) try(l *lane) bool {
	r := w.run
	if !w.may(l) {
		return false
	}
	now := r.now()
	if now >= r.warm && r.Config.Actions > 0 && !r.claim() {
		return true // nothing is left to send
	}
	return w.send(l, now)
}

// claim takes one of a counted run's actions from the counter that all callers share: a slow node holds no quota.
func (r *run) claim() bool {
	if r.claimed.Add(1) > r.Part.quota(r.Config.Actions) {
		r.stop.Store(true)
		return false
	}
	return true
}

// issue sends what is due. It returns when to look again, as an offset, and whether there will be more to send.
func (w *worker) issue() (wake time.Duration, more bool) {
	r := w.run
	now := r.now()
	wake = now + lookEvery
	if r.giveUp.Load() {
		w.dropDue()
	}
	if r.schedule != nil {
		wake, more = w.arrive(now)
	} else {
		more = w.open()
	}
	if len(w.parked) > 0 && (more || w.waiting.Load() > 0) {
		w.retry()
		if len(w.parked) > 0 {
			wake = min(wake, now+retryEvery)
		}
	}
	return wake, more || w.waiting.Load() > 0
}

// retry gives parked lanes a turn, one action each and round by round, so that none is filled before the others.
func (w *worker) retry() {
	list := w.parked
	w.parked = nil
	for _, l := range list {
		l.parked = false
	}
	if w.run.schedule != nil {
		for _, l := range list {
			w.refill(l)
		}
		return
	}
	for len(list) > 0 && w.open() {
		again := list[:0]
		for _, l := range list {
			switch {
			case l.flying >= l.callers:
			case w.try(l):
				again = append(again, l)
			default:
				w.away(l)
				w.park(l)
			}
		}
		list = again
	}
}

// away books that a closed loop's callers wait for a session: they want something and get nothing, though nothing is in
// flight.
func (w *worker) away(l *lane) {
	if now := w.run.now(); now >= w.run.warm && !w.run.Engine.Ready(l.index) {
		l.node.gap.Start(now)
	}
}

// rest ends the gaps of those who waited until the end.
func (w *worker) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lanes {
		l.node.gap.Stop(w.run.now())
	}
}

// may reports whether a lane is ready and, for calls, the ceiling leaves room for one more.
func (w *worker) may(l *lane) bool {
	return w.run.Engine.Ready(l.index) && (w.run.calls == nil || w.run.calls.room())
}

// abandon gives up on what is in flight, at the end of the grace period.
func (w *worker) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropDue()
	for _, l := range w.lanes {
		if l.flying > 0 {
			l.node.gap.Stop(w.run.now())
		}
	}
}

// send submits an action on a lane. It returns false if the engine did not take it.
func (w *worker) send(l *lane, intended time.Duration) bool {
	r := w.run
	number := r.Part.number(r.numbers.Add(1))
	which := r.Mix.Choose(r.Seed, number)
	k := &r.Mix.kinds[which]
	v := vars{Node: l.node.name, Run: r.ID, N: number, T: intended}
	w.fields = k.Fields(w.fields[:0], &v)
	w.action = action{Name: k.Action, Fields: w.fields, Timeout: k.Timeout, Await: k.Await}
	if w.action.Timeout == 0 {
		w.action.Timeout = time.Duration(r.Config.Timeout)
	}
	f := flight{lane: l, number: number, intended: intended, kind: int32(which), measured: intended >= r.warm}
	if c := r.calls; c != nil {
		c.begin(l.index, number, intended)
	}
	w.now.sent++
	accepted := r.Engine.Submit(l.index, &w.action, w.batch, f)
	if f.measured {
		w.lastSent = r.now()
		l.node.sent++
		w.kinds[which].sent++
		if !accepted {
			l.node.ended.add(endRejected)
			w.kinds[which].ended.add(endRejected)
		}
		if len(w.now.cells) > 0 {
			w.now.cells[which].sent++
			if !accepted {
				w.now.cells[which].ended.add(endRejected)
			}
		}
	}
	if !accepted {
		w.all.add(endRejected)
		if c := r.calls; c != nil {
			c.refused(number)
		}
		return false
	}
	l.flying++
	w.flying.Add(1)
	l.node.gap.Start(max(r.warm, intended))
	return true
}

// take moves the worker's current stretch into sum.
func (w *worker) take(sum *stretch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum.sent += w.now.sent
	sum.ended += w.now.ended
	sum.answered += w.now.answered
	sum.failed += w.now.failed
	sum.response.Merge(w.now.response)
	sum.service.Merge(w.now.service)
	w.now.response.Reset()
	w.now.service.Reset()
	if w.now.waited != nil {
		sum.waited.Merge(w.now.waited)
		w.now.waited.Reset()
	}
	for i := range w.now.cells {
		sum.cells[i].take(&w.now.cells[i])
	}
	w.now.sent, w.now.ended, w.now.answered, w.now.failed = 0, 0, 0, 0
}
