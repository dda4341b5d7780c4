package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/apntalk/amictl/internal/skip"
)

// What is no file is written to, and stays what it is. The pipe is the test's own: a fault that replaces devices must find
// none of the host's.
func TestWriteToAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		f, err := os.Open(path)
		if err != nil {
			got <- err.Error()
			return
		}
		defer func() { _ = f.Close() }()
		text, _ := io.ReadAll(f)
		got <- string(text)
	}()
	if err := WriteFile(path, Private, []byte("x")); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		t.Fatalf("the pipe was replaced: %v", err)
	}
	if text := <-got; text != "x" {
		t.Errorf("%q came through it", text)
	}
}

func TestOwnerIsKept(t *testing.T) {
	skip.UnlessRoot(t)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	const uid, gid = 4711, 4712
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, 0o600, []byte("new")); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := st.Sys().(*syscall.Stat_t); s.Uid != uid || s.Gid != gid || st.Mode().Perm() != 0o640 {
		t.Errorf("the owner is %d:%d, the mode %v", s.Uid, s.Gid, st.Mode())
	}
}
