package report

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/bench"
)

// stretchOf makes a worker's stretch of samples, and records them in what has all.
func stretchOf(random *rand.Rand, at float64, actions int, all []*bench.Histogram, total *bench.Histogram) *bench.Stretch {
	s := &bench.Stretch{Interval: bench.Interval{At: at, Length: 1}}
	for i := range actions {
		h := bench.NewHistogram()
		n := random.Uint64N(40)
		for range n {
			us := 1 + random.Int64N(1<<(1+random.UintN(24)))
			for _, to := range []*bench.Histogram{h, all[i], total} {
				to.Record(us)
			}
		}
		s.Actions = append(s.Actions, bench.ActionStretch{Name: fmt.Sprint("a", i), Sent: n, Ended: bench.Ended{Reply: n}, Response: h.Sparse(), Service: h.Sparse()})
		s.Interval.Sent += n
	}
	given := bench.NewHistogram()
	given.Record(77)
	total.Record(77)
	s.Waited = given.Sparse()
	return s
}

// What the workers' stretches add up to is what one histogram of all samples has, in each action, each interval and the total.
func TestStretchesLoseNothing(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		workers, actions, intervals := 1+random.IntN(5), 1+random.IntN(4), 1+random.IntN(6)
		c := bench.Config{}
		c.Defaults()
		s := NewStretches(&c, workers)
		total, all := bench.NewHistogram(), make([]*bench.Histogram, actions)
		for i := range all {
			all[i] = bench.NewHistogram()
		}
		var sent uint64
		var want []bench.Interval
		var pooled bench.Pooled
		for n := range intervals {
			counts := bench.NewCounts()
			part := uint64(0)
			for w := range workers {
				b := stretchOf(random, float64(n+1)+0.2*random.Float64(), actions, all, total)
				for _, h := range append([][]byte{b.Waited}, b.Actions[0].Response) {
					if err := bench.AddSparse(h, counts); err != nil {
						t.Fatal(err)
					}
				}
				for _, a := range b.Actions[1:] {
					if err := bench.AddSparse(a.Response, counts); err != nil {
						t.Fatal(err)
					}
				}
				part += b.Interval.Sent
				if err := s.Add(w, b); err != nil {
					t.Fatal(err)
				}
			}
			sent += part
			one := counts.Histogram()
			v := bench.Interval{Sent: part}
			pooled.Sum(&v, one, one)
			want = append(want, v)
			w, ok := s.Next(func(int) bool { return true }, false)
			if !ok || len(w.Missing) > 0 || w.Sent != part || w.P50 != want[n].P50 || w.P99 != want[n].P99 || w.Max != want[n].Max {
				t.Fatalf("seed %d, stretch %d: %v, %+v, want %+v", seed, n, ok, w, want[n])
			}
		}
		res := &bench.Result{Elapsed: float64(intervals), Histograms: map[string]string{}}
		if err := s.Apply(res, true); err != nil {
			t.Fatal(err)
		}
		got, err := bench.DecodeHistogram(res.Histograms["response"])
		if err != nil {
			t.Fatal(err)
		}
		if res.Total.Sent != sent || got.Count() != total.Count() || len(res.Intervals) != intervals {
			t.Errorf("seed %d: %d of %d sent, %d of %d times, %d of %d intervals", seed, res.Total.Sent, sent, got.Count(), total.Count(), len(res.Intervals), intervals)
		}
		if diff := cmp.Diff(total.Curve(), got.Curve()); diff != "" {
			t.Errorf("seed %d: the total's curve (-all samples +merged):\n%s", seed, diff)
		}
		for i := range all {
			if sum := all[i].Summary(); res.Actions[i].P50 != sum.P50 || res.Actions[i].Max != sum.Max {
				t.Errorf("seed %d, action %d: %+v, want %+v", seed, i, res.Actions[i].Tally, sum)
			}
		}
	}
}

