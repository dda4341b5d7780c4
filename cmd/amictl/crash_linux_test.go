package main

import (
	"bytes"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apntalk/amictl/internal/canary"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// limited has the processes that the test starts from now on live under a limit.
func limited(t *testing.T, resource int, soft uint64) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(resource, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: min(soft, before.Max), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(resource, &before) })
}

// noCore wants a process that a signal ended to have left no core file.
func noCore(t *testing.T, what, folder string, state syscall.WaitStatus) {
	t.Helper()
	if cores, _ := filepath.Glob(filepath.Join(folder, "*core*")); state.CoreDump() || len(cores) > 0 {
		t.Errorf("%s: there is a core file: %v", what, cores)
	}
}

// A crash is no status 2, which means that nothing was sent: the process dies by a signal, and its memory is not written
// to a file.
func TestCrashesDieBySignal(t *testing.T) {
	limited(t, unix.RLIMIT_CORE, unix.RLIM_INFINITY)
	p := newProcess(t)
	for how := range crashes {
		if how == "quietly" || testing.Short() && (how == "memory" || how == "stack") {
			continue
		}
		c := p.command("crash", "now", how)
		if how == "memory" {
			c = p.command("sh", "-c", "ulimit -v 3000000; exec crash now memory")
		}
		c.Env = append(c.Env, "GOTRACEBACK=single")
		if how == "map" { // its race is what it is told to do: the detector's report stays with it
			c.Env = append(c.Env, "GORACE=")
		}
		var stderr bytes.Buffer
		c.Stderr = &stderr
		_ = c.Run()
		state := c.ProcessState.Sys().(syscall.WaitStatus)
		if !state.Signaled() || state.Signal() != syscall.SIGABRT {
			t.Errorf("%s: it ended with %v", how, c.ProcessState)
		}
		if !strings.Contains(stderr.String(), "goroutine ") {
			t.Errorf("%s: it does not say where: %.300s", how, stderr.String())
		}
		noCore(t, how, p.home, state)
	}
}

// What nobody knows is 70, and so is a panic that is caught.
func TestUnknownErrorsAreBugs(t *testing.T) {
	p := newProcess(t)
	for _, how := range []string{"error", "main"} {
		out, _ := p.command("crash", "now", how).CombinedOutput()
		if !strings.Contains(string(out), "report") || !bytes.Contains(out, []byte("amictl: ")) {
			t.Errorf("%s: %s", how, out)
		}
		c := p.command("crash", "now", how)
		_ = c.Run()
		if status := c.ProcessState.ExitCode(); status != fail.ExitBug {
			t.Errorf("%s: status %d", how, status)
		}
	}
}

// Signals that end a Go program with status 2 when nobody handles them end amictl by a signal. QUIT and its like dump the
// stacks, without a secret and without a core file.
func TestFatalSignals(t *testing.T) {
	limited(t, unix.RLIMIT_CORE, unix.RLIM_INFINITY)
	p := newProcess(t)
	srv := amitest.NewServer(amitest.WithUsers(amitest.User{Name: "admin", Secret: canary.Secret, Read: amitest.ClassAll, Write: amitest.ClassAll}))
	t.Cleanup(srv.Close)
	p.file("secret", canary.Secret+"\n")
	for i, e := range p.env {
		if strings.HasPrefix(e, "AMICTL_NODE=") {
			p.env[i] = "AMICTL_NODE=ami://admin@" + srv.Addr()
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGSYS} {
		c := p.prepare("tail")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			if srv.Ledger().Sessions > 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		_ = c.Process.Signal(sig)
		_ = c.Wait()
		state := c.ProcessState.Sys().(syscall.WaitStatus)
		if !state.Signaled() || state.Signal() != sig {
			t.Errorf("%v: it ended with %v", sig, c.ProcessState)
		}
		if !strings.Contains(c.stderr.String(), "goroutine ") {
			t.Errorf("%v: no dump: %.300s", sig, c.stderr.String())
		}
		if how := canary.Leak(c.stderr.Bytes()); how != "" {
			t.Errorf("%v: the dump holds the secret %s", sig, how)
		}
		noCore(t, sig.String(), p.home, state)
		for srv.Ledger().Sessions > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// A standard error that nobody reads any more, or that takes nothing more, ends nothing and changes no status.
func TestNobodyReadsStderr(t *testing.T) {
	p := newProcess(t, "Slow")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		skip.Loudly(t, err.Error())
	}
	defer func() { _ = full.Close() }()
	p.file(".config/amictl/config.toml", "[contexts.lab.nodes.a]\nurl = \"ami://admin@"+p.server.Addr()+"\"\nsecret = \"cmd:echo a warning >&2; echo another >&2; cat secret\"\n")
	for args, want := range map[string]int{
		"send Ping -v --trace":       fail.ExitOK,
		"send CoreStatus Nonsense=1": fail.ExitOK, // it warns
		"send Nonsense":              fail.ExitFailed,
		"send":                       fail.ExitUsage,
		"send Ping --node ami://admin@127.0.0.1:1":             fail.ExitConnect,
		"-C lab -n a send Ping --secret-file secret":           fail.ExitOK,
		"tail -v --for 300ms":                                  fail.ExitOK,
		"health -v --watch --rounds 2 --every 100ms":           fail.ExitOK,
		"originate -v --channel Local/300@default --exten 100": fail.ExitFailed,
	} {
		for _, to := range []string{"closed pipe", "full device"} {
			c := p.command(append([]string{"amictl"}, strings.Fields(args)...)...)
			var stdout bytes.Buffer
			c.Stdout = &stdout
			if to == "full device" {
				c.Stderr = full
			} else {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				_ = r.Close()
				defer func() { _ = w.Close() }()
				c.Stderr = w
			}
			_ = c.Run()
			if status := c.ProcessState.ExitCode(); status != want {
				t.Errorf("amictl %s, standard error a %s: %v, want %d", args, to, c.ProcessState, want)
			}
			if want == fail.ExitOK && !strings.Contains(args, "tail") && stdout.Len() == 0 {
				t.Errorf("amictl %s, standard error a %s: no output", args, to)
			}
		}
	}
	// A command that gives the secret, and warns of something meanwhile.
	c := p.command("amictl", "-C", "lab", "-n", "a", "send", "Ping")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	c.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH")}
	c.Stderr = w
	if out, err := c.Output(); err != nil || len(out) == 0 {
		t.Errorf("the secret's command warns: %v", err)
	}
	_ = w.Close()
}

// unignored makes sure that what is started from now on does not ignore HUP, as under nohup.
func unignored(t *testing.T) {
	t.Helper()
	hold := make(chan os.Signal, 1)
	signal.Notify(hold, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hold) })
}

