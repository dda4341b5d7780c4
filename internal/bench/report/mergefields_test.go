package report

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/bench"
)

// fill gives each number in a struct a value of its own, beginning with from, one more each.
func fill(v reflect.Value, from *int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), from)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), from)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*from))
		*from++
	case reflect.Uint, reflect.Uint64:
		v.SetUint(uint64(*from))
		*from++
	case reflect.Float64:
		v.SetFloat(float64(*from))
		*from++
	}
}

// combine is what two structs are together: the larger of two peaks, the first one's of what is kept, else the sum.
func combine(to, a, b reflect.Value, peaks, kept []string) {
	for i := range to.NumField() {
		name, t, x, y := to.Type().Field(i).Name, to.Field(i), a.Field(i), b.Field(i)
		switch {
		case t.Kind() == reflect.Struct:
			combine(t, x, y, peaks, kept)
		case t.Kind() == reflect.Pointer:
			t.Set(reflect.New(t.Type().Elem()))
			combine(t.Elem(), x.Elem(), y.Elem(), peaks, kept)
		case slices.Contains(kept, name) || t.Kind() == reflect.Bool || t.Kind() == reflect.String || t.Kind() == reflect.Slice:
			t.Set(x)
		case t.CanFloat() && slices.Contains(peaks, name):
			t.SetFloat(max(x.Float(), y.Float()))
		case t.CanFloat():
			t.SetFloat(x.Float() + y.Float())
		case t.CanInt() && slices.Contains(peaks, name):
			t.SetInt(max(x.Int(), y.Int()))
		case t.CanInt():
			t.SetInt(x.Int() + y.Int())
		case slices.Contains(peaks, name):
			t.SetUint(max(x.Uint(), y.Uint()))
		default:
			t.SetUint(x.Uint() + y.Uint())
		}
	}
}

// pair makes two structs with a value of its own in each field, the first with the larger ones if asked for.
func pair[T any](swapped bool) (a, b T) {
	from := 3
	fill(reflect.ValueOf(&a).Elem(), &from)
	from = 1000
	fill(reflect.ValueOf(&b).Elem(), &from)
	if swapped {
		return b, a
	}
	return a, b
}

// holds merges two structs both ways and compares every field.
func holds[T any](t *testing.T, merge func(a, b T) T, peaks, kept []string) {
	t.Helper()
	for _, swapped := range []bool{false, true} {
		a, b := pair[T](swapped)
		var want T
		combine(reflect.ValueOf(&want).Elem(), reflect.ValueOf(a), reflect.ValueOf(b), peaks, kept)
		if diff := cmp.Diff(want, merge(a, b)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", want, diff)
		}
	}
}

// In what is merged every count is the sum and every peak the larger one: no field is forgotten.
func TestMergeAddsEveryField(t *testing.T) {
	latencies := []string{"P50", "P90", "P95", "P99", "P999", "P9999", "Mean", "Max", "ServiceP50", "ServiceP90", "ServiceP95", "ServiceP99", "ServiceP999", "ServiceP9999", "ServiceMean", "ServiceMax"}
	holds(t, func(a, b bench.Interval) bench.Interval {
		m := merger{res: &bench.Result{}}
		b.At, b.Length = a.At, a.Length // the same stretch
		m.intervals([]bench.Interval{a}, 0)
		m.intervals([]bench.Interval{b}, 0)
		return m.res.Intervals[0]
	}, append(slices.Clone(latencies), "RSS", "Heap", "Goroutines", "Channels"), []string{"At", "Length"})
	holds(t, func(a, b bench.Events) bench.Events {
		m := merger{res: &bench.Result{}}
		m.events(&bench.Result{Events: &a})
		m.events(&bench.Result{Events: &b})
		// Percentiles come from histograms later.
		m.res.Events.P50, m.res.Events.P99, m.res.Events.P999, m.res.Events.Max = a.P50, a.P99, a.P999, a.Max
		return *m.res.Events
	}, []string{"HeldUp"}, latencies)
	holds(t, func(a, b bench.Calls) bench.Calls {
		m := merger{res: &bench.Result{}}
		m.events(&bench.Result{Calls: &a})
		m.events(&bench.Result{Calls: &b})
		m.res.Calls.HangupP50, m.res.Calls.HangupP99, m.res.Calls.HangupMax = a.HangupP50, a.HangupP99, a.HangupMax
		return *m.res.Calls
	}, []string{"Channels"}, []string{"HangupP50", "HangupP99", "HangupMax"})
	holds(t, func(a, b bench.Ledger) bench.Ledger {
		var l bench.Ledger
		mergeLedger(&l, &a)
		mergeLedger(&l, &b)
		return l
	}, nil, nil)
	holds(t, func(a, b bench.Lag) bench.Lag {
		m := merger{res: &bench.Result{}}
		m.memory(&bench.Result{Lag: &a})
		b.Limit = a.Limit
		m.memory(&bench.Result{Lag: &b})
		return *m.res.Lag
	}, []string{"P50", "P99", "Max"}, []string{"Limit"})
}

