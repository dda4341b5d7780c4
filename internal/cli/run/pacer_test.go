package run

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPacer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		idle  time.Duration // before the last calls
		calls int
		want  time.Duration // that the last calls take
	}{
		{"evenly from the start", 0, 101, 10 * time.Second},
		{"a short pause is made up for", 500 * time.Millisecond, 100, 9500 * time.Millisecond},
		{"of a long one no more than a second", time.Hour, 100, 9 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(10)
				if tt.idle > 0 {
					p.Wait(t.Context())
					time.Sleep(tt.idle)
				}
				start := time.Now()
				for range tt.calls {
					p.Wait(t.Context())
				}
				if got := time.Since(start); (got - tt.want).Abs() > 100*time.Millisecond {
					t.Errorf("%d calls took %s, want %s", tt.calls, got, tt.want)
				}
			})
		})
	}
}

// A turn that comes after the deadline is waited for until then: what is behind it must not go out early.
func TestPacerWaitsUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		p, start := NewPacer(1), time.Now()
		p.Wait(ctx)
		p.Wait(ctx)
		if got := time.Since(start); got != 400*time.Millisecond {
			t.Errorf("waited %s, want until the deadline after 400ms", got)
		}
		var free Pacer
		free.Wait(ctx)
		if got := time.Since(start); got != 400*time.Millisecond {
			t.Errorf("a Pacer without a pace held up until %s", got)
		}
	})
}
