package atomicfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOwnerIsKept(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("in CI this runs as root")
		}
		t.Skip("SKIPPED: only root can give a file away")
	}
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
