package runtest

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/pty"
)

// AtTerminal puts the run's standard input and standard error on a terminal of its own, at which these lines have been
// typed. What the terminal shows, and what is typed on it, comes to Err a moment later: see Eventually.
func (r *Run) AtTerminal(t testing.TB, typed ...string) {
	t.Helper()
	keyboard, screen := terminal(t, 80, r.Err)
	if len(typed) > 0 {
		if _, err := io.WriteString(keyboard, strings.Join(typed, "\n")+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	r.Stdin, r.Stderr = screen, screen
}

// OnTerminal puts the run's standard output on a terminal of its own, of 24 rows. What it shows comes to Out a moment later.
func (r *Run) OnTerminal(t testing.TB, columns uint16) {
	t.Helper()
	_, r.Stdout = terminal(t, columns, r.Out)
}

// terminal makes one that lasts as long as the test: what is typed on it, and what is shown, which goes to out.
func terminal(t testing.TB, columns uint16, out io.Writer) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, screen = pty.New(t, columns)
	shown := make(chan struct{})
	go func() {
		_, _ = io.Copy(out, keyboard) // fails when the other end is gone
		close(shown)
	}()
	t.Cleanup(func() {
		_ = screen.Close()
		<-shown
	})
	return keyboard, screen
}
