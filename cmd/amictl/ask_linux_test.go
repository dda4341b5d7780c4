package main

import (
	"bytes"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/apntalk/amictl/internal/pty"
)

// A signal ends a run that waits for an answer, and a terminal that was told not to show a secret shows what is typed
// again.
func TestSignalAtAQuestion(t *testing.T) {
	p := newProcess(t)
	for _, tt := range []struct{ answer, question string }{
		{"", "URL of the server"},
		{"ami://admin@127.0.0.1:1\n\n", "Secret"},
	} {
		person, tty := pty.New(t, 80)
		c := p.command("amictl", "context", "add", "lab", "--config", "new.toml")
		c.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH")}
		c.Stdin, c.Stderr = tty, tty
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := person.WriteString(tt.answer); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		for buf := make([]byte, 256); !bytes.Contains(said.Bytes(), []byte(tt.question)); {
			n, err := person.Read(buf)
			if err != nil {
				t.Fatalf("%v: it said %q", err, said.Bytes())
			}
			said.Write(buf[:n])
		}
		_ = c.Process.Signal(syscall.SIGINT)
		_ = c.Wait()
		if state := c.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != syscall.SIGINT {
			t.Errorf("at %q it ended with %v", tt.question, c.ProcessState)
		}
		if mode, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil || mode.Lflag&unix.ECHO == 0 {
			t.Errorf("at %q the terminal was left without echo (%v)", tt.question, err)
		}
	}
}
