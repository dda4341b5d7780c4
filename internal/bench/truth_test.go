package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// scripted is an Engine whose answers come after a delay that a function gives, in the time of a synctest bubble.
type scripted struct {
	mu     sync.Mutex
	lanes  []laneName
	ready  func(lane int) bool
	answer func(lane int) (time.Duration, endKind) // of what is submitted now
	refuse func(lane int) bool
	books  []Books
}

func newScripted(nodes int) *scripted {
	e := &scripted{books: make([]Books, nodes)}
	for i := range nodes {
		name := fmt.Sprintf("n%d", i+1)
		e.lanes = append(e.lanes, laneName{name, name})
	}
	e.answer = func(int) (time.Duration, endKind) { return time.Millisecond, endReply }
	return e
}

func (e *scripted) Lanes() []laneName   { return e.lanes }
func (e *scripted) Ready(lane int) bool { return e.ready == nil || e.ready(lane) }
func (e *scripted) NewBatch() batch     { return &loginBatch{wake: make(chan struct{}, 1)} }

func (e *scripted) Submit(lane int, _ *action, b batch, f flight) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := &e.books[lane]
	k.Submitted++
	if e.refuse != nil && e.refuse(lane) {
		k.Rejected++
		return false
	}
	k.Accepted++
	k.InFlight++
	d, kind := e.answer(lane)
	start := time.Now()
	time.AfterFunc(d, func() {
		e.mu.Lock()
		k.InFlight--
		end := ending{Flight: f, Kind: kind}
		switch kind {
		case endReply:
			k.Replied++
			end.Received, end.Service = time.Now(), time.Since(start)
		case endTimeout:
			k.TimedOut++
		default:
			k.DisconnectedMaybe++
		}
		e.mu.Unlock()
		b.(*loginBatch).put(end)
	})
	return true
}

func (e *scripted) Login(context.Context, int) endKind { return endUnsent }
func (e *scripted) Stream() (stream, error)            { return nil, errors.New("no stream") }
func (e *scripted) Drain(context.Context) error        { return nil }
func (e *scripted) Close() error                       { return nil }
func (e *scripted) Stats(lane int) laneStats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return laneStats{Books: e.books[lane], Ready: true}
}

// drive runs a load, or a part of one, on a scripted engine.
func drive(t *testing.T, ctx context.Context, e *scripted, c Config, live func(*Interval)) *Result {
	t.Helper()
	return drivePart(t, ctx, e, c, live, nil)
}

func drivePart(t *testing.T, ctx context.Context, e *scripted, c Config, live func(*Interval), part *Part) *Result {
	t.Helper()
	c.Target, c.Nodes, c.Mix = "servers", len(e.lanes), "ping"
	c.Defaults()
	mix, err := parseMix("ping")
	if err != nil {
		t.Fatal(err)
	}
	thresholds, err := ParseThresholds(c.FailIf, false)
	if err != nil {
		t.Fatal(err)
	}
	abort, err := ParseThresholds(c.AbortIf, false)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Config: c, Seed: 1, ID: "x", Mix: mix, Engine: e, Live: live, Thresholds: thresholds, AbortIf: abort, Part: part}
	res, err := r.Do(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// An open loop whose next arrival is far away heard nothing until then: an interrupt waited for it.
func TestAnInterruptDoesNotWaitForTheNextArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		drive(t, ctx, newScripted(1), Config{Rate: 0.001, Duration: Duration(time.Hour)}, nil)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("an interrupt after 1 s ended the run after %v", d)
		}
	})
}

// A part that was abandoned and interrupted at the same moment, as a worker that finds itself alone is, waited for what was in flight
// if it heard of the interrupt last.
func TestAnInterruptDoesNotMakeAnAbandonedPartWait(t *testing.T) {
	for range 20 { // which one is heard last is chance
		synctest.Test(t, func(t *testing.T) {
			c := Config{Rate: 100, Duration: Duration(time.Hour), Sessions: 1, Nodes: 1}
			segments, err := c.Cut([]string{"n1"}, 1)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			abandon := make(chan struct{})
			time.AfterFunc(time.Second, func() { close(abandon); cancel() })
			e := newScripted(1)
			e.answer = func(int) (time.Duration, endKind) { return time.Hour, endTimeout }
			start := time.Now()
			drivePart(t, ctx, e, c, nil, &Part{
				Segment: segments[0], Start: alreadyStarted, Started: func(time.Time) {}, Stretch: func(*Stretch) {}, Abandon: abandon,
			})
			if d := time.Since(start); d > 2*time.Second {
				t.Fatalf("abandoned after 1 s, it ended after %v", d)
			}
		})
	}
}

