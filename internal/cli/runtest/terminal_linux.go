package runtest

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// AtTerminal puts the run's standard input and standard error on a terminal of its own, at which these lines have been
// typed. What the terminal shows, and what is typed on it, comes to Err a moment later: see Eventually.
func (r *Run) AtTerminal(t testing.TB, typed ...string) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(typed) > 0 {
		if _, err := io.WriteString(keyboard, strings.Join(typed, "\n")+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	shown := make(chan struct{})
	go func() {
		_, _ = io.Copy(r.Err, keyboard) // fails when the other end is gone
		close(shown)
	}()
	t.Cleanup(func() {
		_ = screen.Close()
		<-shown
		_ = keyboard.Close()
	})
	r.Stdin, r.Stderr = screen, screen
}
