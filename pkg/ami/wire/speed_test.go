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

// The decoder against its references in one run; the floors are far under what is measured (docs/PERFORMANCE.md), so that
// only a real loss of speed fails, not a noisy machine.
func TestDecodeFloors(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: speed says nothing in short runs")
	}
	for _, tt := range []struct {
		name            string
		ours, reference func(*testing.B)
		floor           float64
	}{
		{"borrowed, against a scan", BenchmarkDecodeBorrowed, BenchmarkReferenceScan, 0.25},
		{"owned, against a scan", BenchmarkDecodeOwned, BenchmarkReferenceScan, 0.12},
		{"owned, against textproto", BenchmarkDecodeOwned, BenchmarkReferenceTextproto, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			best := 0.0
			for range 3 {
				ours, reference := testing.Benchmark(tt.ours), testing.Benchmark(tt.reference)
				if best = max(best, float64(reference.NsPerOp())/float64(ours.NsPerOp())); best >= tt.floor {
					return
				}
			}
			t.Errorf("only %.2f times as fast, the floor is %.2f", best, tt.floor)
		})
	}
}
