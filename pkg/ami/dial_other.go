//go:build !linux

package ami

import "syscall"

// setUserTimeout does nothing here: TCP_USER_TIMEOUT is Linux's.
func setUserTimeout(_, _ string, _ syscall.RawConn) error { return nil }
