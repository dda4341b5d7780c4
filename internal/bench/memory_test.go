package bench

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSamplerSumsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		// Resident memory: 10 MiB idle, a peak of 90 at 1 s (warm-up), then 50, and 58 in the last second.
		read := func() footprint {
			f := footprint{Heap: 5 << 20, RSS: 10 << 20, Goroutines: 7}
			switch at := time.Since(start); {
			case at == 0:
			case at == time.Second:
				f.RSS, f.Goroutines = 90<<20, 70
			case at >= 10*time.Second:
				f.RSS = 58 << 20
			default:
				f.RSS = 50 << 20
			}
			return f
		}
		over := make(chan footprint, 1)
		s := startSampler(read, 80<<20, over)
		time.Sleep(50 * time.Millisecond)
		s.Ready()
		time.Sleep(2 * time.Second)
		s.Warm()
		time.Sleep(9 * time.Second)
		if s.Latest().RSS != 58<<20 {
			t.Errorf("latest: %s", s.Latest().RSS)
		}
		got := s.Stop(4)
		samples := got.Samples
		got.Samples = 0
		want := &Memory{
			Limit: 80 << 20, IdleRSS: 10 << 20, ReadyRSS: 50 << 20, PeakRSS: 90 << 20, WarmRSS: 50 << 20,
			EndRSS: 58 << 20, PeakHeap: 5 << 20, EndHeap: 5 << 20, PeakGoroutines: 70, PerNode: 12 << 20,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
		if samples < 105 || samples > 115 {
			t.Errorf("%d samples in 11 s", samples)
		}
		if got.Growth() != 8<<20 {
			t.Errorf("growth %d", got.Growth())
		}
		select {
		case f := <-over:
			if f.RSS != 90<<20 {
				t.Errorf("over the limit at %s", f.RSS)
			}
		default:
			t.Error("nobody was told that the limit was passed")
		}
	})
}

func TestSamplerForgetsNoPeak(t *testing.T) {
	s := &sampler{}
	s.taken = make([]footprint, 0, maxSamples)
	for i := range 3 * maxSamples {
		f := footprint{RSS: 1}
		if i == 12_345 {
			f.RSS = 99
		}
		s.add(f)
		if len(s.taken) >= maxSamples {
			t.Fatalf("%d samples are kept", len(s.taken))
		}
	}
	var peak Bytes
	for _, f := range s.taken {
		peak = max(peak, f.RSS)
	}
	if peak != 99 {
		t.Errorf("peak %d, want 99", peak)
	}
}

func TestFootprintIsOfThisProcess(t *testing.T) {
	f := readFootprint()
	if f.Heap == 0 || f.Goroutines == 0 {
		t.Errorf("%+v", f)
	}
	if f.RSS != 0 && (f.RSS < 1<<20 || f.RSS > 64<<30) {
		t.Errorf("resident memory %s", f.RSS)
	}
}

func TestCheckMemory(t *testing.T) {
	c := &Config{Nodes: 5000}
	c.Defaults()
	e := estimate(c)
	c.MaxMemory = e
	if err := checkMemory(c); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	c.MaxMemory = e - 1
	var me *MemoryError
	if err := checkMemory(c); !errors.As(err, &me) || me.Estimate != e {
		t.Errorf("above the limit: %v", err)
	}
	c.MaxMemory = 0
	if err := checkMemory(c); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	few := *c
	few.Nodes = 50
	if estimate(&few) >= e {
		t.Error("50 nodes are estimated no smaller than 5,000")
	}
}

func TestParseBytes(t *testing.T) {
	for in, want := range map[string]Bytes{"1B": 1, "256MiB": 256 << 20, "1.5GiB": 3 << 29, "2 KB": 2000, "0B": 0} {
		if got, err := ParseBytes(in); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "256", "256mb", "-1MiB", "xMiB", "MiB", "99999999999GiB", "NaNGiB"} {
		if got, err := ParseBytes(in); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", in, got)
		}
	}
}
