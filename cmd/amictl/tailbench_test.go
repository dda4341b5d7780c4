//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
)

// BenchmarkTail is what `amictl tail` takes from a socket and writes as JSON lines, or as nothing, with names, conditions,
// time stamps, gaps and rings as always. An operation is one event of about 340 bytes. "max" is an endless flood, and "600k"
// what should pass without throttling.
func BenchmarkTail(b *testing.B) {
	b.Run("max", func(b *testing.B) { benchmarkTail(b, "max", "jsonl") })
	b.Run("none", func(b *testing.B) { benchmarkTail(b, "max", "none") })
	b.Run("table", func(b *testing.B) { benchmarkTail(b, "max", "table") })
	b.Run("600k", func(b *testing.B) { benchmarkTail(b, "600000", "jsonl") })
	b.Run("spool", func(b *testing.B) { benchmarkTail(b, "max", "jsonl", "--spool", "1G") })
}

// BenchmarkTailEngine is the same flood to a subscription of the engine alone.
func BenchmarkTailEngine(b *testing.B) {
	addr := startServer(b, "max")
	b.ResetTimer()
	c, err := ami.Dial(b.Context(), ami.Config{Addr: addr, Username: "admin", Secret: ami.StaticSecret("secret"), Events: "on"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	sub, err := c.Subscribe(ami.SubscribeOptions{RingEvents: target.RingEvents, RingBytes: target.RingBytes, Throttle: true})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	for range b.N {
		if ev, err := sub.NextBorrowed(b.Context()); err != nil || ev.Gap != nil {
			b.Fatal(err, "or an event was lost")
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
}

// startServer starts another process that serves as serverVariable says, and returns its address.
func startServer(b *testing.B, what string) string {
	server := exec.Command(os.Args[0]) //nolint:gosec // itself
	server.Env = append(os.Environ(), serverVariable+"="+what)
	stop, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stop.Close(); _ = server.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// benchUser returns what starts amictl for a benchmark: as a user with an empty home and a secret, whose output nobody reads.
func benchUser(b *testing.B) func(stdin string, args ...string) *run.Run {
	b.Helper()
	home := b.TempDir()
	variables := map[string]string{"HOME": home, "AMICTL_SECRET_FILE": filepath.Join(home, "secret")}
	if err := os.WriteFile(variables["AMICTL_SECRET_FILE"], []byte("secret\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = null.Close() })
	env := func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
	return func(stdin string, args ...string) *run.Run {
		return run.New(args, strings.NewReader(stdin), null, os.Stderr, env)
	}
}

func benchmarkTail(b *testing.B, rate, format string, more ...string) {
	addr := startServer(b, rate)
	args := []string{"tail", "--node", "ami://admin@" + addr, "-o", format, "-q", "--count", strconv.Itoa(b.N)}
	r := benchUser(b)("", append(args, more...)...)
	b.SetBytes(int64(len(shapes.Calls()) / strings.Count(shapes.Calls(), "\r\n\r\n")))
	b.ResetTimer()
	start, used := time.Now(), processorTime(b)
	if status := cli.Execute(b.Context(), r); status != fail.ExitOK {
		b.Fatalf("tail ended with %d", status)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
	b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "cpu-ns/op") // what a busy machine does not change
	b.ReportMetric(float64(r.Dropped)/float64(b.N), "dropped/op")            // over 0: the rate is not one to promise
}

// processorTime is what the process has used so far, of all cores.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
