//go:build unix

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
)

// BenchmarkSendDry is `send - --dry-run` of the lines of BenchmarkSendLines/fields: it costs no more than sending them.
func BenchmarkSendDry(b *testing.B) {
	line := `{"action":"Ping","fields":{"Channel":"PJSIP/100-00000001","Variable":"CALLERID(num)"},"id":"7"}` + "\n"
	args := []string{"send", "-", "--dry-run", "--node", "ami://admin@127.0.0.1:9", "-o", "jsonl", "-q"}
	r := benchUser(b)(strings.Repeat(line, b.N), args...)
	b.ResetTimer()
	start, used := time.Now(), processorTime(b)
	if status := cli.Execute(b.Context(), r); status != fail.ExitOK {
		b.Fatalf("send ended with %d", status)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "actions/s")
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op")
}
