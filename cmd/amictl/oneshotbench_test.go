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
	"syscall"
	"testing"
	"time"
)

// BenchmarkOneShot is what commands take that do next to nothing, as scripts and shells run them by the thousand: the programs as
// `make build` builds them, each in turn with what it is compared with. An operation is one of both; give some hundred of them. All
// figures are medians.
func BenchmarkOneShot(b *testing.B) {
	empty, amictl := buildShots(b)
	few, many := fleetConfig(b, 20), fleetConfig(b, 5000)
	ping := func(config string) command {
		return command{words: []string{amictl, "send", "Ping", "--node", "pbx17", "--dry-run", "--config", config}}
	}
	tab := func(config string) command {
		return command{words: []string{amictl, "completion", "fish", "--", "health", "--config", config, "--node", "pbx1"}}
	}
	b.Run("version", func(b *testing.B) {
		base, version := shootBoth(b, command{words: []string{empty}}, command{words: []string{amictl, "version"}})
		b.ReportMetric(base.elapsed, "empty-ms")
		b.ReportMetric(version.elapsed, "version-ms")
		b.ReportMetric(version.elapsed/base.elapsed, "ratio")
		b.ReportMetric(version.used/base.used, "cpu-ratio")
	})
	b.Run("nodes", func(b *testing.B) {
		base, full := shootBoth(b, ping(few), ping(many))
		b.ReportMetric(full.elapsed-base.elapsed, "more-ms")
		b.ReportMetric(full.used-base.used, "more-cpu-ms")
	})
	b.Run("completion", func(b *testing.B) {
		_, full := shootBoth(b, tab(few), tab(many))
		b.ReportMetric(full.elapsed, "all-ms")
		b.ReportMetric(full.used, "all-cpu-ms")
	})
	b.Run("command", func(b *testing.B) {
		root, addr := os.Getenv("AMICTL_LAB_22_ROOT"), os.Getenv("AMICTL_LAB_22_ADDR")
		if root == "" || addr == "" {
			b.Skip("SKIPPED: no real Asterisk 22: eval \"$(scripts/asterisk-lab env 22)\"")
		}
		secret := filepath.Join(b.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte(os.Getenv("AMICTL_LAB_22_SECRET_ADMIN")), 0o600); err != nil {
			b.Fatal(err)
		}
		const uptime = "core show uptime"
		rx, ours := shootBoth(b, command{root: root, words: []string{"/usr/sbin/asterisk", "-rx", uptime}},
			command{words: []string{amictl, "command", "--node", "ami://admin@" + addr, "--secret-file", secret, uptime}})
		b.ReportMetric(rx.elapsed, "rx-ms")
		b.ReportMetric(ours.elapsed, "command-ms")
		b.ReportMetric(ours.elapsed/rx.elapsed, "ratio")
	})
}

// A command is a program with its arguments, and the root of the file system that it sees if that is not the machine's.
type command struct {
	root  string
	words []string
}

// A shot is how long a command took, and for how long it had a processor, in milliseconds.
type shot struct{ elapsed, used float64 }

// shootBoth runs two commands in turn, b.N times, and returns the medians of each.
func shootBoth(b *testing.B, one, other command) (medianOne, medianOther shot) {
	b.Helper()
	var elapsed, used [2][]time.Duration
	for range b.N {
		for i, c := range []command{one, other} {
			e, u := shoot(b, c)
			elapsed[i], used[i] = append(elapsed[i], e), append(used[i], u)
		}
	}
	median := func(of []time.Duration) float64 {
		slices.Sort(of)
		return float64(of[len(of)/2]) / float64(time.Millisecond)
	}
	b.ReportMetric(0, "ns/op")
	return shot{median(elapsed[0]), median(used[0])}, shot{median(elapsed[1]), median(used[1])}
}

// shoot runs a command, and returns how long it took, and for how long it had a processor.
func shoot(b *testing.B, c command) (elapsed, used time.Duration) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), c.words[0], c.words[1:]...)
	cmd.Env = []string{"HOME=/nonexistent"}
	if c.root != "" {
		cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Chroot: c.root}, "/"
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	start := time.Now()
	err := cmd.Run()
	elapsed = time.Since(start)
	if err != nil || len(c.words) > 1 && out.Len() == 0 {
		b.Fatalf("%q: %v, it printed %q", c.words, err, out.String())
	}
	return elapsed, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// buildShots builds an empty program, and amictl.
func buildShots(b *testing.B) (empty, amictl string) {
	b.Helper()
	source := filepath.Join(b.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	return buildProgram(b, source), buildProgram(b, ".")
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
