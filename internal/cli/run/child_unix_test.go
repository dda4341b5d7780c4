//go:build unix

package run

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asRole names what this program does instead of its tests: what ends or replaces a process is tried in another one.
const asRole = "AMICTL_TEST_ROLE"

func TestMain(m *testing.M) {
	if role, ok := roles()[os.Getenv(asRole)]; ok {
		role(os.Args[1:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// roles are what a child may do.
func roles() map[string]func(words []string) {
	return map[string]func([]string){
		"watch": playWatch, "die": playDie, "core": playCore, "panic": playPanic, "daemon": playDaemon, "terminal": playTerminal,
		"nohup": playNohup,
	}
}

// A child is this program in a role, with 20 seconds to live.
type child struct {
	*exec.Cmd
	t     *testing.T
	out   *os.File
	lines *bufio.Reader // what it says on standard output
	errs  bytes.Buffer
}

// startChild starts a child; set may change it before that.
func startChild(t *testing.T, role string, words []string, set func(*exec.Cmd)) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, Cmd: exec.CommandContext(ctx, own, words...)}
	c.Env = slices.Concat(os.Environ(), []string{asRole + "=" + role, "GOCOVERDIR=" + t.TempDir()})
	c.Dir = t.TempDir() // a core file would lie there
	c.Stderr = &c.errs
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out, c.lines, c.Stdout = out, bufio.NewReader(out), w
	t.Cleanup(func() { _ = out.Close() })
	if set != nil {
		set(c.Cmd)
	}
	err = c.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// says wants these lines next.
func (c *child) says(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		line, err := c.lines.ReadString('\n')
		if strings.TrimSuffix(line, "\n") != want {
			c.t.Fatalf("it says %q (%v), want %q: %s", line, err, want, c.errs.String())
		}
	}
}

func (c *child) signal(sig syscall.Signal) {
	c.t.Helper()
	if err := c.Process.Signal(sig); err != nil {
		c.t.Fatal(err)
	}
}

// ends waits for its end.
func (c *child) ends() syscall.WaitStatus {
	_ = c.Wait() // its error says less than the status
	return c.ProcessState.Sys().(syscall.WaitStatus)
}

// diesBy wants a death by a signal, without a core file.
func (c *child) diesBy(sig syscall.Signal) {
	c.t.Helper()
	if s := c.ends(); !s.Signaled() || s.Signal() != sig || s.CoreDump() {
		c.t.Errorf("it ended with %v (status %d, core %t), want %v: %s", s.Signal(), s.ExitStatus(), s.CoreDump(), sig, c.errs.String())
	}
}

// playTerminal tells whether signals come from a terminal; in the background as well if it is asked to.
func playTerminal(words []string) {
	fmt.Println(HasTerminal(), FromTerminal(syscall.SIGINT), FromTerminal(syscall.SIGQUIT), FromTerminal(syscall.SIGTERM), FromTerminal(syscall.SIGHUP))
	if len(words) == 0 {
		return
	}
	own, _ := os.Executable()
	c := exec.Command(own)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Run(); err != nil {
		fmt.Println(err)
	}
}
