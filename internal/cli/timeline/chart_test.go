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

// A chart has as many columns as there are legs and fit; without a terminal it is of a width that most have.
func TestChartColumns(t *testing.T) {
	for _, test := range []struct{ width, legs, columns, pitch, wide int }{
		{80, 2, 2, 34, 80},
		{80, 1, 1, 69, 80},
		{80, 0, 1, 69, 80},
		{80, 4, 4, 17, 80},
		{80, 5, 4, 17, 80},
		{0, 5, 4, 17, Width},
		{-1, 1, 1, 69, Width},
		{20, 3, 1, 14, 20},
		{39, 3, 2, 14, 39},
		{38, 3, 1, 27, 38},
		{1, 1, 1, 14, 1},
	} {
		c := NewChart(test.width, test.legs)
		if len(c.legs) != test.columns || c.pitch != test.pitch || c.width != test.wide {
			t.Errorf("%d legs on %d columns: %d of %d, %d wide; want %d of %d", test.legs, test.width, len(c.legs), c.pitch, c.width, test.columns, test.pitch)
		}
	}
}

// A leg that has ended gives its column to the next; what does not fit behind its column moves to the left, and then says whose
// it is. What came without a time stands without one.
func TestChart(t *testing.T) {
	c := NewChart(60, 3)
	at := time.Unix(100, 0)
	a, b, d := &Leg{number: 1, name: "a"}, &Leg{number: 2, name: "b"}, &Leg{number: 3, name: "d"}
	end := func(l *Leg) *Leg { l.over = true; return l }
	got := []string{
		c.Line(at, a, "begins"),
		c.Line(at.Add(1500*time.Millisecond), b, "begins"),
		c.Line(time.Time{}, a, "is up"),
		c.Line(at.Add(59*time.Minute+59*time.Second+999500*time.Microsecond), b, "does what takes many words to tell, all of it"),
		c.Line(at.Add(2*time.Hour), end(a), "ends"),
		c.Line(at.Add(2*time.Hour), d, "begins"),
		c.Line(at.Add(2*time.Hour), end(b), "ends"),
		c.Line(at.Add(2*time.Hour), a, "is heard of again"),
		c.Line(at.Add(2*time.Hour), d, "says\x1b[31m something"),
	}
	want := []string{
		"    0.000  1 a begins",
		"    1.500  │               2 b begins",
		"           • is up         │",
		"  1:00:00  │ 2 does what takes many words to tell, all of it",
		"  2:00:00  × ends          │",
		"  2:00:00  3 d begins      │",
		"  2:00:00  │               × ends",
		"  2:00:00  × is heard of again",
		`  2:00:00  • says\x1b[31m something`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
