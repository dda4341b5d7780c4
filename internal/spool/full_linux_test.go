package spool

import (
	"errors"
	"syscall"
	"testing"

	"github.com/apntalk/amictl/internal/skip"
)

// A real file system that is full long before the bound is as a full spool, and what was taken comes back.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		skip.Loudly(t, "a small file system cannot be mounted, which takes root: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("what is closed still holds the file system: %v", err)
		}
	})
	s, err := New(Options{Dir: dir, Disk: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := put(t, s, 0, 100_000, 1000)
	if err := s.Spill(); !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Spill said %v behind %d records", err, n)
	}
	if n < 4000 || n > 6000 {
		t.Errorf("%d records of 1 KB were taken by 4 MiB of disk and 1 of memory", n)
	}
	want(t, s, 0, n, 1000)
	if m := put(t, s, n, n+3000, 1000); m != n+3000 {
		t.Errorf("when it was empty again it took %d of 3000", m-n)
	}
	want(t, s, n, n+3000, 1000)
}
