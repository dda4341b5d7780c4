//go:build unix

package target

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A secret from a pipe is there for every node and every login, and a pipe that says nothing holds up no dial.
func TestSecretFromAPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if _, err := out.WriteString("geheim\n"); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	ask := fileSecret(fmt.Sprintf("/dev/fd/%d", in.Fd()))
	for range 3 {
		if s, err := ask(context.Background()); err != nil || s.Reveal() != "geheim" {
			t.Errorf("%q, %v", s.Reveal(), err)
		}
	}
	silent := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(silent, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := fileSecret(silent)(ctx); err == nil {
		t.Error("a pipe that says nothing gave a secret")
	}
}
