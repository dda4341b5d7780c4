//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkOneShot is what commands take that do next to nothing, as scripts and shells run them by the thousand: the programs as `make build`
// builds them, one after the other in each round, so that all have the same machine. A round is an operation; give some hundred of them.
// All figures are medians of the rounds.
func BenchmarkOneShot(b *testing.B) {
	empty, amictl := buildShots(b)
	few, many := fleetConfig(b, 20), fleetConfig(b, 5000)
	ping := []string{amictl, "send", "Ping", "--node", "pbx17", "--dry-run", "--config"}
	tab := []string{amictl, "completion", "fish", "--", "health", "--config", many, "--node", "pbx499"}
	shots := [][]string{{empty}, {amictl, "version"}, append(ping[:len(ping):len(ping)], few), append(ping[:len(ping):len(ping)], many), tab}
	elapsed, used := make([][]time.Duration, len(shots)), make([][]time.Duration, len(shots))
	b.ResetTimer()
	for range b.N {
		for i, words := range shots {
			e, u := shoot(b, words)
			elapsed[i], used[i] = append(elapsed[i], e), append(used[i], u)
		}
	}
	b.StopTimer()
	ms := func(of []time.Duration) float64 {
		slices.Sort(of)
		return float64(of[len(of)/2]) / float64(time.Millisecond)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(elapsed[0]), "empty-ms")
	b.ReportMetric(ms(elapsed[1]), "version-ms")
	b.ReportMetric(ms(elapsed[1])/ms(elapsed[0]), "version-ratio")
	b.ReportMetric(ms(elapsed[3])-ms(elapsed[2]), "nodes-ms")
	b.ReportMetric(ms(used[3])-ms(used[2]), "nodes-cpu-ms")
	b.ReportMetric(ms(elapsed[4]), "completion-ms")
	b.ReportMetric(ms(used[4]), "completion-cpu-ms")
}

// shoot runs a command, and returns how long it took, and for how long it had a processor.
func shoot(b *testing.B, words []string) (elapsed, used time.Duration) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), words[0], words[1:]...)
	cmd.Env = []string{"HOME=" + b.TempDir()}
	var out bytes.Buffer
	cmd.Stdout = &out
	start := time.Now()
	err := cmd.Run()
	elapsed = time.Since(start)
	if err != nil || len(words) > 1 && out.Len() == 0 {
		b.Fatalf("%q: %v, it printed %q", words, err, out.String())
	}
	return elapsed, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// buildShots builds an empty program, and amictl.
func buildShots(b *testing.B) (empty, amictl string) {
	b.Helper()
	dir := b.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	build := func(name, what string) string {
		path := filepath.Join(dir, name)
		cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, what)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s cannot be built: %v\n%s", what, err, out)
		}
		return path
	}
	return build("empty", source), build("amictl", ".")
}

// fleetConfig writes a configuration of so many nodes.
func fleetConfig(b *testing.B, nodes int) (path string) {
	b.Helper()
	var text strings.Builder
	text.WriteString("context = \"fleet\"\n[contexts.fleet]\nuser = \"admin\"\nsecret = \"env:SECRET\"\n")
	for i := range nodes {
		fmt.Fprintf(&text, "[contexts.fleet.nodes.pbx%d]\nurl = \"ami://10.0.%d.%d:5038\"\nlabels = { site = \"s%d\" }\n", i, i/250, i%250, i%20)
	}
	path = filepath.Join(b.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}
