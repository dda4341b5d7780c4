package bench

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A silentBatch has no end.
type silentBatch struct{}

func (silentBatch) Poll() (ending, bool) { return ending{}, false }

func (silentBatch) Wait(ctx context.Context) (ending, error) {
	<-ctx.Done()
	return ending{}, ctx.Err()
}

// What an open loop has due soon is napped for, and a timer is up so early that it may be late. Where something waits for
// room, an end must wake the worker, and in a closed loop nothing else does.
func TestOpenLoopNaps(t *testing.T) {
	for name, tt := range map[string]struct {
		closed  bool
		waiting int64
		due     time.Duration
		napped  time.Duration // 0: not
		took    time.Duration
	}{
		"soon":              {due: time.Millisecond, napped: time.Millisecond, took: time.Millisecond},
		"later":             {due: 5 * time.Millisecond, took: 5*time.Millisecond - lateTimer},
		"something waits":   {waiting: 1, due: time.Millisecond, took: time.Millisecond},
		"in a closed loop":  {closed: true, due: time.Millisecond, took: time.Millisecond},
		"it is due already": {due: -time.Millisecond, napped: -time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var napped time.Duration
				r := &run{epoch: time.Now(), schedule: &schedule{}, nap: func(d time.Duration) { napped = d; time.Sleep(d) }}
				if tt.closed {
					r.schedule = nil
				}
				w := &worker{run: r, batch: silentBatch{}}
				w.waiting.Store(tt.waiting)
				w.wait(tt.due)
				if took := r.now(); napped != tt.napped || took != tt.took {
					t.Errorf("napped for %v, want %v; back after %v, want %v", napped, tt.napped, took, tt.took)
				}
			})
		})
	}
}

// The best of many naps is not late by what a timer is late by in a process that does nothing else.
func TestNapIsExact(t *testing.T) {
	best := time.Hour
	for range 200 {
		from := time.Now()
		nap(300 * time.Microsecond)
		best = min(best, max(time.Since(from)-300*time.Microsecond, 0))
	}
	if best > 400*time.Microsecond {
		t.Errorf("the best of 200 naps was late by %v", best)
	}
}
