//go:build !race

package wire

import "testing"

// Exact counts: a borrowed message is nothing to the allocator, an owned one is one allocation.
func TestDecodeAllocations(t *testing.T) {
	const events = 100
	data := stream(events)
	d := NewDecoder(Limits{})
	run := func(clone bool) float64 {
		return testing.AllocsPerRun(20, func() {
			d.Feed(data)
			for range events {
				m, err := d.Next()
				if err != nil {
					t.Fatal(err)
				}
				if clone {
					owned = m.Clone()
				}
			}
		}) / events
	}
	run(false) // grows the buffers
	if borrowed, kept := run(false), run(true); borrowed != 0 || kept != 1 {
		t.Errorf("%.2f allocations a borrowed message, want 0, and %.2f an owned one, want 1", borrowed, kept)
	}
}
