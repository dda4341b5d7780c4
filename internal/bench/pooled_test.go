package bench

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A p99 needs 1,000 samples: stretches with fewer have one together, and the warm-up has none in common with what is measured.
func TestPooled(t *testing.T) {
	var p Pooled
	type figures struct{ P50, P99, Max int64 }
	var got []figures
	for _, s := range []struct {
		n      int
		us     int64
		warmUp bool
	}{{600, 9000, true}, {600, 100, false}, {0, 0, false}, {400, 200, false}, {5, 300, false}, {2000, 300, false}, {2000, 400, false}} {
		h := NewHistogram()
		for range s.n {
			h.Record(s.us)
		}
		v := Interval{WarmUp: s.warmUp}
		p.Sum(&v, h, h)
		if v.P50 != v.ServiceP50 || v.P99 != v.ServiceP99 {
			t.Errorf("response and service are the same samples: %+v", v)
		}
		got = append(got, figures{v.P50, v.P99, v.Max})
	}
	want := []figures{{9000, 0, 9000}, {100, 0, 100}, {}, {200, 200, 200}, {0, 0, 300}, {300, 300, 300}, {400, 400, 400}}
	for i := range got {
		for _, p := range []*int64{&got[i].P50, &got[i].P99, &got[i].Max} {
			*p -= *p % 100 // buckets
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
