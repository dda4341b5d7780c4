//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A bench of processes: a server that never answers its slow actions, and amictl with the secret to it.
type process struct {
	t       *testing.T
	server  *amitest.Server
	env     []string
	home    string
	arrived chan string // names of slow actions that the server has taken up
}

func newProcess(t *testing.T, slow ...string) *process {
	t.Helper()
	if len(slow) == 0 {
		slow = []string{"Slow", "Command", "Originate", "CoreStatus"}
	}
	p := &process{t: t, home: t.TempDir(), arrived: make(chan string, 100)}
	p.server = amitest.NewServer(amitest.WithFailDelay(time.Millisecond), amitest.WithSetup(dialplan))
	t.Cleanup(p.server.Close)
	silent := func(r *amitest.Request, _ *amitest.ResponseWriter) { p.arrived <- r.Action() } // and no answer ever
	for _, name := range slow {
		p.server.HandleClass(name, amitest.ClassNone, silent)
	}
	secret := filepath.Join(p.home, "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"HOME=" + p.home, "AMICTL_SECRET_FILE=" + secret, "AMICTL_NODE=ami://admin@" + p.server.Addr(), "PATH=" + os.Getenv("PATH")}
	p.env = append(p.env, inherited()...)
	return p
}

// command is `amictl ARG...`, killed after 30 s.
func (p *process) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	p.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the test's own
	c.Env, c.Dir = p.env, p.home
	return c
}

// emit sends an event each 5 ms until the test ends.
func (p *process) emit() {
	stop, done := make(chan struct{}), make(chan struct{})
	p.t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				p.server.EmitEvent("UserEvent", "UserEvent", "x", "Text", strings.Repeat("y", 200))
			}
		}
	}()
}

// gone wants every session of the server to end soon.
func (p *process) gone(what string) {
	p.t.Helper()
	for range 500 {
		if p.server.Ledger().Sessions == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Errorf("%s: its connection is still open", what)
}

// has reports whether amictl has that subcommand.
func (p *process) has(subcommand string) bool {
	return p.command("amictl", "help", subcommand).Run() == nil
}

// Even a KILL of the parent leaves no simulated servers behind, and not the command that ran against them.
func TestKillLeavesNoChildren(t *testing.T) {
	p := newProcess(t)
	for _, args := range []string{"bench -q --sim 2 --duration 1h", "sim --nodes 2", "sim -- sleep 1000"} {
		if name, _, _ := strings.Cut(args, " "); !p.has(name) {
			continue
		}
		c := p.command(append([]string{"amictl"}, strings.Fields(args)...)...)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		_ = c.Process.Kill()
		_ = c.Wait()
		noChildren(t, "amictl "+args, c.Process.Pid)
	}
}

// A signal ends whatever reads a standard input that says nothing more.
func TestSignalWhileReading(t *testing.T) {
	p := newProcess(t)
	for _, args := range []string{"tail --from -", "tail --from /dev/stdin", "send - --dry-run", "check -", "send Ping --node @-"} {
		c := p.command(append([]string{"amictl"}, strings.Fields(args)...)...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(bytes.Repeat([]byte("\n"), 512<<10)); err != nil { // more than the pipe holds: it reads
			t.Fatalf("amictl %s: %v", args, err)
		}
		_ = c.Process.Signal(syscall.SIGINT)
		_ = c.Wait()
		if state := c.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != syscall.SIGINT || stderr.Len() > 0 {
			t.Errorf("amictl %s: it ended with %v: %s", args, c.ProcessState, stderr.String())
		}
	}
}

// wholeLines wants a file of whole JSON lines, and some.
func wholeLines(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		t.Fatalf("%s: %v, %d bytes", path, err, len(text))
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("%s ends inside a line", path)
	}
	for line := range bytes.Lines(text) {
		if !json.Valid(line) {
			t.Errorf("%s: not JSON: %s", path, line)
		}
	}
}

// Whoever read standard output is gone after one line: death by SIGPIPE, silently, and the connections are closed.
func TestClosedStdout(t *testing.T) {
	p := newProcess(t)
	p.emit()
	p.server.State().SetCommand("long", func(string) (string, bool) { return strings.Repeat("line\n", 100_000), true })
	p.server.HandleClass("Long", amitest.ClassNone, func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart("list")
		for range 20_000 {
			w.Item("Entry", "Name", strings.Repeat("n", 50))
		}
		w.ListEnd("LongComplete")
	})
	for _, args := range []string{"tail", "tail -o table", "tail -o raw", "send Long --items", "send Long -o raw", "send Long --items -o table"} {
		c := p.command(append([]string{"amictl"}, strings.Fields(args)...)...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Errorf("amictl %s: %v", args, err)
		}
		_ = out.Close()
		_ = c.Wait()
		if state := c.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != syscall.SIGPIPE {
			t.Errorf("amictl %s | head -1: it ended with %v: %s", args, c.ProcessState, stderr.String())
		}
		if stderr.Len() > 0 {
			t.Errorf("amictl %s | head -1: it said %s", args, stderr.String())
		}
		p.gone("amictl " + args + " | head -1")
	}
}

