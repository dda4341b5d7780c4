//go:build unix

package bench

import "syscall"

// descriptorLimit returns how many files the process may have open, 0 if that is not known.
func descriptorLimit() uint64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return uint64(r.Cur) //nolint:unconvert // signed on some systems //nolint:unconvert // it is signed on some
}
