// Package filelock has locks that one process holds and others find taken at once.
package filelock

import "errors"

// ErrLocked: another process has the lock.
var ErrLocked = errors.New("it is locked")
