package bench

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStage(t *testing.T) {
	for in, want := range map[string]Stage{
		"30s:500":    {For: Duration(30 * time.Second), Rate: 500},
		"1m30s:=2.5": {For: Duration(90 * time.Second), Rate: 2.5, Step: true},
		"1s:0":       {For: Duration(time.Second)},
	} {
		got, err := ParseStage(in)
		if err != nil || got != want {
			t.Errorf("ParseStage(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "30s", "30:500", "0s:500", "-1s:5", "30s:-1", "30s:", "30s:x", "30s:NaN", "30s:Inf"} {
		_, err := ParseStage(in)
		var se *StageError
		if !errors.As(err, &se) {
			t.Errorf("ParseStage(%q): error %v, want a *StageError", in, err)
		}
	}
}

var (
	ramp   = []Stage{{For: Duration(10 * time.Second), Rate: 100}}
	stairs = []Stage{
		{For: Duration(time.Second), Rate: 10, Step: true},
		{For: Duration(time.Second), Rate: 100, Step: true},
	}
)

// scheduleOffsets says when the actions of schedules are due.
var scheduleOffsets = []struct {
	name     string
	rate     float64
	d        time.Duration
	stages   []Stage
	limit    uint64
	total    uint64
	end      time.Duration
	at       map[uint64]time.Duration
	rateAt1s float64
}{
	{
		"constant for a time", 1000, 2 * time.Second, nil, 0, 2000, 2 * time.Second,
		map[uint64]time.Duration{0: 0, 1: time.Millisecond, 1999: 1999 * time.Millisecond},
		1000,
	},
	{
		"constant for a number", 1000, 0, nil, 500, 500, 500 * time.Millisecond,
		map[uint64]time.Duration{499: 499 * time.Millisecond},
		0,
	},
	{
		"the smaller of both", 1000, 2 * time.Second, nil, 500, 500, 500 * time.Millisecond,
		map[uint64]time.Duration{499: 499 * time.Millisecond},
		1000,
	},
	{
		"a rate below one", 0.5, 10 * time.Second, nil, 0, 5, 10 * time.Second,
		map[uint64]time.Duration{1: 2 * time.Second},
		0.5,
	},
	// From 0 to 100/s over 10 s: 5t² are due at t.
	{
		"a ramp from nothing", 0, 0, ramp, 0, 500, 10 * time.Second,
		map[uint64]time.Duration{0: 0, 5: time.Second, 125: 5 * time.Second, 405: 9 * time.Second},
		10,
	},
	// From 50 to 100/s over 10 s: 50t + 2.5t².
	{
		"a ramp from a rate", 50, 0, ramp, 0, 750, 10 * time.Second,
		map[uint64]time.Duration{240: 4 * time.Second},
		55,
	},
	{
		"stairs", 0, 0, stairs, 0, 110, 2 * time.Second,
		map[uint64]time.Duration{9: 900 * time.Millisecond, 10: time.Second, 11: 1010 * time.Millisecond},
		100,
	},
	{
		"down to nothing", 100, 0,
		[]Stage{{For: Duration(10 * time.Second), Rate: 0}},
		0, 500, 10 * time.Second,
		map[uint64]time.Duration{95: time.Second},
		90,
	},
}

func TestScheduleOffsets(t *testing.T) {
	for _, tt := range scheduleOffsets {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newSchedule(tt.rate, tt.d, tt.stages, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			if s.Total() != tt.total || absDuration(s.End()-tt.end) > time.Microsecond {
				t.Errorf("total %d, end %s; want %d, %s", s.Total(), s.End(), tt.total, tt.end)
			}
			for n, want := range tt.at {
				if got := s.At(n); absDuration(got-want) > time.Microsecond {
					t.Errorf("At(%d) = %s, want %s", n, got, want)
				}
			}
			if got := s.RateAt(time.Second); math.Abs(got-tt.rateAt1s) > 1e-9 {
				t.Errorf("RateAt(1s) = %g, want %g", got, tt.rateAt1s)
			}
			for n := uint64(1); n < s.Total(); n++ {
				if s.At(n) < s.At(n-1) {
					t.Fatalf("At(%d) = %s is before At(%d) = %s", n, s.At(n), n-1, s.At(n-1))
				}
			}
			// A microsecond after its time an action is due, and not more than its like.
			for _, n := range []uint64{0, s.Total() / 2, s.Total() - 1} {
				if got := s.Due(s.At(n) + time.Microsecond); got != n+1 {
					t.Errorf("Due just after At(%d) = %d, want %d", n, got, n+1)
				}
			}
		})
	}
}

func absDuration(d time.Duration) time.Duration { return max(d, -d) }

func TestScheduleRefuses(t *testing.T) {
	var ce *ConfigError
	if _, err := newSchedule(0, time.Second, nil, 0); !errors.As(err, &ce) {
		t.Errorf("rate 0: %v", err)
	}
	if _, err := newSchedule(10, 0, nil, 0); !errors.As(err, &ce) {
		t.Errorf("no end: %v", err)
	}
}

func TestLagDecidesInvalid(t *testing.T) {
	fill := func(n int, us int64) *Histogram {
		h := NewHistogram()
		for range n {
			h.Record(100)
		}
		for range n / 20 {
			h.Record(us)
		}
		return h
	}
	for _, tt := range []struct {
		name   string
		h      *Histogram
		median int64
		want   bool
	}{
		{"on time", fill(1000, 5000), 6000, false},
		{"late in the last percent", fill(1000, 30_000), 40_000, true},
		{"late, of a far longer wait", fill(1000, 30_000), 700_000, false},
		{"late, and no response time known", fill(1000, 30_000), 0, true},
		{"too few to say", fill(5, 0), 6000, false},
	} {
		l := NewLag(tt.h, 20*time.Millisecond, 3, tt.median)
		if l.Invalid != tt.want || (l.Why() != "") != tt.want {
			t.Errorf("%s: invalid %v (%q), want %v", tt.name, l.Invalid, l.Why(), tt.want)
		}
		if l.Dropped != 3 {
			t.Errorf("%s: dropped %d", tt.name, l.Dropped)
		}
	}
	if d := cmp.Diff("", (*Lag)(nil).Why()); d != "" {
		t.Error(d)
	}
}