// Stretches are put together if they ended within half a stretch of each other.
func TestStretchesThatMeet(t *testing.T) {
	for at, want := range map[float64]int{10: 1, 10.49: 1, 9.51: 1, 10.5: 2, 9.5: 2, 11: 2} {
		m := merger{res: &bench.Result{}}
		m.intervals([]bench.Interval{{At: 10, Length: 1, Sent: 1}}, 0)
		m.intervals([]bench.Interval{{At: at, Length: 1, Sent: 1}}, 0)
		if got := len(m.res.Intervals); got != want {
			t.Errorf("at 10 and at %g: %d stretches, want %d", at, got, want)
		}
	}
}

// Of two machines' memory and of each queue the fuller one is kept, whichever comes first.
func TestMergeKeepsTheFuller(t *testing.T) {
	low, high := sample(t, 1, false), sample(t, 2, false)
	low.Memory.PeakRSS, high.Memory.PeakRSS = 10, 20
	low.Queues = []bench.Queue{{Name: "ring", High: 10, Cap: 100, Node: "low"}}
	high.Queues = []bench.Queue{{Name: "ring", High: 9, Cap: 50, Node: "high"}}
	low.Started, low.Elapsed = high.Started.Add(time.Second), 21
	for _, runs := range [][]*bench.Result{{low, high}, {high, low}} {
		m, err := Merge(runs)
		if err != nil {
			t.Fatal(err)
		}
		if m.Memory.PeakRSS != 20 || len(m.Queues) != 1 || m.Queues[0].Node != "high" || !m.Started.Equal(high.Started) || m.Elapsed != 22 {
			t.Errorf("memory %d, queues %v, from %v, %g s", m.Memory.PeakRSS, m.Queues, m.Started, m.Elapsed)
		}
	}
}

func TestChangeOfRepeats(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b []float64
		want Change
	}{
		{"odd", []float64{1, 2, 9}, []float64{10, 20, 30}, Change{Base: 2, New: 20, Percent: 900, Spread: 1000, Runs: 3, Clear: true}},
		{"even", []float64{1, 2, 4, 9}, []float64{0, 3}, Change{Base: 3, New: 1.5, Percent: -50, Spread: 800. / 3, Runs: 2}},
		{"they touch", []float64{1, 2}, []float64{2, 3}, Change{Base: 1.5, New: 2.5, Percent: 200. / 3, Spread: 200. / 3, Runs: 2}},
		{"they touch from above", []float64{2, 4}, []float64{1, 2}, Change{Base: 3, New: 1.5, Percent: -50, Spread: 200. / 3, Runs: 2}},
		{"clear below", []float64{3, 4}, []float64{1, 2}, Change{Base: 3.5, New: 1.5, Percent: -400. / 7, Spread: 200. / 7, Runs: 2, Clear: true}},
		{"below nothing", []float64{-4}, []float64{-2}, Change{Base: -4, New: -2, Percent: 50, Runs: 1, Clear: true}},
		{"the same", []float64{0}, []float64{0}, Change{Runs: 1}},
		{"from nothing", []float64{0}, []float64{-1}, Change{New: -1, Percent: -beyondAll, Runs: 1, Clear: true}},
	} {
		got, ok := change(tt.name, tt.a, tt.b)
		tt.want.Metric = tt.name
		if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); diff != "" || !ok {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, ok, diff)
		}
	}
}

func TestScalesToTheTick(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scale func() (scale, []float64)
		want  []float64
	}{
		{"nothing", func() (scale, []float64) { return linear(0) }, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{"linear 7", func() (scale, []float64) { return linear(7) }, []float64{0, 2, 4, 6, 8}},
		{"linear 10", func() (scale, []float64) { return linear(10) }, []float64{0, 2, 4, 6, 8, 10}},
		{"linear 101", func() (scale, []float64) { return linear(101) }, []float64{0, 50, 100, 150}},
		{"no power", func() (scale, []float64) { return powersOfTwo(0) }, []float64{0, 1}},
		{"powers, 6", func() (scale, []float64) { return powersOfTwo(6) }, []float64{0, 1, 2, 3, 4, 5, 6}},
		{"powers, 7", func() (scale, []float64) { return powersOfTwo(7) }, []float64{0, 2, 4, 6, 8}},
		{"powers, 100", func() (scale, []float64) { return powersOfTwo(100) }, []float64{0, 32, 64, 96, 128}},
		{"logarithmic 3 to 70", func() (scale, []float64) { return logarithmic(3, 70) }, []float64{1, 2, 5, 10, 20, 50, 100}},
		{"logarithmic 0 to 5000", func() (scale, []float64) { return logarithmic(0, 5000) }, []float64{1, 10, 100, 1000, 10000}},
		{"logarithmic 1 to 1", func() (scale, []float64) { return logarithmic(1, 1) }, []float64{1, 2, 5, 10}},
	} {
		s, ticks := tt.scale()
		if diff := cmp.Diff(tt.want, ticks, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if first, last := ticks[0], ticks[len(ticks)-1]; s.at(first) != 0 || s.at(last) != 1 {
			t.Errorf("%s: the ends are at %g and %g", tt.name, s.at(first), s.at(last))
		}
	}
	s, _ := logarithmic(10, 900) // to 1000
	if at := s.at(100); at != 0.5 {
		t.Errorf("100 between 10 and 1000 is at %g", at)
	}
	if at := (scale{min: 10, max: 20}).at(15); at != 0.5 {
		t.Errorf("15 between 10 and 20 is at %g", at)
	}
}
