//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// BenchmarkSendDry is `send - --dry-run` of the lines of BenchmarkSendLines/fields: it costs no more than sending them.
func BenchmarkSendDry(b *testing.B) {
	dir := b.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	env := func(name string) (string, bool) { return dir, name == "HOME" }
	line := `{"action":"Ping","fields":{"Channel":"PJSIP/100-00000001","Variable":"CALLERID(num)"},"id":"7"}` + "\n"
	args := []string{"send", "-", "--dry-run", "--node", "ami://admin@127.0.0.1:9", "--secret-file", secret, "-o", "jsonl", "-q"}
	r := run.New(args, strings.NewReader(strings.Repeat(line, b.N)), null, os.Stderr, env)
	b.ResetTimer()
	start, used := time.Now(), processorTime(b)
	if status := cli.Execute(b.Context(), r); status != fail.ExitOK {
		b.Fatalf("send ended with %d", status)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "actions/s")
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op")
}