// Without a terminal a SIGHUP has tail --record go on in a new file of the old name, even while no event comes. Nothing is
// lost and nothing is there twice.
func TestHangupReopensTheRecord(t *testing.T) {
	unignored(t)
	p := newProcess(t, "Slow")
	c := p.prepare("tail --record rec.jsonl -o none")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p.await("tail", "login", c)
	path := filepath.Join(p.home, "rec.jsonl")
	emit := func(text string) { p.server.EmitEvent("UserEvent", "UserEvent", "x", "Text", text) }
	until := func(what string, ok func() bool) {
		t.Helper()
		for range 1000 {
			if ok() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s: %s", what, c.stderr.String())
	}
	holds := func(name, text string) func() bool {
		return func() bool { b, _ := os.ReadFile(name); return strings.Contains(string(b), text) }
	}
	for _, n := range []string{"1", "2", "3"} {
		until("event "+n, func() bool { emit("before" + n); time.Sleep(50 * time.Millisecond); return holds(path, "before"+n)() })
		if err := os.Rename(path, path+"."+n); err != nil {
			t.Fatal(err)
		}
		_ = c.Process.Signal(syscall.SIGHUP)
		until("a new file "+n, func() bool { _, err := os.Stat(path); return err == nil })
		emit("after" + n)
		until("an event behind "+n, holds(path, "after"+n))
		if holds(path+"."+n, "after"+n)() {
			t.Errorf("the old file got the event too")
		}
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
	for _, name := range []string{path + ".1", path + ".2", path + ".3", path} {
		wholeLines(t, name)
	}
	if c.stderr.Len() > 0 {
		t.Errorf("it said %s", c.stderr.String())
	}
}

// With a terminal, and without a record, a SIGHUP ends a tail.
func TestHangupEndsATail(t *testing.T) {
	unignored(t)
	p := newProcess(t, "Slow")
	p.emit()
	for _, args := range []string{"tail", "tail --stats", "wait Nothing", "tail --from fifo"} {
		if strings.Contains(args, "fifo") {
			_ = syscall.Mkfifo(filepath.Join(p.home, "fifo"), 0o600)
		}
		c := p.prepare(args)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		c.Stdout = io.Discard
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		c.diesBy(t, "amictl "+args, syscall.SIGHUP)
		p.gone(args)
	}
}

// Who is started with HUP ignored, as by nohup, goes on.
func TestNohupIsRespected(t *testing.T) {
	p := newProcess(t, "Slow")
	c := p.command("sh", "-c", "trap '' HUP INT; exec amictl tail --for 2s")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	_ = c.Process.Signal(syscall.SIGHUP)
	_ = c.Process.Signal(syscall.SIGINT)
	if err := c.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
