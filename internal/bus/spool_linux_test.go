package bus

import (
	"syscall"
	"testing"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/internal/spool"
)

// A disk that is full long before the bound is as a full spool: what it took comes, what is lost is counted, and the log says so once.
func TestSpoolOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		skip.Loudly(t, "a small file system cannot be mounted, which takes root: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("a spool that has ended still holds the file system: %v", err)
		}
	})
	const count = 20_000
	h := holdUp(t, spool.Options{Dir: dir, Disk: 1 << 30}, count)
	eventually(t, "the disk is full", func() bool { return h.full.Load() > 0 })
	h.limit(false)
	if dropped := h.take(count); dropped == 0 {
		t.Error("nothing was dropped")
	}
	if n := h.full.Load(); n != 1 {
		t.Errorf("the log told %d times that the disk is full", n)
	}
	h.stop()
}
