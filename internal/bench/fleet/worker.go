package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// A Worker takes part in runs.
type Worker struct {
	Bus     Bus
	Name    string
	Version string // of amictl
	Once    bool   // leave after one run
	// Launch makes a launch of a plan's load and targets. Its error says what this host cannot do or may not.
	Launch func(ctx context.Context, cfg bench.Config, targets []Target) (bench.Launch, error)
	// Refuse says why a launch cannot be.
	Refuse func(error) Refusal
	Say    func(text string) // tells people what becomes of the worker

	clock *clock // nil: one that is made now
}

// What a worker that takes part in one run ends with.
var (
	// ErrAlone says that the coordinator is no longer heard from.
	ErrAlone = errors.New("bench: the coordinator is no longer heard from")
	// ErrEnded says that the coordinator ended the run before its time.
	ErrEnded = errors.New("bench: the coordinator ended the run")
)

// TurnedAwayError says that a coordinator takes no such worker.
type TurnedAwayError struct{ Why string }

func (e *TurnedAwayError) Error() string {
	return "bench: the coordinator does not take this worker: " + e.Why
}

// CannotError says that a worker could not do its part, and that it told the coordinator so.
type CannotError struct{ Err error }

func (e *CannotError) Error() string { return e.Err.Error() }

func (e *CannotError) Unwrap() error { return e.Err }

// helloEvery is how often a worker that has nothing to do says so.
const helloEvery = 250 * time.Millisecond