// A stretch waits for everybody who is expected, is shown without those who are lost, and one that comes late counts still.
func TestStretchesWaitForTheSlow(t *testing.T) {
	c := bench.Config{}
	c.Defaults()
	s := NewStretches(&c, 2)
	add := func(w int, at, length float64, sent uint64) {
		t.Helper()
		b := &bench.Stretch{Interval: bench.Interval{At: at, Length: length, Sent: sent}, Actions: []bench.ActionStretch{{Name: "ping", Sent: sent}}}
		if err := s.Add(w, b); err != nil {
			t.Fatal(err)
		}
	}
	all := func(int) bool { return true }
	add(0, 1.01, 1.01, 10)
	if w, ok := s.Next(all, false); ok {
		t.Errorf("%+v came without the second worker", w)
	}
	if w, ok := s.Next(func(i int) bool { return i == 0 }, false); !ok || w.Sent != 10 || len(w.Missing) != 1 {
		t.Errorf("%v, %+v: the second worker is lost, and the stretch is not there", ok, w)
	}
	add(1, 1.02, 1.02, 5) // late
	add(0, 2.01, 1, 10)
	add(1, 2.02, 1, 5)
	if w, ok := s.Next(all, false); !ok || w.Sent != 20 {
		t.Errorf("%v, %+v: want 20 sent", ok, w)
	}
	add(0, 2.3, 0.29, 1) // the last one is short
	if w, ok := s.Next(all, true); !ok || w.Sent != 1 {
		t.Errorf("%v, %+v: want the rest", ok, w)
	}
	if got := s.Tally(0).Sent + s.Tally(1).Sent; got != 31 {
		t.Errorf("%d sent, want 31", got)
	}
	if err := s.Add(0, &bench.Stretch{}); err == nil {
		t.Error("a stretch without the mix's actions was taken")
	}
}

// A worker whose part of the load ends within the last stretch says so early: the rate of all is over the time that all took.
func TestRateOfAStretchThatSomeEndEarly(t *testing.T) {
	c := bench.Config{}
	c.Defaults()
	s := NewStretches(&c, 2)
	for i, length := range []float64{0.5, 1} {
		v := bench.Interval{At: length, Length: length, Sent: 1000, Ended: 1000, Rate: 1000 / length}
		if err := s.Add(i, &bench.Stretch{Interval: v, Actions: []bench.ActionStretch{{Name: "ping", Sent: 1000}}}); err != nil {
			t.Fatal(err)
		}
	}
	if w, ok := s.Next(func(int) bool { return true }, false); !ok || w.Rate != 2000 || w.Length != 1 || w.At != 1 {
		t.Errorf("%v: %g/s in %g s to %g s, want 2000/s in the one second", ok, w.Rate, w.Length, w.At)
	}
}

// Results that share no time, or one that was invalid for what its figures do not show, are no result of all.
func TestMergeRefusesAndCarries(t *testing.T) {
	a, b := sample(t, 1, false), sample(t, 2, false)
	b.Started = a.Started.Add(21 * time.Second)
	if _, err := Merge([]*bench.Result{a, b}); err == nil {
		t.Error("runs that followed one another were merged")
	}
	b.Started = a.Started.Add(10 * time.Second)
	b.Because(bench.Invalid, "only 3 of 5 sessions were ready at the start")
	m, err := Merge([]*bench.Result{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if m.Verdict != bench.Invalid || m.Reasons[len(m.Reasons)-1] != "only 3 of 5 sessions were ready at the start" {
		t.Errorf("%s: %v", m.Verdict, m.Reasons)
	}
	if m.Elapsed != 30 || m.Total.Rate != float64(m.Total.Answered())/30 {
		t.Errorf("%g s, %g/s of %d answers", m.Elapsed, m.Total.Rate, m.Total.Answered())
	}
}

// A thousand intervals of 20 actions from 16 workers.
func BenchmarkStretches(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 3))
	all := make([]*bench.Histogram, 20)
	for i := range all {
		all[i] = bench.NewHistogram()
	}
	var some []*bench.Stretch
	for range 64 {
		some = append(some, stretchOf(random, 0, len(all), all, bench.NewHistogram()))
	}
	c := bench.Config{}
	c.Defaults()
	for b.Loop() {
		s := NewStretches(&c, 16)
		for n := range 1000 {
			for w := range 16 {
				one := *some[(n*16+w)%len(some)]
				one.Interval.At = float64(n + 1)
				if err := s.Add(w, &one); err != nil {
					b.Fatal(err)
				}
			}
			if _, ok := s.Next(func(int) bool { return true }, false); !ok {
				b.Fatal("a stretch is not whole")
			}
		}
	}
}
