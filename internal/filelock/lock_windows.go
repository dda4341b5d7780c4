package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Try keeps other processes from locking a file until it is closed, or this process ends. It locks a byte that the file
// never reaches, for locks keep others from reading there.
func Try(f *os.File) error {
	beyond := &windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, beyond)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return nil
}
