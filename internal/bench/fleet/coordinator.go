package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/report"
)

// Options are those of a run with workers.
type Options struct {
	Bus     Bus
	Run     string // its ID
	Version string // of amictl, which the workers' must be
	Workers int
	Config  bench.Config
	Seed    uint64
	Targets []Target // none: the workers simulate their nodes
	// Live is called for every stretch, with what each worker last said.
	Live func(*report.Whole, []Now)
	Say  func(text string) // tells people what becomes of the run
	// HangUp hangs up what lost workers have called, and returns how many channels that were; nil: they took their servers along.
	HangUp func(ctx context.Context) (channels int, err error)
	// Children are workers that were started for the run; nil: they come by themselves.
	Children *Children
}

// Now is a worker as it was last heard of.
type Now struct {
	Name string
	bench.Interval
	Lag int64 // p99 so far, in microseconds
}

// A LostError says that a run ended before it began, because a worker was lost.
type LostError struct{ Worker, Why string }

func (e *LostError) Error() string {
	return fmt.Sprintf("bench: worker %s was lost before the start: %s", e.Worker, e.Why)
}

// A RefusedError says that a worker cannot do its part.
type RefusedError struct {
	Worker string
	Refusal
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("bench: worker %s: %s", e.Worker, e.Message)
}

// Times of a run with workers.
const (
	joinWithin  = 2 * time.Second // from the invitation
	readyWithin = 90 * time.Second
	startAhead  = 2 * time.Second
	pings       = 16
	pingWithin  = 500 * time.Millisecond // for one answer
	leaveWithin = 700 * time.Millisecond // for those who were told to end at once
)

// A coordinator is a run as its coordinator sees it. Only Coordinate's goroutine uses it, but for what locks guard.
type coordinator struct {
	Options
	load      load
	clock     clock
	events    chan event
	stops     []func()        // of subscriptions
	members   []*member       // in the order in which they were invited; their number is that of their segment
	told      map[string]bool // who was turned away
	stretches *report.Stretches
	aborting  *bench.Aborting
	began     time.Duration // the instant of the start
	ending    string        // why the run ends early; "" while it does not
	abandoned bool          // everybody has been told to end at once
	lost      string        // the first worker that was lost
	notes     []string
	waker     waker
	pinging   pinging
}

// A member is a worker that takes part.
type member struct {
	id, name string
	invited  time.Duration
	joined   bool
	ready    bool
	before   offset        // of its clock, at the start
	after    offset        // and at the end
	pinged   time.Duration // when the latest ping left
	answered bool
	mute     bool          // it answers no more pings
	began    time.Duration // by its clock
	result   *bench.Result
	deaf     time.Duration // longest in which it did not hear us
	sent     int           // stretches that it says it sent
	got      int           // and that came
	lost     string
	told     bool // to end at once, before it was lost

	mu    sync.Mutex
	pulse pulse // guarded by mu: the bus writes to it
}

func (m *member) heard(now time.Duration) {
	m.mu.Lock()
	m.pulse.heard(now)
	m.mu.Unlock()
}

// silence returns for how long nothing was heard, and the longest such time. The time for which we ourselves stood still is
// taken off.
func (m *member) silence(now, stood time.Duration) (current, longest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pulse.last = min(now, m.pulse.last+stood)
	return m.pulse.silent(now), m.pulse.longest
}

// An event is a message with when it came, and from whom; nil: somebody who does not take part.
type event struct {
	*message
	from *member
	at   time.Duration
}

// Coordinate gathers workers, has them do the load together, and returns what came of it. An error means that no load was
// begun. When ctx is done the run ends early and gracefully, as a run of one process does.
func Coordinate(ctx context.Context, o Options) (*bench.Result, error) {
	c := &coordinator{
		Options: o, load: load{Config: o.Config, Seed: o.Seed, Targets: o.Targets}, clock: newClock(), events: make(chan event, 1<<14),
		told: map[string]bool{},
	}
	c.load.complete(o.Workers)
	plans, err := c.load.cut(o.Workers)
	if err != nil {
		return nil, err
	}
	if c.aborting, err = bench.NewAborting(&c.load.Config); err != nil {
		return nil, err
	}
	c.stretches = report.NewStretches(&c.load.Config, o.Workers)
	if err := c.subscribe(lobby, nil); err != nil {
		return nil, err
	}
	beats, done := make(chan struct{}), make(chan struct{})
	go c.beat(beats, done)
	defer func() {
		close(beats)
		<-done
		for _, stop := range c.stops {
			stop()
		}
	}()
	if err := c.prepare(ctx, plans); err != nil {
		c.tell(kindStop, stop{Why: strings.TrimPrefix(err.Error(), "bench: "), Abandon: true})
		return nil, err
	}
	return c.drive(ctx, plans)
}

// subscribe takes the messages of a subject from now on.
func (c *coordinator) subscribe(subject string, from *member) error {
	var parts joiner
	stop, err := c.Bus.Subscribe(subject, func(data []byte) {
		at := c.clock.now()
		if from != nil {
			from.heard(at)
		}
		if m, err := parts.add(data); err == nil && m != nil && m.Kind != kindBeat {
			c.events <- event{m, from, at}
		}
	})
	if err == nil {
		c.stops = append(c.stops, stop)
	}
	return err
}

// beat says that the coordinator is there. Nothing that it does holds a beat up.
func (c *coordinator) beat(end <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		c.tell(kindBeat, nil)
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

// tell says something to all workers. One whom it does not reach is lost, which shows soon.
func (c *coordinator) tell(k kind, body any) { _ = say(c.Bus, toAll(c.Run), k, "", body) }

// to says something to one worker.
func (c *coordinator) to(m *member, k kind, body any) {
	_ = say(c.Bus, toWorker(c.Run, m.id), k, "", body)
}

// wait handles what comes until done, or until an error says why that cannot be. within bounds it; 0 does not.
func (c *coordinator) wait(ctx context.Context, within time.Duration, done func() bool) error {
	tick := time.NewTicker(checkEach)
	defer tick.Stop()
	var limit <-chan time.Time
	if within > 0 {
		limit = time.After(within)
	}
	for !done() {
		select {
		case e := <-c.events:
			if err := c.handle(e); err != nil {
				return err
			}
		case end := <-c.Children.ended():
			c.childEnded(end)
		case <-tick.C:
			c.check()
		case <-limit:
			return errLate
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

var errLate = errors.New("bench: the workers took too long")

// check looks for workers that are lost.
func (c *coordinator) check() {
	now := c.clock.now()
	stood := c.waker.tick(now)
	for _, m := range c.members {
		silent, _ := m.silence(now, stood)
		if m.joined && m.lost == "" && m.result == nil && silent > lostAfter {
			c.lose(m, fmt.Sprintf("it was not heard from for %.1f s", silent.Seconds()))
		}
	}
}

// childEnded is told that a worker's process has ended.
func (c *coordinator) childEnded(end Ended) {
	for _, m := range c.members {
		if m.name == end.Name {
			if m.lost == "" && m.result == nil {
				c.lose(m, "its process ended: "+end.Why)
			}
			return
		}
	}
	c.members = append(c.members, &member{name: end.Name, lost: "its process ended: " + end.Why}) // before it joined
	c.lost = end.Name
}

func (c *coordinator) lose(m *member, why string) {
	m.lost, m.told = why, c.abandoned
	if c.lost == "" {
		c.lost = m.name
	}
}

// firstLost is the error of a worker that was lost before the start.
func (c *coordinator) firstLost() error {
	for _, m := range c.members {
		if m.lost != "" {
			return &LostError{m.name, m.lost}
		}
	}
	return nil
}
