package output

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompareNames(t *testing.T) {
	want := []string{"", "007", "7", "7a", "8", "10", "a", "pbx", "pbx1", "pbx2", "pbx2.b", "pbx10", "pbx10-1", "pbx10-09", "pbx10-9", "pbx100", "pbxa", "pbx二", "漢2", "漢10"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, CompareNames)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, a := range want {
		for _, b := range want {
			if CompareNames(a, b) != -CompareNames(b, a) || (CompareNames(a, b) == 0) != (a == b) {
				t.Errorf("%q and %q: %d and %d", a, b, CompareNames(a, b), CompareNames(b, a))
			}
		}
	}
}
