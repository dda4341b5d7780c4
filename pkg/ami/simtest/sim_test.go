// Package simtest simulates the engine against many servers and many faults, in virtual time, from one seed.
//
// A seed decides how many nodes there are, how they are configured, what the callers and subscribers do and which
// faults strike when. It replays all of that; the order in which goroutines run it does not, so a seed that failed may
// need repeating:
//
//	go test ./pkg/ami/simtest -seed 17 -repeat
package simtest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// defaultSeeds is what a plain go test runs: some seconds.
const defaultSeeds = 60

var (
	seeds  = flag.Int("seeds", seedsFromEnvironment(), "how many seeds to run (AMICTL_SEEDS)")
	first  = flag.Uint64("first", 1, "the first of them")
	seed   = flag.Uint64("seed", 0, "run this seed alone")
	repeat = flag.Bool("repeat", false, "run -seed until it fails")
)

func seedsFromEnvironment() int {
	if n, err := strconv.Atoi(os.Getenv("AMICTL_SEEDS")); err == nil && n > 0 {
		return n
	}
	return defaultSeeds
}

// A tally adds up what all seeds did, so that a simulation which does nothing is seen.
type tally struct {
	mu      sync.Mutex
	seeds   int
	nodes   int
	actions uint64
	events  uint64
	gaps    uint64
	virtual time.Duration
	faults  map[string]int
	ends    map[string]uint64
}

func (y *tally) add(w *world, virtual time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.seeds++
	y.nodes += len(w.hosts)
	y.actions += w.books.ledger.Submitted
	y.events += w.seen.events.Load()
	y.gaps += w.seen.gaps.Load()
	y.virtual += virtual
	for kind, n := range w.faults {
		y.faults[kind] += n
	}
	l := w.books.ledger
	for end, n := range map[string]uint64{
		"rejected": l.Rejected, "replied": l.Replied, "error replies": l.ErrorReplies, "timed out": l.TimedOut,
		"cancelled": l.Cancelled, "unsent": l.DisconnectedUnsent, "maybe sent": l.DisconnectedMaybe,
	} {
		y.ends[end] += n
	}
}

func TestSimulation(t *testing.T) {
	total := tally{faults: map[string]int{}, ends: map[string]uint64{}}
	start := time.Now()
	switch {
	case *seed != 0:
		for i := 1; ; i++ {
			if !t.Run(fmt.Sprintf("seed=%d/%d", *seed, i), func(t *testing.T) { simulate(t, *seed, &total) }) || !*repeat {
				break
			}
		}
	default:
		t.Run("seeds", func(t *testing.T) {
			for i := range uint64(*seeds) {
				s := *first + i
				t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) {
					t.Parallel()
					simulate(t, s, &total)
				})
			}
		})
	}
	total.report(t, time.Since(start))
}

// simulate runs one seed in a bubble of its own.
func simulate(t *testing.T, s uint64, total *tally) {
	defer func() {
		if t.Failed() {
			t.Logf("to repeat it: go test ./pkg/ami/simtest -run TestSimulation -seed %d -repeat", s)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := newWorld(t, newPlan(s))
		w.run()
		total.add(w, time.Since(start))
	})
	t.Logf("seed %d is over", s) // of a crash, scripts/simulate names the seeds that were not
}

func (y *tally) report(t *testing.T, took time.Duration) {
	t.Logf("%d seeds, %d nodes, %d actions, %d events, %d gaps, %v of virtual time in %v", y.seeds, y.nodes, y.actions, y.events, y.gaps, y.virtual.Round(time.Second), took.Round(time.Millisecond))
	for _, counts := range []map[string]int{y.faults} {
		for _, kind := range slices.Sorted(maps.Keys(counts)) {
			t.Logf("fault %-12s %d", kind, counts[kind])
		}
	}
	for _, end := range slices.Sorted(maps.Keys(y.ends)) {
		t.Logf("end   %-14s %d", end, y.ends[end])
	}
	if *seed != 0 || y.seeds < defaultSeeds {
		return
	}
	// What does not happen is not tested.
	for _, kind := range faultKinds {
		if y.faults[kind.name] == 0 {
			t.Errorf("no fault of kind %q in %d seeds", kind.name, y.seeds)
		}
	}
	for end, n := range y.ends {
		if n == 0 {
			t.Errorf("no action ended as %q in %d seeds", end, y.seeds)
		}
	}
	if y.actions < uint64(y.seeds)*500 {
		t.Errorf("%d actions in %d seeds, want 500 a seed", y.actions, y.seeds)
	}
}
