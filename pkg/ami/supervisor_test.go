package ami

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A life is one attempt of a node's: how long it took to fail, or how long its session was ready, and why it ended.
type life struct {
	took  time.Duration // of the dial
	up    time.Duration // negative: never ready
	cause error
}

// An outcome is what a supervisor decided, with random = 1-ε: the longest wait there is.
type outcome struct {
	State State
	Wait  time.Duration
}

var (
	errDial     = &OpError{Op: "dial", Err: errors.New("refused")}
	errRefused  = &OpError{Op: "login", Err: ErrUnauthorized}
	errStopping = &OpError{Op: "login", Err: ErrStopping}
	errInUse    = &OpError{Op: "login", Err: ErrLoginInUse}
	errLost     = fmt.Errorf("%w: reset", ErrDisconnected)
)

func never(cause error) life { return life{up: -1, cause: cause} }

func hung(d time.Duration) life { return life{took: d, up: -1, cause: errDial} }

func repeat(n int, l life) []life {
	lives := make([]life, n)
	for i := range lives {
		lives[i] = l
	}
	return lives
}

// An history is a supervisor that lives through what a table says.
type history struct {
	sup supervisor
	now time.Time
}

func newHistory(t *testing.T) *history {
	t.Helper()
	cfg, err := Config{Addr: "pbx:5038"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &history{sup: supervisor{cfg: &cfg}, now: time.Unix(1_000_000, 0)}
}

func (h *history) live(l life, random float64) outcome {
	h.sup.dialing(h.now)
	h.now = h.now.Add(l.took)
	if l.up >= 0 {
		h.sup.ready(h.now)
		h.now = h.now.Add(l.up)
	}
	state, wait := h.sup.failed(h.now, l.cause, random)
	h.now = h.now.Add(wait)
	return outcome{state, wait}
}

func decide(t *testing.T, random float64, lives []life) []outcome {
	t.Helper()
	h := newHistory(t)
	var got []outcome
	for _, l := range lives {
		got = append(got, h.live(l, random))
	}
	return got
}

// waits are the outcomes of several lives in the same state.
func waits(in State, ds ...time.Duration) (out []outcome) {
	for _, d := range ds {
		out = append(out, outcome{in, d})
	}
	return out
}

func backoff(ds ...time.Duration) []outcome { return waits(StateBackoff, ds...) }

func breakerOpen(ds ...time.Duration) []outcome { return waits(StateBreakerOpen, ds...) }

func stopping(ds ...time.Duration) []outcome { return waits(StateStopping, ds...) }

// quick are the outcomes while redials are two seconds apart.
func quick(n int) []outcome { return backoff(times(n, 2*second)...) }

func join(all ...[]outcome) (out []outcome) {
	for _, a := range all {
		out = append(out, a...)
	}
	return out
}

const milli, second, minute = time.Millisecond, time.Second, time.Minute

var firstBackoffs = backoff(100*milli, 200*milli, 400*milli, 800*milli, 1600*milli) // 3.1 s

// supervisorDecisions are lives, and how long the supervisor waits behind each, as what.
var supervisorDecisions = []struct {
	name  string
	lives []life
	want  []outcome
}{
	{
		"for half a minute redials are two seconds apart at most, then the backoff grows",
		repeat(5+14+6, never(errDial)),
		join(firstBackoffs, quick(14), breakerOpen(4*second, 8*second, 16*second, 30*second, 30*second, 30*second)),
	},
	{
		"a dial that hangs adds nothing to the two seconds between",
		[]life{hung(300 * milli), hung(5 * second), hung(5 * second), hung(1900 * milli), hung(5 * second)},
		backoff(100*milli, 100*milli, 100*milli, 100*milli, 100*milli),
	},
	{
		"a session that stayed up starts the backoff anew",
		[]life{never(errDial), never(errDial), {up: 10 * second, cause: errLost}, never(errDial)},
		backoff(100*milli, 200*milli, 100*milli, 100*milli),
	},
	{
		"one that did not stay up is a failure that the backoff remembers",
		[]life{{up: 9 * second, cause: errLost}, {up: 0, cause: errLost}, {up: second, cause: errLost}, {up: second, cause: errLost}},
		backoff(100*milli, 200*milli, 400*milli, 800*milli),
	},
	{
		"but it ends the absence: a server that is restarted again and again is away anew each time",
		join2(repeat(19, never(errDial)), repeat(30, life{up: 2 * second, cause: errLost})),
		join(firstBackoffs, quick(14), quick(30)),
	},
	{
		"however soon, if dials failed between",
		alternate(30, life{up: 0, cause: errLost}, never(errDial), never(errDial), never(errDial)),
		join(firstBackoffs, quick(115)),
	},
	{
		"one that greets and drops does not: that is a loop",
		repeat(22, life{up: 0, cause: errLost}),
		join(firstBackoffs, quick(14), breakerOpen(4*second, 8*second, 16*second)),
	},
	{
		"a server that is found behind an open breaker is found quickly the next time",
		join2(repeat(20, never(errDial)), []life{{up: minute, cause: errLost}, never(errDial)}),
		join(firstBackoffs, quick(14), breakerOpen(4*second), backoff(100*milli, 100*milli)),
	},
	{
		"a refused login has its own, much slower clock",
		repeat(7, never(errRefused)),
		backoff(30*second, minute, 2*minute, 4*minute, 8*minute, 10*minute, 10*minute),
	},
	{
		"a refused login is no absence, nor does a network failure quicken the login's clock",
		[]life{never(errRefused), never(errDial), never(errRefused), never(errDial), never(errRefused)},
		backoff(30*second, 100*milli, minute, 200*milli, 2*minute),
	},
	{
		"an accepted login starts the login's clock anew",
		[]life{never(errRefused), never(errRefused), {up: minute, cause: errLost}, never(errRefused)},
		backoff(30*second, minute, 100*milli, 30*second),
	},
	{
		"a server that is stopping is redialled as one that is away",
		repeat(5+14+2, never(errStopping)),
		join(stopping(100*milli, 200*milli, 400*milli, 800*milli, 1600*milli), stopping(times(14, 2*second)...), stopping(4*second, 8*second)),
	},
	{
		"so is one that may still hold a session of ours",
		repeat(5, never(errInUse)),
		firstBackoffs,
	},
}

func TestSupervisorDecisions(t *testing.T) {
	for _, tt := range supervisorDecisions {
		t.Run(tt.name, func(t *testing.T) {
			got := decide(t, 1, tt.lives)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

// alternate repeats lives in turn, n times each.
func alternate(n int, lives ...life) (all []life) {
	for range n {
		all = append(all, lives...)
	}
	return all
}

func times(n int, d time.Duration) (out []time.Duration) {
	for range n {
		out = append(out, d)
	}
	return out
}

func join2(a, b []life) []life { return append(append([]life(nil), a...), b...) }

// Whatever the jitter and however a dial ends, a server that is away for less than half a minute is dialled again
// within two seconds, or at once if the dial hung for longer; one that is away for longer within half a minute.
func TestRedialsAreCloseTogether(t *testing.T) {
	for _, random := range []float64{0.01, 0.3, 0.999999} {
		for _, took := range []time.Duration{time.Millisecond, time.Second, 1999 * time.Millisecond, 5 * time.Second, 20 * time.Second} {
			h := newHistory(t)
			h.live(life{up: time.Hour, cause: errLost}, random)
			lost := h.now
			for h.now.Sub(lost) < 10*time.Minute {
				began, away := h.now, h.now.Sub(lost)+took
				o := h.live(hung(took), random)
				most := max(2*time.Second, took+100*time.Millisecond)
				if away >= 30*time.Second {
					most = took + 30*time.Second
				}
				if apart := h.now.Sub(began); apart > most {
					t.Errorf("random %v, dials of %v: %v apart after %v (%v)", random, took, apart, away, o)
				}
			}
		}
	}
}

func TestJitterCap(t *testing.T) {
	const low, high = 100 * time.Millisecond, 30 * time.Second
	for n := 1; n <= 200; n++ {
		want := high
		if n <= 9 {
			want = min(high, low<<(n-1))
		}
		for _, share := range []float64{0, 0.25, 0.5, 0.999999} {
			d := jitter(low, high, n, share)
			if d < 0 || d > want {
				t.Errorf("jitter(%d, %v) = %v, over %v", n, share, d, want)
			}
			if exact := time.Duration(float64(want) * share); d != exact {
				t.Errorf("jitter(%d, %v) = %v, want %v: full jitter is a share of the whole", n, share, d, exact)
			}
		}
	}
}

// The waits of nodes that failed together are spread over the whole backoff, those of refused logins over its second half.
func TestWaitsAreSpread(t *testing.T) {
	lo := decide(t, 0, []life{never(errDial), never(errDial), hung(time.Minute), never(errRefused)})
	want := []outcome{{StateBackoff, 0}, {StateBackoff, 0}, {StateBreakerOpen, 0}, {StateBackoff, 15 * time.Second}}
	if diff := cmp.Diff(want, lo); diff != "" {
		t.Errorf("shortest waits (-want +got):\n%s", diff)
	}
}

// A server that drops every session as soon as it is ready must not be called in a loop.
func TestSupervisorDropLoop(t *testing.T) {
	var total time.Duration
	for _, o := range decide(t, 0.5, repeat(100, life{up: 0, cause: errLost})) {
		total += o.Wait
	}
	if total < 10*time.Minute {
		t.Errorf("100 sessions that were over at once take %v of waiting: that is a loop", total)
	}
}

// Waits without an end in sight do not turn into none.
func TestJitterDoesNotOverflow(t *testing.T) {
	for n, before := 1, time.Duration(0); n <= 100; n++ {
		d := jitter(time.Second, math.MaxInt64, n, 0.5)
		if d < before {
			t.Fatalf("the wait number %d is %v, behind %v", n, d, before)
		}
		before = d
	}
}