// A disk that is full is an error that says so, never a quiet success or a crash.
func TestFullDisk(t *testing.T) {
	p := newProcess(t)
	p.emit()
	full := "/dev/full"
	targets := map[string]string{"/dev/full": full}
	if dir := t.TempDir(); os.Geteuid() == 0 && syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k") == nil {
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		targets["a file system of 64 KiB"] = filepath.Join(dir, "file")
	}
	for name, path := range targets {
		p.fails(name+", --record", "", "amictl", "tail", "--count", "2000", "-q", "-o", "none", "--record", path)
		journal := path
		if path != full {
			journal += ".csv"
		}
		p.fails(name+", --out of dial", "", "amictl", "dial", p.file("numbers.csv", "number\n100\n"), "-q", "--channel", "Local/{number}@default", "--application", "Wait", "--out", journal)
		p.fails(name+", standard output of tail", path, "amictl", "tail", "--count", "2000")
		if p.has("bench") {
			p.fails(name+", --out of bench", "", "amictl", "bench", "-q", "--sim", "2", "--actions", "200", "--out", path)
		}
	}
	if path := targets["a file system of 64 KiB"]; path != "" {
		p.fails("a full file system, --out of health", "", "amictl", "health", "-o", "prometheus", "--out", path+".prom", "--node", "ami://admin@127.0.0.1:1")
	}
	for _, args := range []string{"send ListCommands", "send ListCommands -o raw", "events", "actions", "config explain", "version", "help tail"} {
		p.fails("/dev/full, "+args, full, append([]string{"amictl"}, strings.Fields(args)...)...)
	}
}

// --out writes into what is no regular file, and does not put one in its place: run by root it would replace devices.
func TestOutKeepsWhatIsNoFile(t *testing.T) {
	p := newProcess(t)
	fifo := filepath.Join(p.home, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0) // so that nobody waits for the other end
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, args := range []string{"health -o prometheus --node ami://admin@127.0.0.1:1 --out " + fifo, "bench -q --sim 1 --actions 20 --out " + fifo} {
		c := p.command(append([]string{"amictl"}, strings.Fields(args)...)...)
		out, _ := c.CombinedOutput() // nobody listens on port 1: health fails, but writes
		if info, err := os.Lstat(fifo); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			t.Fatalf("amictl %s: the pipe is no pipe any more: %v: %s", args, err, out)
		}
		if n, err := f.Read(make([]byte, 1<<16)); err != nil || n == 0 {
			t.Errorf("amictl %s: nothing came: %v: %s", args, err, out)
		}
	}
}

// fails runs a command, its standard output into a file if one is given, and wants an error of one or two lines.
func (p *process) fails(what, stdout string, args ...string) {
	p.t.Helper()
	c := p.command(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if stdout != "" {
		f, err := os.OpenFile(stdout, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			p.t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		c.Stdout = f
	}
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case !errors.As(err, &exit):
		p.t.Errorf("%s: it ended well (%v)", what, err)
	case stdout != "" && exit.ExitCode() != fail.ExitLost, exit.ExitCode() < 1 || exit.ExitCode() == fail.ExitBug:
		p.t.Errorf("%s: it ended with %v: %s", what, err, stderr.String())
	}
	if text := stderr.String(); !strings.Contains(text, "no space left") || strings.Count(text, "\n") > 2 {
		p.t.Errorf("%s: it says %q", what, text)
	}
}

// With no descriptors left the nodes that got none say so, the others work, and nothing crashes or hangs.
func TestDescriptorsExhausted(t *testing.T) {
	p := newProcess(t)
	cluster := amitest.NewCluster(30)
	t.Cleanup(cluster.Close)
	var nodes []string
	for _, s := range cluster.Servers() {
		// No session ends before all are dialled, or fewer descriptors would do.
		s.HandleClass("Ping", amitest.ClassNone, func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Sleep(time.Second)
			w.Reply("Success", amitest.Header{Name: "Ping", Value: "Pong"})
		})
		nodes = append(nodes, "--node ami://admin@"+s.Addr())
	}
	all := strings.Join(nodes, " ")
	for _, tt := range []struct{ args, status string }{
		{"send Ping --all " + all, "6"},
		{"health " + all, "6"},
		{"tail --for 1s --require 1 " + all, "0"},
	} {
		c := p.command("sh", "-c", "ulimit -n 24; amictl "+tt.args+"; echo status=$?")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("amictl %.20s: %v: %s", tt.args, err, out)
		}
		if !bytes.Contains(out, []byte("status="+tt.status)) || bytes.Contains(out, []byte("goroutine ")) {
			t.Errorf("amictl %.20s with 24 descriptors: want status %s:\n%s", tt.args, tt.status, out)
		}
		if tt.status == "6" && !bytes.Contains(out, []byte("too many open files")) {
			t.Errorf("amictl %.20s does not say what was missing:\n%s", tt.args, out)
		}
	}
	// Not even one beyond the Go runtime's own: an error, no crash.
	c := p.command("sh", "-c", "ulimit -n 9; amictl send Ping; echo status=$?")
	if out, _ := c.CombinedOutput(); !bytes.Contains(out, []byte("status=")) || bytes.Contains(out, []byte("goroutine ")) || bytes.Contains(out, []byte("status=70")) {
		t.Errorf("amictl send with 9 descriptors:\n%s", out)
	}
}
