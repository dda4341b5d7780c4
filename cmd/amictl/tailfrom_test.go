//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/shapes"
)

// BenchmarkTailFrom is `tail --from` of a record against the same events in a capture of what a server sent: to JSON lines, to
// nothing, and through a filter that lets one in three pass.
func BenchmarkTailFrom(b *testing.B) {
	capture, record := replayFiles(b)
	for _, how := range []struct {
		name string
		args []string
	}{
		{"lines", []string{"-o", "jsonl"}},
		{"none", []string{"-o", "none"}},
		{"filter", []string{"-o", "none", "Hangup", "--where", "Cause=16"}},
	} {
		b.Run("capture-"+how.name, func(b *testing.B) { benchmarkTailFrom(b, capture, how.args) })
		b.Run("record-"+how.name, func(b *testing.B) { benchmarkTailFrom(b, record, how.args) })
	}
}

// replayEvents is how many events the files hold.
const replayEvents = 400_000

func replayFiles(b *testing.B) (capture, record string) {
	b.Helper()
	packets := shapes.Calls()
	each := strings.Count(packets, "\r\n\r\n")
	capture, record = filepath.Join(b.TempDir(), "capture.txt"), filepath.Join(b.TempDir(), "events.jsonl")
	if err := os.WriteFile(capture, []byte(strings.Repeat(packets, replayEvents/each+1)), 0o600); err != nil {
		b.Fatal(err)
	}
	out, err := os.Create(record)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	home := b.TempDir()
	r := run.New([]string{"tail", "--from", capture, "-q"}, strings.NewReader(""), out, os.Stderr, func(name string) (string, bool) { return home, name == "HOME" })
	if status := cli.Execute(b.Context(), r); status != fail.ExitOK {
		b.Fatalf("tail ended with %d", status)
	}
	lines, err := os.ReadFile(record)
	if err != nil {
		b.Fatal(err)
	}
	stamp := []byte(`{"type":"event","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,`)
	stamped := bytes.ReplaceAll(lines, []byte(`{"type":"event",`), stamp) // as of a live tail
	if err := os.WriteFile(record, stamped, 0o600); err != nil {
		b.Fatal(err)
	}
	return capture, record
}

func benchmarkTailFrom(b *testing.B, file string, args []string) {
	amictl := benchUser(b)
	events := 0
	start, used := time.Now(), processorTime(b)
	for b.Loop() {
		r := amictl("", append([]string{"tail", "--from", file, "-q"}, args...)...)
		if status := cli.Execute(b.Context(), r); status != fail.ExitOK {
			b.Fatalf("tail ended with %d", status)
		}
		events += replayEvents
	}
	b.ReportMetric(float64(events)/time.Since(start).Seconds(), "events/s")
	b.ReportMetric(float64(processorTime(b)-used)/float64(events), "cpu-ns/event") // what a busy machine does not change
}
