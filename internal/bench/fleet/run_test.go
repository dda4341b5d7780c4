package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/report"
)

// patience is how long a test waits for what has to come.
const patience = time.Minute

// A wire is a bus within the test. What it carries is in order; a subscriber has a goroutine of its own.
type wire struct {
	mu   sync.Mutex
	subs map[string][]*sub // guarded by mu
	wg   sync.WaitGroup
}

type sub struct {
	mu    sync.Mutex
	ready *sync.Cond
	queue []parcel
	over  bool
}

// A parcel is what a wire carries, and when it left.
type parcel struct {
	data []byte
	left time.Time
	way  time.Duration // so far
}

func newWire() *wire { return &wire{subs: map[string][]*sub{}} }

// An end is one side of a wire. One that is cut carries nothing, either way; a changed one carries what change makes of it. What
// it says and what it hears is late by out and in.
type end struct {
	*wire
	cut     atomic.Bool
	change  func(data []byte) []byte
	out, in time.Duration
	heard   func(data []byte) // what comes, before anybody else has it
}

func (e *end) Publish(subject string, data []byte) error {
	if e.cut.Load() {
		return nil
	}
	if e.change != nil {
		data = e.change(data)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.subs[subject] {
		s.mu.Lock()
		s.queue = append(s.queue, parcel{data, time.Now(), e.out})
		s.ready.Signal()
		s.mu.Unlock()
	}
	return nil
}

func (e *end) Subscribe(subject string, f func([]byte)) (stop func(), err error) {
	s := &sub{}
	s.ready = sync.NewCond(&s.mu)
	e.mu.Lock()
	e.subs[subject] = append(e.subs[subject], s)
	e.mu.Unlock()
	e.wg.Go(func() {
		for {
			s.mu.Lock()
			for len(s.queue) == 0 && !s.over {
				s.ready.Wait()
			}
			if s.over {
				s.mu.Unlock()
				return
			}
			p := s.queue[0]
			s.queue = s.queue[1:]
			s.mu.Unlock()
			time.Sleep(time.Until(p.left.Add(p.way + e.in)))
			if e.heard != nil {
				e.heard(p.data)
			}
			if !e.cut.Load() {
				f(p.data)
			}
		}
	})
	return func() {
		s.mu.Lock()
		s.over = true
		s.ready.Signal()
		s.mu.Unlock()
	}, nil
}

func (e *end) MaxPayload() int { return 16 << 10 } // so that results come in chunks
func (e *end) Connected() bool { return true }
func (e *end) Close()          {}

// A crew is a coordinator's side and workers on a wire, in this process.
type crew struct {
	*wire
	t       *testing.T
	center  *end
	ends    []*end
	workers []*Worker
	errs    chan error
	options Options
}

func newCrew(t *testing.T, n int, c bench.Config) *crew {
	t.Helper()
	k := &crew{wire: newWire(), t: t, errs: make(chan error, n)}
	k.center = &end{wire: k.wire}
	for i := range n {
		e := &end{wire: k.wire}
		k.ends = append(k.ends, e)
		k.workers = append(k.workers, &Worker{
			Bus: e, Name: fmt.Sprintf("w%d", i+1), Version: "test", Once: true, Say: func(string) {},
			Refuse: func(err error) Refusal { return Refusal{Message: err.Error()} },
			Launch: func(context.Context, bench.Config, []Target) (bench.Launch, error) { return bench.Launch{}, nil },
		})
	}
	c.Every, c.MaxLag = bench.Duration(100*time.Millisecond), bench.Duration(time.Hour)
	k.options = Options{Bus: k.center, Run: "abc", Version: "test", Workers: n, Config: c, Seed: 1, Say: func(text string) { t.Log(text) }}
	return k
}

// run has all do the load. Whoever is left when it is over is told so by the test's end.
func (k *crew) run(ctx context.Context) (*bench.Result, error) {
	for _, w := range k.workers {
		go func() { k.errs <- w.Work(context.WithoutCancel(ctx)) }()
	}
	return Coordinate(ctx, k.options)
}

// ends waits for all workers, and returns what they ended with.
func (k *crew) wait() (errs []error) {
	k.t.Helper()
	limit := time.After(patience)
	for range k.workers {
		select {
		case err := <-k.errs:
			errs = append(errs, err)
		case <-limit:
			k.t.Fatal("a worker did not end")
		}
	}
	return errs
}

// The workers together send the plan exactly, and what they measured is one result.
func TestTogether(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for name, tt := range map[string]struct {
		config bench.Config
		sent   uint64
	}{
		"counted": {bench.Config{Actions: 5001, Nodes: 7}, 5001},
		"open":    {bench.Config{Rate: 2003, Duration: bench.Duration(time.Second), Nodes: 4}, 2003},
		"calls":   {bench.Config{Workload: bench.WorkloadCalls, Rate: 40, Duration: bench.Duration(time.Second), Hold: bench.Duration(200 * time.Millisecond), Nodes: 3}, 40},
		"mix":     {bench.Config{Actions: 100, Nodes: 3, Mix: `[{"action":"Ping","name":"mine"}]`}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCrew(t, 3, tt.config)
			var live uint64
			k.options.Live = func(w *report.Whole, _ []Now) { live += w.Ended }
			res, err := k.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if errs := k.wait(); errors.Join(errs...) != nil {
				t.Error(errs)
			}
			if res.Total.Sent != tt.sent || res.Total.Ended.Total() != tt.sent || live != res.Ledger.Bench.Total() && res.Calls == nil {
				t.Errorf("%d sent, %d ended, live %d, want %d", res.Total.Sent, res.Total.Ended.Total(), live, tt.sent)
			}
			if len(res.Ledger.Differences) > 0 || res.Partial || len(res.Workers) != 3 || len(res.Nodes) != res.Config.Nodes {
				t.Errorf("differences %v, partial %v, %d workers, %d nodes", res.Ledger.Differences, res.Partial, len(res.Workers), len(res.Nodes))
			}
			var parts uint64
			for i, w := range res.Workers {
				parts += w.Sent
				if w.Name != fmt.Sprintf("w%d", i+1) || w.Nodes == 0 || w.Lost != "" {
					t.Errorf("worker %+v", w)
				}
			}
			h, err := bench.DecodeHistogram(res.Histograms["response"])
			if err != nil || uint64(h.Count()) != res.Total.Answered() || parts != tt.sent {
				t.Errorf("%v, %d times of %d answers, workers sent %d", err, h.Count(), res.Total.Answered(), parts)
			}
			if sum := h.Summary(); res.Total.P50 != sum.P50 || res.Total.P99 != sum.P99 || res.Actions[0].Max == 0 {
				t.Errorf("the total is %+v, its histogram %+v", res.Total, sum)
			}
			if c := res.Calls; c != nil && (c.Left != 0 || c.HungUp != c.Answered) {
				t.Errorf("calls %+v", c)
			}
		})
	}
}

