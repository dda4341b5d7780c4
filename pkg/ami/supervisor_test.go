package ami

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A life is one thing that happened to a node: how long after the last thing, how its session or dial ended, and how
// long it had been ready (negative: never).
type life struct {
	up      time.Duration
	planned bool
	cause   error
}

// An outcome is what a supervisor decided, with random = 1-ε: the longest wait there is.
type outcome struct {
	State State
	Wait  time.Duration
}

var (
	errDial    = &OpError{Op: "dial", Err: errors.New("refused")}
	errRefused = &OpError{Op: "login", Err: ErrUnauthorized}
	errLost    = fmt.Errorf("%w: reset", ErrDisconnected)
)

func never(cause error) life { return life{up: -1, cause: cause} }

func decide(t *testing.T, random float64, lives []life) []outcome {
	t.Helper()
	cfg, err := Config{Addr: "pbx:5038", Redial: Redial{BreakerFailures: 3}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := supervisor{cfg: &cfg}
	now := time.Unix(1_000_000, 0)
	var got []outcome
	for _, l := range lives {
		if l.up >= 0 {
			s.ready(now)
			now = now.Add(l.up)
		}
		if l.planned {
			s.shutdown()
		}
		state, wait := s.failed(now, l.cause, random)
		got = append(got, outcome{state, wait})
		now = now.Add(wait)
	}
	return got
}

func TestSupervisorDecisions(t *testing.T) {
	const ms, s, m = time.Millisecond, time.Second, time.Minute
	b := func(d time.Duration) outcome { return outcome{StateBackoff, d} }
	open := outcome{StateBreakerOpen, 30 * s}
	for _, tt := range []struct {
		name  string
		lives []life
		want  []outcome
	}{
		{
			"the backoff doubles, then the breaker is the backoff",
			[]life{never(errDial), never(errDial), never(errDial), never(errDial), never(errDial)},
			[]outcome{b(100 * ms), b(200 * ms), open, open, open},
		},
		{
			"a session that stayed up starts anew",
			[]life{never(errDial), never(errDial), {up: 10 * s, cause: errLost}, never(errDial)},
			[]outcome{b(100 * ms), b(200 * ms), b(100 * ms), b(100 * ms)},
		},
		{
			"a session that did not stay up is a failure like any other",
			[]life{{up: 9 * s, cause: errLost}, {up: 0, cause: errLost}, {up: s, cause: errLost}, {up: s, cause: errLost}},
			[]outcome{b(100 * ms), b(200 * ms), open, open},
		},
		{
			"the probe of an open breaker that succeeds and stays closes it",
			[]life{never(errDial), never(errDial), never(errDial), {up: m, cause: errLost}, never(errDial), never(errDial), never(errDial)},
			[]outcome{b(100 * ms), b(200 * ms), open, b(100 * ms), b(100 * ms), b(200 * ms), open},
		},
		{
			"a probe that fails opens it again at once, whatever it was that failed",
			[]life{never(errDial), never(errDial), never(errDial), {up: s, cause: errLost}, never(errDial)},
			[]outcome{b(100 * ms), b(200 * ms), open, open, open},
		},
		{
			"a refused login has its own, much slower clock",
			[]life{never(errRefused), never(errRefused), never(errRefused), never(errRefused), never(errRefused), never(errRefused), never(errRefused)},
			[]outcome{b(30 * s), b(m), b(2 * m), b(4 * m), b(8 * m), b(10 * m), b(10 * m)},
		},
		{
			"a refused login does not open the breaker, nor a network failure quicken the login's clock",
			[]life{never(errRefused), never(errDial), never(errRefused), never(errDial), never(errRefused)},
			[]outcome{b(30 * s), b(100 * ms), b(m), b(200 * ms), b(2 * m)},
		},
		{
			"an accepted login starts the login's clock anew",
			[]life{never(errRefused), never(errRefused), {up: m, cause: errLost}, never(errRefused)},
			[]outcome{b(30 * s), b(m), b(100 * ms), b(30 * s)},
		},
		{
			"a planned restart is no failure, however short the session was, nor are the dials while it restarts",
			[]life{never(errDial), {up: s, planned: true, cause: errLost}, never(errDial), never(errDial)},
			[]outcome{b(100 * ms), b(200 * ms), b(200 * ms), b(200 * ms)},
		},
		{
			"but a server that announces its end every time is one that drops",
			[]life{{up: 0, planned: true, cause: errLost}, {up: 0, planned: true, cause: errLost}, {up: s, planned: true, cause: errLost}, {up: s, planned: true, cause: errLost}},
			[]outcome{b(100 * ms), b(100 * ms), b(200 * ms), open},
		},
		{
			"until a session stayed up",
			[]life{{up: 0, planned: true, cause: errLost}, {up: m, cause: errLost}, {up: 0, planned: true, cause: errLost}, never(errDial)},
			[]outcome{b(100 * ms), b(100 * ms), b(100 * ms), b(100 * ms)},
		},
		{
			"a plan of an earlier session is over",
			[]life{{up: m, planned: true, cause: errLost}, {up: s, cause: errLost}, {up: s, cause: errLost}},
			[]outcome{b(100 * ms), b(100 * ms), b(200 * ms)},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := decide(t, 1, tt.lives)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
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

// The waits of nodes that failed together are spread over the whole backoff, the breaker's over its second half.
func TestWaitsAreSpread(t *testing.T) {
	lo := decide(t, 0, []life{never(errDial), never(errDial), never(errDial), never(errRefused)})
	want := []outcome{{StateBackoff, 0}, {StateBackoff, 0}, {StateBreakerOpen, 15 * time.Second}, {StateBackoff, 15 * time.Second}}
	if diff := cmp.Diff(want, lo); diff != "" {
		t.Errorf("shortest waits (-want +got):\n%s", diff)
	}
}

// A server that announces its end in every session, as soon as it is ready, must not be called in a loop.
func TestSupervisorShutdownLoop(t *testing.T) {
	lives := make([]life, 100)
	for i := range lives {
		lives[i] = life{up: 0, planned: true, cause: errLost}
	}
	var total time.Duration
	for _, o := range decide(t, 0.5, lives) {
		total += o.Wait
	}
	if total < 2*time.Minute {
		t.Errorf("100 sessions that were announced over at once take %v of waiting: that is a loop", total)
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
