package run

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// rounds are the flags as args say.
func rounds(t *testing.T, args ...string) *Rounds {
	t.Helper()
	o := &Rounds{}
	c := &cli.Command{Name: "health", Flags: o.Flags(), Action: func(context.Context, *cli.Command) error { return nil }}
	if err := c.Run(t.Context(), append([]string{"health"}, args...)); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRoundsThatDoNotGoTogether(t *testing.T) {
	for _, args := range [][]string{nil, {"--watch"}, {"--watch", "--every", "15s"}, {"--watch", "--rounds", "4"}, {"--watch", "--every", "15s", "--rounds", "4"}} {
		if err := rounds(t, args...).Check(); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{{"--every", "15s"}, {"--rounds", "4"}, {"--every", "10s", "--rounds", "1"}} {
		refused(t, rounds(t, args...).Check(), fail.CodeUsage, "--every and --rounds go with --watch", "--watch --every 15s")
	}
}

func TestLastRound(t *testing.T) {
	for _, tt := range []struct {
		args []string
		last int // 0: none is
	}{
		{nil, 1},
		{[]string{"--watch"}, 0},
		{[]string{"--watch", "--rounds", "1"}, 1},
		{[]string{"--watch", "--rounds", "3"}, 3},
	} {
		o := rounds(t, tt.args...)
		last := 0
		for round := 1; round < 10 && last == 0; round++ {
			if o.Last(round) {
				last = round
			}
		}
		if last != tt.last {
			t.Errorf("%q: the last round is %d, want %d", tt.args, last, tt.last)
		}
	}
}

// The next round comes when --every has passed, or not at all once the run is over.
func TestWaitForARound(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want time.Duration
	}{{[]string{"--watch"}, 10 * time.Second}, {[]string{"--watch", "--every", "3s"}, 3 * time.Second}} {
		o := rounds(t, tt.args...)
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			if err := o.Wait(t.Context()); err != nil || time.Since(began) != tt.want {
				t.Errorf("%q: %v after %v", tt.args, err, time.Since(began))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began = time.Now()
			if err := o.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%q: %v after %v", tt.args, err, time.Since(began))
			}
		})
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if Pause(t.Context(), time.Minute); time.Since(began) != time.Minute {
			t.Errorf("it took %v", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if Pause(ctx, time.Minute); time.Since(began) != time.Second {
			t.Errorf("a run that is over waited %v", time.Since(began))
		}
	})
}
