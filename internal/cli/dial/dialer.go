package dial

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// A dialer is one run of dial: the shell around the scheduler. One goroutine has all of it; others only wait, for answers,
// events and lists, and hand over what came.
type dialer struct {
	cli     *run.Run
	options *options
	plan    *plan
	journal *journal
	out     *output.Printer
	sched   *scheduler

	servers  []*server
	turn     int                 // of --route round-robin
	attempts map[string]*attempt // that are not over, by ChannelId
	calls    map[*ami.FollowedCall]*attempt
	batch    ami.Batch[*attempt]
	answers  chan ami.Result[*attempt]
	events   chan ami.Event
	lists    chan listing
	others   sync.WaitGroup

	heard  bool  // an event of a call of ours has come
	broken error // why the journal is not whole
	fatal  error // why no call is made any more

	interrupts chan func() // of signals; what ends the run by it
	signals    int         // so far; of the goroutine that takes them
	stops      int         // of these, taken by the loop
	end        func()      // by the last one
	endAt      time.Time   // when what was hung up is not waited for any more; zero: nothing was

	score score
}

func newDialer(r *run.Run, o *options, p *plan, j *journal, out *output.Printer) *dialer {
	d := &dialer{
		cli: r, options: o, plan: p, journal: j, out: out,
		sched:    newScheduler(len(p.list.rows), o.concurrency.Value, o.rate.Value),
		attempts: make(map[string]*attempt), calls: make(map[*ami.FollowedCall]*attempt),
		answers: make(chan ami.Result[*attempt]), events: make(chan ami.Event), lists: make(chan listing),
		interrupts: make(chan func()),
	}
	d.sched.between, d.sched.retry = o.between, o.retry
	d.score.total = len(p.list.rows)
	return d
}

// resume goes on where a journal ends: what is done stays done, and what may be up takes a place until it is known.
func (d *dialer) resume(steps []step, skip map[string]bool, nodes []ami.Config) {
	byName := make(map[string]*server)
	for _, n := range nodes {
		s := &server{name: n.Name}
		d.servers = append(d.servers, s)
		byName[n.Name] = s
	}
	book := readBook(steps)
	if len(steps) > 0 { // an earlier run may have begun a call just now
		d.sched.began(time.Now())
	}
	for i := range d.plan.list.rows {
		number := d.plan.list.number(i)
		e := book[number]
		what := e.remains(skip[number], d.sched.retry)
		switch what {
		case toCall:
		case toFollow:
			d.sched.adopt(i, len(e.ends), e.after())
			d.adopt(i, e, byName[e.call.node])
		case toCallAgain, toEnd:
			if d.sched.resume(i, len(e.ends), e.after(), e.ends[len(e.ends)-1], e.last.at); what == toEnd {
				d.left(i, e)
			}
		case toLeave:
			d.sched.drop(i)
			d.score.earlier++
			d.score.count(e.last.outcome)
		case toSkip:
			d.sched.drop(i)
			d.score.skipped++
		}
	}
}

// left is a number that was to be called again, or whose outcome is not known, and that no --retry calls again now.
func (d *dialer) left(i int, e *entry) {
	outcome := e.ends[len(e.ends)-1]
	if outcome == ami.OutcomeUnknown {
		d.score.earlier++
		d.score.count(outcome)
		return
	}
	a := &attempt{number: i, outcome: outcome, known: true, ring: e.last.ring, cause: e.last.cause, id: e.call.id, nodeName: e.call.node}
	d.result(a, time.Now(), false)
}

const (
	mostStops   = 2                      // signals that are no end yet: no new calls, hang up
	nobodyPause = 250 * time.Millisecond // until the servers are looked at again when none is ready
	hangupGrace = 5 * time.Second        // what was hung up may take to be gone
	stuck       = 2 * time.Second        // the loop may take to notice a signal
	idle        = time.Hour              // between two looks when nothing is due
)

// run dials until all is done, and tells how it went.
func (d *dialer) run(ctx context.Context, nodes []ami.Config) error {
	if d.sched.done() {
		return d.verdict(ctx)
	}
	c, err := target.Cluster(d.cli, nodes)
	if err != nil {
		return err
	}
	defer target.Finish(ctx, c)
	sub, err := c.Subscribe(ami.SubscribeOptions{Events: ami.FollowedEvents(), RingEvents: target.RingEvents, RingBytes: target.RingBytes})
	if err != nil {
		return err
	}
	defer sub.Close()
	for i, n := range c.Nodes() {
		d.servers[i].node = n
	}
	if err := target.Await(ctx, d.cli, c, 1); err != nil {
		return err
	}
	d.gather(ctx)
	d.cli.OnInterrupt(d.interrupt)
	defer d.cli.OnInterrupt(nil)
	defer d.cli.Progress(d.score.line)()
	working, stop := context.WithCancel(ctx)
	defer d.others.Wait()
	defer stop()
	d.others.Go(func() { pump(working, d.batch.Next, d.answers) })
	d.others.Go(func() { pump(working, sub.Next, d.events) })
	if err := d.loop(working); err != nil {
		d.cli.Note("%s", d.score.summary())
		return errors.Join(err, d.out.Flush())
	}
	return d.verdict(ctx)
}