// Workers whose clocks are hours apart, and whose links take 20 and 100 ms, one way longer than back, are to begin at one instant:
// each is told one that is right to half its round trip, which the result says.
func TestClocksOfDelayedLinks(t *testing.T) {
	k := newCrew(t, 3, bench.Config{Actions: 301, Nodes: 3})
	ways := []struct{ out, in time.Duration }{{20 * time.Millisecond, 20 * time.Millisecond}, {100 * time.Millisecond, 100 * time.Millisecond}, {20 * time.Millisecond, 100 * time.Millisecond}}
	instants := make([]time.Time, len(ways)) // of the start, as each was told it
	var mu sync.Mutex                        // guards them
	for i, w := range ways {
		clock := clock{time.Now().Add(time.Duration(1-i) * 7 * time.Hour)}
		k.workers[i].clock = &clock
		k.ends[i].out, k.ends[i].in = w.out, w.in
		k.ends[i].heard = func(data []byte) {
			var m message
			if json.Unmarshal(data, &m) != nil || m.Kind != kindStart {
				return
			}
			if at, err := read[instant](&m); err == nil {
				mu.Lock()
				instants[i] = clock.at(at.At)
				mu.Unlock()
			}
		}
	}
	res, err := k.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.wait()...); err != nil {
		t.Error(err)
	}
	if res.Total.Sent != 301 || res.Total.Ended.Reply != 301 || len(res.Ledger.Differences) > 0 {
		t.Errorf("%d sent, %+v, %v", res.Total.Sent, res.Total.Ended, res.Ledger.Differences)
	}
	for i := range res.Workers {
		w, way := &res.Workers[i], ways[i]
		known := time.Duration(w.Error) * time.Microsecond
		if half := (way.out + way.in) / 2; known < half {
			t.Errorf("%s: its clock is said to be known to %s, and its round trip takes %s", w.Name, known, 2*half)
		}
		if wrong := instants[i].Sub(res.Started); max(wrong, -wrong) > known {
			t.Errorf("%s was told an instant that is %s from the true one, known to %s", w.Name, wrong, known)
		}
	}
}

