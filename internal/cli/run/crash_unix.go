//go:build unix

package run

import (
	"runtime"
	"syscall"
)

// noCore keeps the system from writing a core file. Linux takes a limit of 0 bytes for files alone, and still hands the
// memory to a program that collects crashes; a limit of 1 keeps it from both (core(5)).
func noCore() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) != nil {
		return
	}
	limit.Cur = 0
	if runtime.GOOS == "linux" {
		limit.Cur = min(1, limit.Max)
	}
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
}
