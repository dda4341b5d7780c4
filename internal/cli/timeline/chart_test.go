package timeline

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// More legs than columns share the last one, where each line says whose it is.
func TestChartThatIsCrowded(t *testing.T) {
	c := NewChart(40, 9)
	at := time.Unix(100, 0)
	legs := make([]*Leg, 4)
	var got []string
	for i := range legs {
		legs[i] = &Leg{number: i + 1, name: "c" + string(rune('1'+i))}
		got = append(got, c.Line(at, legs[i], "begins"))
	}
	got = append(got, c.Line(at.Add(90*time.Minute), legs[2], "holds"), c.Line(at.Add(-time.Second), legs[3], "is up"))
	want := []string{
		"    0.000  1 c1 begins",
		"    0.000  │             2 c2 begins",
		"    0.000  │             3 c3 begins",
		"    0.000  │             4 c4 begins",
		"  1:30:00  │             3 holds",
		"   -1.000  │             4 is up",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