// pump hands on what next returns, until ctx is done.
func pump[T any](ctx context.Context, next func(context.Context) (T, error), to chan<- T) {
	for {
		v, err := next(ctx)
		if err != nil {
			return
		}
		select {
		case to <- v:
		case <-ctx.Done():
			return
		}
	}
}

// loop begins calls and takes what comes, until no call is up and none will be.
func (d *dialer) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		d.review(ctx, now)
		d.begin(now)
		if err := d.out.Flush(); err != nil {
			return err
		}
		if d.sched.done() || !d.endAt.IsZero() && !d.endAt.After(now) {
			return nil
		}
		timer.Reset(time.Until(d.nextLook(now)))
		select {
		case r := <-d.answers:
			d.taken(r.Value, r.Err, time.Now())
		case ev := <-d.events:
			d.event(&ev)
		case l := <-d.lists:
			d.listed(&l, time.Now())
		case end := <-d.interrupts:
			d.stopBy(ctx, end)
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin makes the calls that are to be made now. Their rows are in the journal before the first of them is sent.
func (d *dialer) begin(now time.Time) {
	var begun []*attempt
	var rows []step
	for {
		at := d.pick(now)
		if at < 0 {
			d.sched.hold(now.Add(nobodyPause))
			break
		}
		number, ok := d.sched.next(now.Local())
		if !ok {
			break
		}
		d.turn = at + 1
		s := d.servers[at]
		a := &attempt{number: number, server: s, nodeName: s.name, id: call.ChannelID(), sent: now, ring: unmeasured, talk: unmeasured}
		s.up++
		begun = append(begun, a)
		rows = append(rows, d.step(a, stepCalling, now))
	}
	if len(begun) == 0 {
		return
	}
	if err := d.journal.write(true, rows...); err != nil {
		for _, a := range begun {
			a.server.up--
			d.sched.unsent(a.number, now)
		}
		d.unwritten(err)
		return
	}
	for _, a := range begun {
		d.send(a)
	}
}

// send sends a call that the journal has.
func (d *dialer) send(a *attempt) {
	d.score.calls++
	action, err := d.plan.action(a.number, a.id)
	if err == nil {
		a.sent = time.Now()
		d.hold(a)
		err = d.batch.TrySubmit(a.server.node, action, a)
		d.sched.began(time.Now())
	}
	if err != nil {
		if fail.Classify(err).Code == fail.CodeInput { // a bug: the plan was checked, and it would be refused again
			d.giveUp(err)
		}
		d.unsent(a, time.Now())
	}
}

// step is a row of the journal about an attempt.
func (d *dialer) step(a *attempt, state stepState, now time.Time) step {
	return step{
		at: now, number: d.plan.list.number(a.number), state: state, attempt: d.sched.numbers[a.number].attempts, node: a.nodeName, id: a.id,
		outcome: a.outcome, cause: a.cause, ring: a.ring, talk: a.talk,
	}
}

// note writes a row about what came of a call.
func (d *dialer) note(a *attempt, state stepState, now time.Time) {
	if err := d.journal.write(false, d.step(a, state, now)); err != nil {
		d.unwritten(err)
	}
}

// unwritten notes that the journal cannot be written: no call is made any more.
func (d *dialer) unwritten(err error) {
	if d.broken == nil {
		d.broken = err
	}
	d.sched.stop()
}

// giveUp makes no more calls, and says why at the end.
func (d *dialer) giveUp(err error) {
	if d.fatal == nil {
		d.fatal = err
	}
	d.sched.stop()
}

// nextLook is when something is due by the passing of time alone.
func (d *dialer) nextLook(now time.Time) time.Time {
	at := now.Add(idle)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	sooner(d.sched.wake(now.Local()))
	sooner(d.endAt)
	for _, a := range d.attempts {
		sooner(a.due)
	}
	for _, s := range d.servers {
		if !s.asking && d.doubts(s) {
			sooner(s.askAt)
		}
	}
	return at
}

// interrupt hands a signal to the loop, and runs on another goroutine. The third is not ours any more, nor one that the loop
// does not take: it may be stuck in a write that nobody reads.
func (d *dialer) interrupt(_ syscall.Signal, end func()) bool {
	if d.signals++; d.signals > mostStops {
		return false
	}
	late := time.NewTimer(stuck)
	defer late.Stop()
	select {
	case d.interrupts <- end:
		return true
	case <-late.C:
		return false
	}
}

// stopBy stops new calls by the first signal, and hangs up those that are up by the second.
func (d *dialer) stopBy(ctx context.Context, end func()) {
	d.end = end
	d.sched.stop()
	switch d.stops++; {
	case len(d.attempts) == 0:
	case d.stops == 1:
		d.cli.Note("no new calls; %s still up; interrupt again to hang up", fail.Are(len(d.attempts), "call"))
	default:
		d.cli.Note("hanging up %s", fail.Count(len(d.attempts), "call"))
		d.hangUpAll(ctx)
		d.endAt = time.Now().Add(hangupGrace)
	}
}
