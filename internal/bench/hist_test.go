package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPercentilesNeedTenSamplesBeyond(t *testing.T) {
	for _, tt := range []struct {
		n    int
		want []bool // p50 p90 p95 p99 p99.9 p99.99
	}{
		{19, []bool{false, false, false, false, false, false}},
		{20, []bool{true, false, false, false, false, false}},
		{99, []bool{true, false, false, false, false, false}},
		{100, []bool{true, true, false, false, false, false}},
		{200, []bool{true, true, true, false, false, false}},
		{999, []bool{true, true, true, false, false, false}},
		{1000, []bool{true, true, true, true, false, false}},
		{10_000, []bool{true, true, true, true, true, false}},
		{100_000, []bool{true, true, true, true, true, true}},
	} {
		h, small := NewHistogram(), &Small{}
		for i := range tt.n {
			h.Record(int64(i + 1))
			small.Record(int64(i + 1))
		}
		for what, s := range map[string]Summary{"full": h.Summary(), "small": small.Summary()} {
			var got []bool
			for _, v := range []int64{s.P50, s.P90, s.P95, s.P99, s.P999, s.P9999} {
				got = append(got, v > 0)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("%s, %d samples: which percentiles are there: -want +got\n%s", what, tt.n, d)
			}
		}
	}
}

// TestQuantilesAgainstSorting holds both histograms against the sorted values themselves.
func TestQuantilesAgainstSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 200_000
	h, small, all := NewHistogram(), &Small{}, make([]int64, n)
	for i := range all {
		all[i] = int64(math.Exp(rng.NormFloat64()*1.5+7)) + 1
		h.Record(all[i])
		small.Record(all[i])
	}
	slices.Sort(all)
	check := func(what string, s Summary, tolerance float64) {
		for _, c := range []struct {
			p   float64
			got int64
		}{{50, s.P50}, {90, s.P90}, {95, s.P95}, {99, s.P99}, {99.9, s.P999}, {99.99, s.P9999}} {
			want := float64(all[int(math.Round(c.p/100*n))-1])
			if math.Abs(float64(c.got)-want) > tolerance*want+1 {
				t.Errorf("%s p%g = %d, sorted %g", what, c.p, c.got, want)
			}
		}
		if math.Abs(float64(s.Max)/float64(all[n-1])-1) > tolerance {
			t.Errorf("%s max = %d, want %d", what, s.Max, all[n-1])
		}
	}
	check("full", h.Summary(), 0.001)
	check("small", small.Summary(), 0.01)
	if b := small.Bytes(); b > 16<<10 {
		t.Errorf("a small histogram takes %d bytes", b)
	}
}

func TestHistogramsSurviveEncodingAndMerging(t *testing.T) {
	a, b, both := NewHistogram(), NewHistogram(), NewHistogram()
	sa, sb, sboth := &Small{}, &Small{}, &Small{}
	for i := range int64(5000) {
		x, y := i*i%70_000+1, i*37%900_000+1
		a.Record(x)
		b.Record(y)
		both.Record(x)
		both.Record(y)
		sa.Record(x)
		sb.Record(y)
		sboth.Record(x)
		sboth.Record(y)
	}
	text, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeHistogram(text)
	if err != nil {
		t.Fatal(err)
	}
	a.Merge(got)
	if d := cmp.Diff(both.Summary(), a.Summary()); d != "" {
		t.Errorf("full: -want +got\n%s", d)
	}
	small, err := DecodeSmall(sb.Encode())
	if err != nil {
		t.Fatal(err)
	}
	sa.Merge(small)
	if d := cmp.Diff(sboth.Summary(), sa.Summary()); d != "" {
		t.Errorf("small: -want +got\n%s", d)
	}
	var empty Small
	empty.Merge(sa)
	if d := cmp.Diff(sa.Summary(), empty.Summary()); d != "" {
		t.Errorf("merged into an empty one: -want +got\n%s", d)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := NewHistogram().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{"", "x", "!!!!", good[:len(good)/2], strings.Repeat("A", maxEncoded+4)} {
		if _, err := DecodeHistogram(in); err == nil {
			t.Errorf("DecodeHistogram(%.20q, %d bytes) did not refuse", in, len(in))
		}
	}
	var one Small
	one.Record(1_000_000)
	cut := one.Encode()
	for _, in := range []string{"x", "!!!!", cut[:len(cut)-2], "//////////8BAQ", strings.Repeat("A", maxEncoded+4)} {
		if _, err := DecodeSmall(in); err == nil {
			t.Errorf("DecodeSmall(%.20q, %d bytes) did not refuse", in, len(in))
		}
	}
}

func TestCurveEndsWhereItMeansNothing(t *testing.T) {
	h := NewHistogram()
	for i := range int64(1000) {
		h.Record(i + 1)
	}
	c := h.Curve()
	if last := c[len(c)-1]; math.Abs(last.Percent-99) > 1e-9 {
		t.Errorf("1,000 samples: the curve ends at p%g, want p99", last.Percent)
	}
	if c[0].Percent != 0 {
		t.Errorf("the curve starts at p%g", c[0].Percent)
	}
	if got := NewHistogram().Curve(); got != nil {
		t.Errorf("an empty histogram has a curve: %v", got)
	}
}

func TestMicrosStaysInRange(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 1, -time.Second: 1, 999: 1, 1500 * time.Nanosecond: 1, time.Millisecond: 1000, 5 * time.Hour: highest,
	} {
		if got := micros(d); got != want {
			t.Errorf("Micros(%s) = %d, want %d", d, got, want)
		}
	}
}

func TestRecordingCostsNoAllocation(t *testing.T) {
	h, small := NewHistogram(), &Small{}
	small.Record(100)
	if n := testing.AllocsPerRun(1000, func() { h.Record(100); small.Record(100) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFormatMicros(t *testing.T) {
	for us, want := range map[int64]string{
		0: "-", 1: "1µs", 999: "999µs", 1000: "1.00ms", 12_345: "12.3ms", 123_456: "123ms", 1_850_000: "1.85s", 75_000_000: "75.0s",
	} {
		if got := FormatMicros(us); got != want {
			t.Errorf("FormatMicros(%d) = %q, want %q", us, got, want)
		}
	}
}

// What an interval shows of a histogram is what its whole summary says.
func TestBrief(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 5))
	for n := range 2000 {
		h := NewHistogram()
		for range n {
			h.Record(1 + random.Int64N(1<<(1+random.UintN(30))))
		}
		whole := h.Summary()
		want := Summary{Count: whole.Count, P50: whole.P50, P99: whole.P99, Max: whole.Max}
		if got := h.brief(); got != want {
			t.Fatalf("of %d samples %+v, want %+v", n, got, want)
		}
	}
}
