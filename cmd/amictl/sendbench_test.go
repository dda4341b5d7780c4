//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// BenchmarkSendLines is `amictl send -` from a file of lines to one of JSON lines, with the simulator for a server. An
// operation is one line.
func BenchmarkSendLines(b *testing.B) {
	b.Run("ping", func(b *testing.B) { benchmarkSend(b, `{"action":"Ping","id":"%d"}`) })
	b.Run("fields", func(b *testing.B) {
		benchmarkSend(b, `{"action":"Ping","fields":{"Channel":"PJSIP/100-%08x","Variable":"CALLERID(num)"},"id":"7"}`)
	})
}

func benchmarkSend(b *testing.B, line string) {
	addr := startServer(b, "answers")
	dir := b.TempDir()
	secret, lines, answers := filepath.Join(dir, "secret"), filepath.Join(dir, "lines"), filepath.Join(dir, "answers")
	var text []byte
	for i := range b.N {
		text = fmt.Appendf(text, line+"\n", i)
	}
	for path, content := range map[string][]byte{secret: []byte(amitest.DefaultSecret + "\n"), lines: text} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	in, err := os.Open(lines)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(answers)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	env := func(name string) (string, bool) { return dir, name == "HOME" }
	args := []string{"send", "--node", "ami://" + amitest.DefaultUser + "@" + addr, "--secret-file", secret, "-", "-o", "jsonl", "-q"}
	r := run.New(args, in, out, os.Stderr, env)
	b.ResetTimer()
	start, used := time.Now(), processorTime(b)
	if status := cli.Execute(b.Context(), r); status != fail.ExitOK {
		b.Fatalf("send ended with %d", status)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "actions/s")
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op") // what a busy machine does not change
	b.StopTimer()
	if got, err := os.ReadFile(answers); err != nil || bytes.Count(got, []byte(`"response":"Success"`)) != b.N {
		b.Fatalf("%d of %d lines were answered, %v", bytes.Count(got, []byte(`"response":"Success"`)), b.N, err)
	}
}
