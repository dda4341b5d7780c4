package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// benchText is events of a real server, and how many.
func benchText(b *testing.B) (text string, events int) {
	b.Helper()
	raw, err := os.ReadFile("../../testdata/captures/asterisk22-originate-200.raw")
	if err != nil {
		b.Fatal(err)
	}
	one := string(raw[bytes.Index(raw, []byte("Event:")):])
	text = strings.Repeat(one, 5<<20/len(one))
	return text, strings.Count("\n"+text, "\nEvent:")
}

func benchCount(b *testing.B, text string, events int, count func(io.Reader) int) {
	b.Helper()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if n := count(&pieces{strings.NewReader(text), 64 << 10}); n < events {
			b.Fatalf("%d of %d", n, events)
		}
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkCapture(b *testing.B) {
	text, events := benchText(b)
	for _, shape := range []struct{ name, text string }{
		{"plain", text},
		{"debug", debugLog(strings.SplitAfter(text, "\r\n\r\n")...)},
		{"quoted", each("> ", text)},
	} {
		b.Run(shape.name, func(b *testing.B) {
			benchCount(b, shape.text, events, func(in io.Reader) int { return count(b, in) })
		})
	}
}

// count returns how many packets there are.
func count(b *testing.B, in io.Reader) (n int) {
	r := NewReader()
	r.Open(in, "")
	for {
		_, err := r.Next()
		switch {
		case err == nil:
			n++
		case errors.Is(err, io.EOF):
			return n
		default:
			if err := r.Fill(); errors.Is(err, io.EOF) {
				r.End()
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// The decoder alone is what reads a capture that has nothing but packets.
func BenchmarkReferenceDecoder(b *testing.B) {
	text, events := benchText(b)
	benchCount(b, text, events, func(in io.Reader) (n int) {
		d := wire.NewDecoder(wire.Limits{})
		for {
			read, err := in.Read(d.Space())
			d.Wrote(read)
			for {
				if _, err := d.Next(); err != nil {
					break
				}
				n++
			}
			if err != nil {
				return n
			}
		}
	})
}
