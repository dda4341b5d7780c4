package state_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// defaultSeeds is what a plain go test runs: a second or two.
const defaultSeeds = 40

// environment reads a number from the environment.
func environment(name string, other int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return other
}

// TestHeldIsWhatIs plays random calls, transfers, queues, conferences and parking on servers whose events come late,
// with sessions that are cut, lists that break off and are refused, and restarts among them. At every quiet point what
// is held must be what somebody finds who comes new, without a ghost and without anything missing.
//
// AMICTL_SEEDS says how many seeds to run, AMICTL_SEED runs one alone.
func TestHeldIsWhatIs(t *testing.T) { heldIsWhatIs(t, maxDelay) }

// Lists may be further ahead of the events around them. With 1754 callers had positions behind nobody, with 777 a way through a queue never
// ended, and with 1397 what an audit had found was not taken for explained.
func TestHeldIsWhatIsBehindLists(t *testing.T) { heldIsWhatIs(t, mostDelay, 1754, 777, 1397) }

// heldIsWhatIs runs the first seeds and also some others.
func heldIsWhatIs(t *testing.T, delay time.Duration, also ...int) {
	t.Helper()
	seeds := also
	for seed := range environment("AMICTL_SEEDS", defaultSeeds) {
		seeds = append(seeds, seed+1)
	}
	if seed := environment("AMICTL_SEED", 0); seed > 0 {
		seeds = []int{seed}
	}
	n := len(seeds)
	var mu sync.Mutex
	did := map[string]int{}
	records, figures := 0, 0
	begin := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, uint64(seed), delay)
					defer w.close()
					w.run()
					mu.Lock()
					defer mu.Unlock()
					for name, n := range w.did {
						did[name] += n
					}
					records += w.mirror.records
					figures += w.figures
				})
			})
		}
	})
	t.Logf("%d seeds in %v, %d calls ended", n, time.Since(begin).Round(time.Millisecond), records)
	for _, name := range slices.Sorted(maps.Keys(did)) {
		t.Logf("%-18s %d", name, did[name])
	}
	if n >= defaultSeeds { // what does not happen is not tested
		for _, s := range scenes {
			if did[s.name] == 0 {
				t.Errorf("%q was never played", s.name)
			}
		}
		if records == 0 || figures == 0 {
			t.Errorf("%d calls ended, %d of queues were compared", records, figures)
		}
	}
}

// ask sends an action as somebody else would.
func (w *world) ask(srv *amitest.Server, name string, headers ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n, ok := w.cluster.Node(srv.Name()); ok {
		_, _ = n.Do(ctx, ami.NewAction(name, headers...)) // it may fail, and the node be away
	}
}

func sortedCopy(s []string) []string { return slices.Sorted(slices.Values(s)) }