// A schedule that nobody can follow was worked off in one turn, under the worker's lock: nothing was collected, no
// stretch reported, and an interrupt not heard.
func TestAnInterruptIsHeardWhenTheGeneratorIsBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(1500*time.Millisecond, cancel)
	var stages []Stage
	for range 80 {
		stages = append(stages, Stage{For: Duration(100 * time.Millisecond), Rate: maxRate, Step: true})
	}
	res := drive(t, ctx, newScripted(1), Config{Stages: stages, Backlog: 10, Timeout: Duration(time.Millisecond)}, nil)
	// What was due by then is under a fifth of the schedule; a run that does not listen works off all of it.
	const all = 80 * maxRate / 10
	if done := res.Total.Ended.Total(); done == 0 || done > all/2 {
		t.Errorf("an interrupt after 1.5 s of 8 left %d of %.0f arrivals worked off", done, float64(all))
	}
}

// The rate was of the time until the last answer, so that servers which died early had a fine one.
func TestTheRateCountsTheTimeInWhichNobodyAnswered(t *testing.T) {
	for name, c := range map[string]Config{
		"closed": {Duration: Duration(10 * time.Second), Concurrency: 1},
		"open":   {Duration: Duration(10 * time.Second), Rate: 100},
		"count":  {Actions: 1005, Concurrency: 1, Timeout: Duration(time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				e := newScripted(1)
				e.answer = func(int) (time.Duration, endKind) {
					if time.Since(start) > time.Second {
						return time.Second, endTimeout
					}
					return time.Millisecond, endReply
				}
				res := drive(t, t.Context(), e, c, nil)
				if res.Elapsed < 4 {
					t.Errorf("answered %d in the first second, timed out %d after it; measured %.1f s, rate %.0f/s",
						res.Total.Ended.Reply, res.Total.Ended.Timeout, res.Elapsed, res.Total.Rate)
				}
			})
		})
	}
}

// An open loop was idle while it should warm up.
func TestAnOpenLoopWarmsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var warm uint64
		res := drive(t, t.Context(), newScripted(1), Config{Rate: 100, Duration: Duration(2 * time.Second), WarmUp: Duration(3 * time.Second)},
			func(v *Interval) {
				if v.WarmUp {
					warm += v.Sent
				}
			})
		if warm < 290 || res.Total.Sent != 200 {
			t.Errorf("sent %d in a warm-up of 3 s at 100/s, and then %d in 2 s", warm, res.Total.Sent)
		}
	})
}

// What was due and never sent was no error, and its wait in no percentile.
func TestWhatIsNeverSentIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e := newScripted(2)
		e.ready = func(lane int) bool { return lane == 0 || time.Since(start) < 10*time.Millisecond }
		res := drive(t, t.Context(), e, Config{Rate: 1000, Duration: Duration(8 * time.Second), FailIf: []string{"errors>1%", "p99>50ms"}}, nil)
		t.Log(res.Verdict, res.Reasons)
		if res.Verdict == Pass {
			t.Errorf("%s: %d of 8000 sent, %d dropped, errors %v, p99 %s", res.Verdict, res.Total.Sent, res.Lag.Dropped, res.Metrics["errors"], FormatMicros(res.Total.P99))
		}
	})
}

// Half of the servers never took part, and every threshold held.
func TestANodeThatWasNeverReadyIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newScripted(2)
		e.ready = func(lane int) bool { return lane == 0 }
		res := drive(t, t.Context(), e, Config{FailIf: []string{"errors>0", "p99>50ms", "starvation>1s"}}, nil)
		if res.Verdict == Pass {
			t.Errorf("%s with %+v", res.Verdict, res.Notes)
		}
	})
}

// A closed loop's outage: sessions are lost, callers wait, nothing is in flight.
func TestAnOutageOfAClosedLoopIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e := newScripted(1)
		e.ready = func(int) bool { d := time.Since(start); return d < time.Second || d > 4*time.Second }
		res := drive(t, t.Context(), e, Config{Duration: Duration(5 * time.Second), FailIf: []string{"errors>0", "p99.9>50ms", "max>50ms", "starvation>1s"}}, nil)
		if res.Verdict == Pass {
			t.Errorf("%s: away for 3 of 5 s; max %s, starvation %d µs", res.Verdict, FormatMicros(res.Total.Max), res.Fairness.Starvation)
		}
	})
}

// A refused arrival was booked again at each try.
func TestARefusedArrivalIsBookedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e := newScripted(1)
		e.refuse = func(int) bool { return time.Since(start) < time.Second }
		res := drive(t, t.Context(), e, Config{Rate: 100, Duration: Duration(2 * time.Second)}, nil)
		if res.Total.Sent > 300 {
			t.Errorf("200 arrivals: sent %d, rejected %d, replied %d", res.Total.Sent, res.Total.Ended.Rejected, res.Total.Ended.Reply)
		}
	})
}

