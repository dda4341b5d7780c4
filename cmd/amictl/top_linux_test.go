package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apntalk/amictl/internal/pty"
)

// A screenful is what a terminal was sent.
type screenful struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (s *screenful) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screenful) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.text.Bytes(), []byte(text))
}

// Whatever ends a top, or a health --watch, the terminal is as it was: its modes, its screen, its cursor. Without a terminal it begins nothing.
func TestTopLeavesTheTerminal(t *testing.T) {
	unignored(t)
	p := newProcess(t, "Slow")
	for name, end := range map[string]func(c *os.Process, person *os.File){
		"q":    func(_ *os.Process, person *os.File) { _, _ = person.WriteString("q") },
		"^C":   func(_ *os.Process, person *os.File) { _, _ = person.WriteString("\x03") },
		"INT":  func(c *os.Process, _ *os.File) { _ = c.Signal(syscall.SIGINT) },
		"TERM": func(c *os.Process, _ *os.File) { _ = c.Signal(syscall.SIGTERM) },
		"HUP":  func(c *os.Process, _ *os.File) { _ = c.Signal(syscall.SIGHUP) },
		"QUIT": func(c *os.Process, _ *os.File) { _ = c.Signal(syscall.SIGQUIT) },
		"ABRT": func(c *os.Process, _ *os.File) { _ = c.Signal(syscall.SIGABRT) },
	} {
		leavesTerminal(t, p, name, "0 calls", end, "top")
		if name != "q" {
			leavesTerminal(t, p, name, "1 of 1 node ready", end, "health", "--watch")
		}
	}
	c := p.command("amictl", "top")
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != 2 || !bytes.Contains(out, []byte("top is for a terminal")) {
		t.Errorf("without a terminal it ended with %v: %s", err, out)
	}
}

// What is said of connections does not come between what top draws.
func TestTopIsNotWrittenOver(t *testing.T) {
	p := newProcess(t, "Slow")
	person, tty := pty.New(t, 80)
	c := p.command("amictl", "top")
	c.Env = append(c.Env, "TERM=xterm-256color")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var seen screenful
	go func() { _, _ = io.Copy(&seen, person) }()
	await := func(what string, holds func() bool) {
		for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: it shows %q", what, seen.text.String())
			}
		}
	}
	await("it begins", func() bool { return seen.has("0 calls") })
	logins := p.server.Ledger().Logins
	p.server.Kick()
	await("it is back", func() bool { return p.server.Ledger().Logins > logins })
	_, _ = person.WriteString("q")
	_ = c.Wait()
	for _, text := range []string{"the connection was lost", "is back after"} {
		if seen.has(text) {
			t.Errorf("it shows %q", text)
		}
	}
	_, _ = tty.Close(), person.Close()
}

// A terminal that cannot be drawn on is refused before anything is sent.
func TestTopOnADumbTerminal(t *testing.T) {
	p := newProcess(t, "Slow")
	_, tty := pty.New(t, 80)
	c := p.command("amictl", "top")
	c.Env = append(c.Env, "TERM=dumb")
	var said bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = tty, tty, &said
	_ = c.Run()
	if c.ProcessState.ExitCode() != 2 || !strings.Contains(said.String(), `"dumb"`) || !strings.Contains(said.String(), "`amictl state`") {
		t.Errorf("it ended with %v: %s", c.ProcessState, said.String())
	}
}

// leavesTerminal runs a command on a terminal until it shows a sign, ends it, and sees that the terminal is as it was.
func leavesTerminal(t *testing.T, p *process, name, sign string, end func(c *os.Process, person *os.File), args ...string) {
	t.Helper()
	person, tty := pty.New(t, 80)
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	c := p.command(append([]string{"amictl"}, args...)...)
	c.Env = append(c.Env, "TERM=xterm-256color")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, nil
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var seen screenful
	go func() { _, _ = io.Copy(&seen, person) }()
	for deadline := time.Now().Add(20 * time.Second); !seen.has(sign); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it shows %q", name, seen.text.String())
		}
	}
	end(c.Process, person)
	_ = c.Wait()
	for deadline := time.Now().Add(10 * time.Second); !seen.has("\x1b[?1049l"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: the screen is not what it was", name)
		}
	}
	if after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil || *after != *before {
		t.Errorf("%s: the modes are %+v, were %+v (%v)", name, after, before, err)
	}
	_, _ = tty.Close(), person.Close()
}
