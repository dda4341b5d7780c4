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
	keyboard, screen := terminal(t, r.Err)
	if len(typed) > 0 {
		if _, err := io.WriteString(keyboard, strings.Join(typed, "\n")+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	r.Stdin, r.Stderr = screen, screen
}

// OnTerminal puts the run's standard output on a terminal of its own. What it shows comes to Out a moment later.
func (r *Run) OnTerminal(t testing.TB, columns, rows uint16) {
	t.Helper()
	_, screen := terminal(t, r.Out)
	if err := unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		t.Fatal(err)
	}
	r.Stdout = screen
}

// terminal makes one that lasts as long as the test: what is typed on it, and what is shown, which goes to out.
func terminal(t testing.TB, out io.Writer) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		screen, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan struct{})
	go func() {
		_, _ = io.Copy(out, keyboard) // fails when the other end is gone
		close(shown)
	}()
	t.Cleanup(func() {
		_ = screen.Close()
		<-shown
		_ = keyboard.Close()
	})
	return keyboard, screen
}