// A side that is cut off while the load runs ends it everywhere: no side waits for another for long, and no call is left.
func TestCutOff(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	config := bench.Config{Workload: bench.WorkloadCalls, Rate: 50, Duration: bench.Duration(time.Hour), Hold: bench.Duration(time.Hour), Nodes: 3}
	for name, side := range map[string]func(k *crew) *end{
		"a worker":        func(k *crew) *end { return k.ends[1] },
		"the coordinator": func(k *crew) *end { return k.center },
	} {
		t.Run(name, func(t *testing.T) {
			k := newCrew(t, 3, config)
			var cut time.Time
			k.options.Live = func(w *report.Whole, _ []Now) {
				if w.At > 0.5 && cut.IsZero() {
					cut = time.Now()
					side(k).cut.Store(true)
				}
			}
			res, err := k.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if res.Verdict != bench.Invalid || !res.Partial || !strings.Contains(res.Ended, "was lost") || res.Total.Sent == 0 {
				t.Errorf("%s, partial %v, ended by %q, %d sent", res.Verdict, res.Partial, res.Ended, res.Total.Sent)
			}
			alone := 0
			for _, err := range k.wait() {
				if errors.Is(err, ErrAlone) {
					alone++
				} else if !errors.Is(err, ErrEnded) {
					t.Errorf("a worker ended with %v", err)
				}
			}
			if want := map[string]int{"a worker": 1, "the coordinator": 3}[name]; alone != want {
				t.Errorf("%d workers found out by themselves, want %d", alone, want)
			}
			if took := time.Since(cut); took > 20*time.Second { // three seconds on an idle machine
				t.Errorf("it took %s", took)
			}
		})
	}
}

// An interrupt ends the load gracefully, and a condition on the figures of all does too.
func TestEndsEarly(t *testing.T) {
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		k := newCrew(t, 2, bench.Config{Rate: 200, Duration: bench.Duration(time.Hour), Nodes: 2})
		k.options.Live = func(w *report.Whole, _ []Now) {
			if w.At > 0.3 {
				cancel()
			}
		}
		res, err := k.run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		k.wait()
		if !res.Partial || res.Ended != "interrupted" || len(res.Ledger.Differences) > 0 || res.Total.Sent != res.Total.Ended.Total() {
			t.Errorf("partial %v by %q, %v, %d sent, %d ended", res.Partial, res.Ended, res.Ledger.Differences, res.Total.Sent, res.Total.Ended.Total())
		}
	})
	t.Run("a condition", func(t *testing.T) {
		k := newCrew(t, 2, bench.Config{Rate: 200, Duration: bench.Duration(time.Hour), Nodes: 2, AbortIf: []string{"replies>150"}})
		res, err := k.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		k.wait()
		if !res.Partial || !strings.Contains(res.Ended, "replies>150") || res.Total.Ended.Reply < 150 {
			t.Errorf("partial %v by %q with %d replies", res.Partial, res.Ended, res.Total.Ended.Reply)
		}
	})
}

// Whoever cannot take part, or may not, ends the run before it begins, and is told why.
func TestCannotTakePart(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := bench.Config{Actions: 10, Nodes: 2}
	t.Run("it refuses", func(t *testing.T) {
		k := newCrew(t, 2, c)
		k.workers[1].Launch = func(context.Context, bench.Config, []Target) (bench.Launch, error) {
			return bench.Launch{}, errors.New("not here")
		}
		_, err := k.run(t.Context())
		if refused := new(RefusedError); !errors.As(err, &refused) || refused.Worker != "w2" || refused.Message != "not here" {
			t.Errorf("%v", err)
		}
		k.wait()
	})
	t.Run("too few files", func(t *testing.T) {
		c := c
		c.Nodes, c.Sessions = 2, 1<<22
		k := newCrew(t, 2, c)
		if _, err := k.run(t.Context()); !errors.As(err, new(*RefusedError)) {
			t.Errorf("%v", err)
		}
		k.wait()
	})
	t.Run("another version", func(t *testing.T) {
		k := newCrew(t, 1, c) // the other one has not come yet: nobody would tell it that the run was given up
		k.options.Workers = 2
		k.workers[0].Version = "other"
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		said := ""
		k.options.Say = func(text string) { said = text; cancel() }
		if _, err := k.run(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(said, "is amictl other") {
			t.Errorf("%v, %q", err, said)
		}
		if errs := k.wait(); !errors.As(errors.Join(errs...), new(*TurnedAwayError)) {
			t.Errorf("the worker ended with %v", errs)
		}
	})
	t.Run("the plan was changed on the way", func(t *testing.T) {
		k := newCrew(t, 2, c)
		k.center.change = func(data []byte) []byte {
			return []byte(strings.ReplaceAll(string(data), `"actions":10,`, `"actions":99,`))
		}
		_, err := k.run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "digest") {
			t.Errorf("%v", err)
		}
		k.wait()
	})
}

// A worker that lies about what it sent is found out.
func TestLiarIsFound(t *testing.T) {
	k := newCrew(t, 2, bench.Config{Actions: 1000, Nodes: 2})
	k.ends[1].change = func(data []byte) []byte {
		return []byte(strings.Replace(string(data), `"name":"ping","sent":`, `"name":"ping","sent":1`, 1))
	}
	res, err := k.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k.wait()
	if res.Verdict != bench.Invalid || !strings.Contains(strings.Join(res.Reasons, " "), "worker w2") {
		t.Errorf("%s: %v", res.Verdict, res.Reasons)
	}
}
