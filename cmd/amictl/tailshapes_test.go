//go:build unix

package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/shapes"
)

// BenchmarkTailShape is what all of `amictl tail -o jsonl` takes of the processors by the shape of events, from the socket to
// the lines: what `make bench` shows a byte and a header, and the memory that it is resident in.
func BenchmarkTailShape(b *testing.B) {
	for _, s := range shapes.All() {
		b.Run(s.Name, func(b *testing.B) { benchmarkTailShape(b, s) })
	}
}

// forgetPeak begins the peak of the process's memory anew. It works on Linux alone.
func forgetPeak() {
	debug.FreeOSMemory() // what earlier shapes left behind
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// peak returns the most memory that the process was resident in, in megabytes, or 0 where that is not known.
func peak() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kb / 1000
}

func benchmarkTailShape(b *testing.B, s shapes.Shape) {
	addr := startServer(b, shapePrefix+s.Name)
	count := max(b.N*340/int(s.Bytes()), 1000) // as many bytes of each shape
	args := []string{"tail", "--node", "ami://admin@" + addr, "-o", "jsonl", "-q", "--count", strconv.Itoa(count)}
	r := benchUser(b)("", args...)
	forgetPeak()
	b.ResetTimer()
	used := processorTime(b)
	if status := cli.Execute(b.Context(), r); status != fail.ExitOK {
		b.Fatalf("tail ended with %d", status)
	}
	each := float64(processorTime(b)-used) / float64(count)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(each, "cpu-ns/event")
	b.ReportMetric(each/s.Bytes(), "ns/byte")
	b.ReportMetric(each/s.Headers(), "ns/header")
	b.ReportMetric(float64(r.Dropped)/float64(count), "dropped/op")
	b.ReportMetric(peak(), "MB")
}
