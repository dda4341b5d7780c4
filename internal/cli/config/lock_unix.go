//go:build unix

package config

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFolder waits until no other amictl edits a file of the folder, and keeps others from it until unlock is called. The
// files themselves cannot hold the lock: they are replaced.
func lockFolder(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX), unix.EINTR) { // a file system without locks is no reason not to write
	}
	return func() { _ = f.Close() }, nil
}
