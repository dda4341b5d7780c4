package proof

import (
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// endWithin is how long after a side is lost everything has ended. On a machine that does other work it takes longer.
var endWithin = times(20*time.Second, 3*time.Second)

// standstill is how long a side stands still.
var standstill = times(3*time.Second, 10*time.Second)

// A loss is how a side of a load is lost.
type loss string

const (
	killed     loss = "killed"
	standing   loss = "stands still"
	cutOff     loss = "cut off"
	instantMax      = 2 * time.Second // after the load is under way; a loss is at any moment until then
)

// Whichever side of a load is lost in whichever way, at whatever moment: it is over everywhere within three seconds, with status 98,
// no call is left up on a server, and no process.
func TestLost(t *testing.T) {
	for _, worker := range []bool{true, false} {
		for _, how := range []loss{killed, standing} {
			t.Run(side(worker)+" of one host "+string(how), func(t *testing.T) { each(t, func(t *testing.T) figures { return lostHere(t, worker, how) }) })
		}
		for _, how := range []loss{killed, standing, cutOff} {
			t.Run(side(worker)+" of several hosts "+string(how), func(t *testing.T) {
				each(t, func(t *testing.T) figures { return lostElsewhere(t, worker, how) })
			})
		}
	}
}

func side(worker bool) string {
	if worker {
		return "a worker"
	}
	return "the coordinator"
}

// figures are how long after the loss the others' processes and the last call had ended.
type figures struct{ processes, calls time.Duration }

// each tries a loss at several instants, and says how long its ends took.
func each(t *testing.T, lose func(*testing.T) figures) {
	t.Parallel()
	var most figures
	n := times(1, 10)
	for range n {
		f := lose(t)
		if t.Failed() {
			return
		}
		most = figures{max(most.processes, f.processes), max(most.calls, f.calls)}
	}
	t.Logf("FIGURES %s, %d times: all processes ended within %.1f s, all calls within %.1f s", strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestLost/"), "_", " "), n, most.processes.Seconds(), most.calls.Seconds())
	if most.processes > endWithin || most.calls > endWithin {
		t.Errorf("that is longer than %s", endWithin)
	}
}

// random chooses instants. Its seed is the time, and told.
func random(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any will do
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // of a test
}

// silence waits until the servers have no channel, and watches that there comes no new one. It returns when the last was gone. Any
// goroutine may call it.
func (l *load) silence() time.Time {
	l.t.Helper()
	for limit := time.Now().Add(patience); l.channels() > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			l.t.Errorf("%d channels are up after %s", l.channels(), patience)
			return time.Now()
		}
	}
	at := time.Now()
	for time.Since(at) < 500*time.Millisecond {
		if n := l.channels(); n > 0 {
			l.t.Errorf("%d channels came when all were gone", n)
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return at
}

// invalid checks what a coordinator says of a load that a worker was lost of.
func (l *load) invalid() {
	l.t.Helper()
	status, r := l.coordinator.status(), l.coordinator.result()
	if status != 98 || r.Verdict != bench.Invalid || !r.Partial || r.Total.Sent == 0 || !strings.Contains(strings.Join(r.Reasons, " "), "was lost") {
		l.t.Errorf("status %d, %s, partial %v, %d sent: %s", status, r.Verdict, r.Partial, r.Total.Sent, l.coordinator.errs.String())
	}
}

func lostHere(t *testing.T, worker bool, how loss) (f figures) {
	l := here(t, endlessCalls()...)
	l.underWay()
	r := random(t)
	time.Sleep(time.Duration(r.Int64N(int64(instantMax))))
	workers := l.coordinator.children()
	if len(workers) != 2 {
		t.Fatalf("workers %v: %s", workers, l.coordinator.errs.String())
	}
	victim, signal := l.coordinator.Process.Pid, syscall.SIGKILL
	if worker {
		victim = workers[r.IntN(2)]
	}
	if how == standing {
		signal = syscall.SIGSTOP
	}
	struck := time.Now()
	if err := syscall.Kill(victim, signal); err != nil {
		t.Fatal(err)
	}
	var gone sync.WaitGroup
	gone.Go(func() { f.calls = l.silence().Sub(struck) })
	for _, w := range workers {
		soon(t, "the workers are gone", func() bool { return !alive(w) })
	}
	f.processes = time.Since(struck)
	gone.Wait()
	if !worker {
		time.Sleep(time.Until(struck.Add(standstill)))
		_ = syscall.Kill(victim, syscall.SIGCONT)
	} else {
		l.coordinator.status()
		f.processes = max(f.processes, l.coordinator.at.Sub(struck))
	}
	if worker || how == standing {
		l.invalid()
	}
	l.coordinator.status()
	return f
}

func lostElsewhere(t *testing.T, worker bool, how loss) (f figures) {
	lan := newLAN(t, 3)
	l := elsewhere(t, lan, []way{{}, {}}, endlessCalls()...)
	l.underWay()
	r := random(t)
	time.Sleep(time.Duration(r.Int64N(int64(instantMax))))
	host := 0
	if worker {
		host = 1 + r.IntN(2)
	}
	sides := append([]*process{l.coordinator}, l.workers...)
	victim := sides[host]
	struck := time.Now()
	switch how {
	case killed:
		victim.signal(syscall.SIGKILL)
	case standing:
		victim.signal(syscall.SIGSTOP)
	case cutOff:
		lan.cut(host)
	}
	var gone sync.WaitGroup
	gone.Go(func() { f.calls = l.silence().Sub(struck) })
	for i, p := range sides {
		if i == host && how == standing {
			continue
		}
		status := p.status()
		if want := map[bool]int{true: -1, false: 98}[i == host && how == killed]; status != want {
			t.Errorf("side %d of 3 ended with %d, not %d, when side %d was %s: %s", i, status, want, host, how, p.errs.String())
		}
		f.processes = max(f.processes, p.at.Sub(struck))
	}
	gone.Wait()
	if how == standing {
		time.Sleep(time.Until(struck.Add(standstill)))
		again := time.Now()
		victim.signal(syscall.SIGCONT)
		if status := victim.status(); status != 98 {
			t.Errorf("having stood still, side %d ended with %d: %s", host, status, victim.errs.String())
		}
		f.processes = max(f.processes, victim.at.Sub(again))
		l.silence()
	}
	if worker || how != killed {
		l.invalid()
	}
	return f
}

// A worker that stands still for a second is waited for, and the result says so.
func TestAPauseIsSurvived(t *testing.T) {
	t.Parallel()
	for range times(1, 10) {
		l := here(t, endlessCalls()...)
		l.underWay()
		r := random(t)
		time.Sleep(time.Duration(r.Int64N(int64(instantMax))))
		w := l.coordinator.children()[r.IntN(2)]
		_ = syscall.Kill(w, syscall.SIGSTOP)
		time.Sleep(time.Second)
		_ = syscall.Kill(w, syscall.SIGCONT)
		time.Sleep(time.Second)
		l.coordinator.signal(syscall.SIGINT)
		res := l.coordinator.result()
		if !strings.Contains(strings.Join(res.Notes, " "), "was not heard from for ") || len(res.Nodes) != 2 || res.Ended != "interrupted" {
			t.Errorf("notes %q, %d nodes, ended by %q: %v", res.Notes, len(res.Nodes), res.Ended, res.Reasons)
		}
		l.silence()
	}
}

// A coordinator that stands still for a second loses nobody, and the result says for how long it was not heard.
func TestACoordinatorsPauseIsSurvived(t *testing.T) {
	t.Parallel()
	for range times(1, 10) {
		l := here(t, endlessCalls()...)
		l.underWay()
		time.Sleep(time.Duration(random(t).Int64N(int64(instantMax))))
		l.coordinator.signal(syscall.SIGSTOP)
		time.Sleep(time.Second)
		l.coordinator.signal(syscall.SIGCONT)
		time.Sleep(time.Second)
		l.coordinator.signal(syscall.SIGINT)
		res := l.coordinator.result()
		if !strings.Contains(strings.Join(res.Notes, " "), "did not hear the coordinator for ") || len(res.Nodes) != 2 || res.Ended != "interrupted" {
			t.Errorf("notes %q, %d nodes, ended by %q: %v", res.Notes, len(res.Nodes), res.Ended, res.Reasons)
		}
		l.silence()
	}
}
