package output

import (
	"io"
	"testing"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
)

// BenchmarkShape is what JSON lines cost by the shape of events: what `make bench` shows a byte and a header.
func BenchmarkShape(b *testing.B) {
	for _, s := range shapes.All() {
		b.Run(s.Name, func(b *testing.B) {
			events := shapeEvents(b, s)
			p := NewPrinter(io.Discard, Options{})
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := p.Event(&events[n%len(events)]); err != nil {
					b.Fatal(err)
				}
				n++
			}
			perEvent := float64(b.Elapsed().Nanoseconds()) / float64(n)
			b.ReportMetric(perEvent/s.Bytes(), "ns/byte")
			b.ReportMetric(perEvent/s.Headers(), "ns/header")
		})
	}
}

func shapeEvents(t testing.TB, s shapes.Shape) (events []ami.Event) {
	for _, p := range s.Packets() {
		events = append(events, ami.Event{Message: message(t, p), Node: "pbx1", Received: noon})
	}
	return events
}