// Work takes part in run after run until ctx is done, or in one of them.
func (w *Worker) Work(ctx context.Context) error {
	id := newID()
	clock := newClock()
	if w.clock != nil {
		clock = *w.clock
	}
	for {
		in, err := w.idle(ctx, id)
		if err != nil {
			return err
		}
		w.Say("takes part in run " + in.Run + " as " + in.Name)
		p := &participant{Worker: w, id: id, run: in.Run, name: in.Name, clock: clock, to: make(chan *message, 1<<10)}
		err = p.take(ctx)
		if w.Once || ctx.Err() != nil {
			return err
		}
		if err != nil {
			w.Say("run " + in.Run + ": " + err.Error())
		}
	}
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// idle waits for an invitation.
func (w *Worker) idle(ctx context.Context, id string) (invite, error) {
	got := make(chan *message, 16)
	var parts joiner
	stop, err := w.Bus.Subscribe(toIdle(id), func(data []byte) {
		if m, err := parts.add(data); err == nil && m != nil {
			select {
			case got <- m:
			default:
			}
		}
	})
	if err != nil {
		return invite{}, err
	}
	defer stop()
	tick := time.NewTicker(helloEvery)
	defer tick.Stop()
	away, told := time.Duration(0), ""
	for {
		_ = say(w.Bus, lobby, kindHello, "", hello{ID: id, Name: w.Name, Version: w.Version, Protocol: protocol})
		select {
		case <-tick.C:
			if away += helloEvery; w.Bus.Connected() {
				away = 0
			}
			if w.Once && away > lostAfter {
				return invite{}, ErrAlone
			}
		case m := <-got:
			switch m.Kind {
			case kindInvite:
				return read[invite](m)
			case kindTurnAway:
				t, err := read[turnAway](m)
				if err == nil && t.Final && w.Once {
					return invite{}, &TurnedAwayError{t.Why}
				}
				if err == nil && t.Why != told {
					told = t.Why
					w.Say("waits: " + t.Why)
				}
			}
		case <-ctx.Done():
			return invite{}, context.Cause(ctx)
		}
	}
}

// A participant is a worker in one run.
type participant struct {
	*Worker
	id, run, name string
	clock         clock
	to            chan *message // of the coordinator
	abandon       chan struct{}
	start         chan time.Time

	mu        sync.Mutex
	pulse     pulse // of the coordinator; guarded by mu, for the bus writes to it
	stretches int   // sent; guarded by mu
}

func (p *participant) say(k kind, body any) { _ = say(p.Bus, fromWorker(p.run, p.id), k, p.id, body) }

// hear takes what the coordinator says. A ping is answered at once.
func (p *participant) hear(subject string) (stop func(), err error) {
	var parts joiner
	return p.Bus.Subscribe(subject, func(data []byte) {
		now := p.clock.now()
		p.mu.Lock()
		p.pulse.heard(now)
		p.mu.Unlock()
		m, err := parts.add(data)
		if err != nil || m == nil {
			return
		}
		switch m.Kind {
		case kindPing:
			if q, err := read[ping](m); err == nil {
				p.say(kindPong, pong{N: q.N, At: now})
			}
		case kindBeat:
		default:
			p.to <- m
		}
	})
}

// beat says that the worker is there. Nothing that its load does holds a beat up.
func (p *participant) beat(end <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		p.say(kindBeat, nil)
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

// take takes part in the run, from joining it to its end.
func (p *participant) take(ctx context.Context) error {
	p.abandon, p.start = make(chan struct{}), make(chan time.Time, 1)
	p.pulse.last = p.clock.now()
	for _, subject := range []string{toWorker(p.run, p.id), toAll(p.run)} {
		stop, err := p.hear(subject)
		if err != nil {
			return err
		}
		defer stop()
	}
	beats, done := make(chan struct{}), make(chan struct{})
	go p.beat(beats, done)
	defer func() { close(beats); <-done }()
	p.say(kindJoin, nil)
	m, err := p.next(ctx)
	if err != nil {
		return err
	}
	if m.Kind != kindPlan {
		return stopped(m)
	}
	plan, err := read[plan](m)
	if err != nil {
		return err
	}
	launch, err := p.launch(ctx, &plan)
	if err != nil {
		p.say(kindRefuse, p.Refuse(err))
		_, _ = p.next(ctx) // that the run is over
		return &CannotError{err}
	}
	return p.load(ctx, launch)
}

func stopped(m *message) error {
	if s, err := read[stop](m); err == nil && m.Kind == kindStop {
		return fmt.Errorf("%w: %s", ErrEnded, s.Why)
	}
	return ErrEnded
}

// next is the coordinator's next message that matters. The error says that there will be none.
func (p *participant) next(ctx context.Context) (*message, error) {
	tick := time.NewTicker(checkEach)
	defer tick.Stop()
	var w waker
	for {
		select {
		case m := <-p.to:
			return m, nil
		case <-tick.C:
			if p.alone(&w) {
				return nil, ErrAlone
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// alone reports whether the coordinator has not been heard for too long. The time for which we stood still does not count.
func (p *participant) alone(w *waker) bool {
	now := p.clock.now()
	stood := w.tick(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulse.last = min(now, p.pulse.last+stood)
	return p.pulse.silent(now) > lostAfter
}

// launch checks the plan, and what this host can do.
func (p *participant) launch(ctx context.Context, plan *plan) (*bench.Launch, error) {
	if got := plan.digest(); got != plan.Digest {
		return nil, fmt.Errorf("bench: the plan means something else to this program: its digest is %.8s, not %.8s", got, plan.Digest)
	}
	if err := checkTimers(); err != nil {
		return nil, err
	}
	mix, err := plan.mix()
	if err != nil {
		return nil, err
	}
	l, err := p.Launch(ctx, plan.Config, plan.Targets)
	if err != nil {
		return nil, err
	}
	l.Config, l.Seed, l.Mix = plan.Config, plan.Seed, mix
	l.ID, l.Version = fmt.Sprintf("%s-%d", p.run, plan.Segment.Worker+1), p.Version
	l.Part = &bench.Part{Segment: plan.Segment, Start: p.ready, Started: p.started, Stretch: p.stretch, Abandon: p.abandon}
	return &l, nil
}

// maxLate is by how much a timer of a host that is to start something at an instant may be late.
const maxLate = 50 * time.Millisecond

// checkTimers refuses a host whose timers cannot start a load at an instant.
func checkTimers() error {
	best := time.Hour
	for range 5 {
		start := time.Now()
		time.Sleep(time.Millisecond)
		best = min(best, time.Since(start)-time.Millisecond)
	}
	if best > maxLate {
		return fmt.Errorf("bench: this host's timers are late by %s", best)
	}
	return nil
}

// ready says that the sessions are up, and waits for the start.
func (p *participant) ready(ctx context.Context) (time.Time, error) {
	p.say(kindReady, nil)
	select {
	case at := <-p.start:
		t := time.NewTimer(time.Until(at) - bench.StartLead)
		defer t.Stop()
		select {
		case <-t.C:
			return at, nil
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	return time.Time{}, context.Cause(ctx)
}

func (p *participant) started(at time.Time) { p.say(kindStarted, instant{at.Sub(p.clock.base)}) }

func (p *participant) stretch(s *bench.Stretch) {
	p.mu.Lock()
	p.stretches++
	p.mu.Unlock()
	p.say(kindStretch, s)
}

// load does the worker's part, as the coordinator says.
func (p *participant) load(ctx context.Context, l *bench.Launch) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type end struct {
		res *bench.Result
		err error
	}
	over := make(chan end, 1)
	go func() {
		res, err := l.Run(ctx)
		over <- end{res, err}
	}()
	orders := make(chan *message)
	follow, unfollow := context.WithCancel(context.WithoutCancel(ctx))
	defer unfollow()
	alone := make(chan struct{})
	go func() {
		for {
			m, err := p.next(follow)
			if err != nil {
				close(alone)
				return
			}
			select {
			case orders <- m:
			case <-follow.Done():
				close(alone)
				return
			}
		}
	}()
	var why error
	deaf := alone
	for {
		select {
		case m := <-orders:
			why = errors.Join(why, p.obey(m, cancel))
		case <-deaf:
			deaf, why = nil, ErrAlone
			p.drop()
			cancel(ErrAlone)
		case e := <-over:
			if e.err != nil {
				if why == nil {
					p.say(kindRefuse, p.Refuse(e.err))
				}
				return errors.Join(why, e.err)
			}
			if deaf == nil {
				return why
			}
			return errors.Join(why, p.hand(e.res, orders, alone))
		}
	}
}

// drop has the load end at once.
func (p *participant) drop() {
	select {
	case <-p.abandon:
	default:
		close(p.abandon)
	}
}

// obey does what the coordinator says while the load runs. The error is why it ends early.
func (p *participant) obey(m *message, cancel context.CancelCauseFunc) error {
	switch m.Kind {
	case kindStart:
		if s, err := read[instant](m); err == nil {
			select {
			case p.start <- p.clock.at(s.At):
			default:
			}
		}
	case kindStop:
		s, err := read[stop](m)
		if err != nil || s.Abandon {
			p.drop()
		}
		cancel(errors.New("bench: " + s.Why))
		return stopped(m)
	}
	return nil
}

// hand gives the coordinator the result, and waits until it wants no more of us.
func (p *participant) hand(res *bench.Result, orders <-chan *message, alone <-chan struct{}) error {
	res.Intervals = nil // the coordinator has its own, of everybody's stretches
	p.mu.Lock()
	f := final{Result: res, Count: p.stretches, Silent: p.pulse.longest}
	p.mu.Unlock()
	p.say(kindResult, f)
	for {
		select {
		case m := <-orders:
			if m.Kind == kindBye {
				return nil
			}
		case <-alone:
			return ErrAlone
		}
	}
}