// More callers than the window were silently cut to it, and the report named the number asked for.
func TestCallersAreWhatWasAskedFor(t *testing.T) {
	c := Config{Concurrency: 1000, Nodes: 1}
	c.Defaults()
	err := c.Validate()
	if got := c.Callers(); err == nil && got != 1000 {
		t.Errorf("1000 callers asked for, %d used", got)
	}
}

// A light node beside a heavy one got nothing at all.
func TestArrivalsReachLightNodes(t *testing.T) {
	heavy, light := &nodeRecord{weight: 1000}, &nodeRecord{weight: 1}
	order := arrivals([]*lane{{index: 0, node: heavy}, {index: 1, node: light}})
	n := 0
	for _, i := range order {
		n += i
	}
	if share := float64(n) / float64(len(order)); math.Abs(share*1001-1) > 0.1 {
		t.Errorf("share %g of %d arrivals, want 1/1001", share, len(order))
	}
}

// An odd number of stretches lost the newest when they were thinned.
func TestThinningLosesNothing(t *testing.T) {
	in := make([]Interval, 5)
	for i := range in {
		in[i] = Interval{At: float64(i + 1), Length: 1, Sent: 1, InFlight: uint64(5 - i), RSS: Bytes(5 - i)}
	}
	var sent uint64
	var length float64
	for _, v := range thin(in) {
		sent += v.Sent
		length += v.Length
	}
	if sent != 5 || length != 5 {
		t.Errorf("5 stretches of 1 s with one action each: %d actions in %g s", sent, length)
	}
}

// Conditions on what a run does not look at held.
func TestWhatWasNotLookedAtIsNotMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newScripted(1)
		res := drive(t, t.Context(), e, Config{Duration: Duration(time.Second), FailIf: []string{"drops>0", "drops_all>0", "gaps>0"}}, nil)
		for _, j := range res.Thresholds {
			if !j.Absent {
				t.Errorf("a run without a stream of events says %s: %s, failed %t", j.Threshold, j.Value, j.Failed)
			}
		}
	})
	r := Result{Events: &Events{}, Config: Config{Workload: WorkloadEvents}, Nodes: []NodePart{{Condition: "healthy", Weight: 1}}}
	r.Fairness = Judge([]NodePart{nodePart("a", "healthy", 1, 0)})
	if v, ok := r.metrics()["event_starvation"]; ok {
		t.Errorf("without numbered events event_starvation is %v", v)
	}
	r.Fairness = Judge([]NodePart{nodePart("a", "slow", 1, 0)})
	if v, ok := r.metrics()["starvation"]; ok {
		t.Errorf("without a healthy node starvation is %v", v)
	}
}

// --abort-if was judged before anything was measured.
func TestAbortIfWaitsForTheWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := drive(t, t.Context(), newScripted(1), Config{
			Duration: Duration(3 * time.Second), WarmUp: Duration(3 * time.Second), AbortIf: []string{"rate<10"},
		}, nil)
		if res.Partial {
			t.Errorf("ended by %q", res.Ended)
		}
	})
}

// An aborted run in which nothing was answered held its thresholds.
func TestAnAbortedRunWithoutAnswersIsInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newScripted(1)
		e.answer = func(int) (time.Duration, endKind) { return time.Second, endTimeout }
		res := drive(t, t.Context(), e, Config{
			Duration: Duration(30 * time.Second), AbortIf: []string{"timeouts>50"}, FailIf: []string{"disconnects>0"},
		}, nil)
		if res.Verdict.ExitStatus() == 0 {
			t.Errorf("%s: %d answered, %d timed out, ended by %q", res.Verdict, res.Total.Answered(), res.Total.Ended.Timeout, res.Ended)
		}
	})
}

// The events of the warm-up were in the events' percentiles, drops and rate.
func TestTheWarmUpsEventsAreNotMeasured(t *testing.T) {
	r := &run{epoch: time.Now(), lanes: []*lane{{}}, Config: Config{EventRate: 10}, warm: time.Second}
	tp := newTap(r, nil)
	for i := range 40 { // the first ten in the warm-up, and slow
		at, took := r.epoch.Add(time.Duration(i)*100*time.Millisecond), time.Millisecond
		if i < 10 {
			took = 800 * time.Millisecond
		}
		dec := wire.NewDecoder(wire.Limits{})
		dec.Feed(fmt.Appendf(nil, "Event: UserEvent\r\nUserEvent: %s\r\n%s: %d\r\n%s: %d\r\n\r\n",
			numberedEvent, headerSeq, i+1, headerSent, at.Add(-took).UnixNano()))
		m, err := dec.Next()
		if err != nil {
			t.Fatal(err)
		}
		d := delivery{Message: &m}
		tp.take(&d, at)
	}
	if got := tp.latency.Max(); got > 2000 {
		t.Errorf("the slowest event took %d µs, that of the warm-up", got)
	}
	if e := tp.result(4 * time.Second); math.Abs(e.Rate-10) > 0.5 {
		t.Errorf("rate %g", e.Rate)
	}
}
