//go:build unix

package main

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
)

// BenchmarkTailRecord is an endless flood to a record on disk, against the same to JSON lines alone.
func BenchmarkTailRecord(b *testing.B) {
	b.Run("lines", func(b *testing.B) { benchmarkTailRecord(b, "jsonl", false) })
	b.Run("record", func(b *testing.B) { benchmarkTailRecord(b, "none", true) })
	b.Run("both", func(b *testing.B) { benchmarkTailRecord(b, "jsonl", true) })
}

func benchmarkTailRecord(b *testing.B, format string, record bool) {
	addr := startServer(b, "max")
	args := []string{"tail", "--node", "ami://admin@" + addr, "-o", format, "-q", "--count", strconv.Itoa(b.N)}
	if record {
		args = append(args, "--record", filepath.Join(b.TempDir(), "events.jsonl"))
	}
	r := benchUser(b)("", args...)
	b.ResetTimer()
	start, used := time.Now(), processorTime(b)
	if status := cli.Execute(b.Context(), r); status != fail.ExitOK {
		b.Fatalf("tail ended with %d", status)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(r.Dropped)/float64(b.N), "dropped/op")
}
