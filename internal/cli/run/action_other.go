//go:build unix && !linux

package run

import "syscall"

// defaultAction is left to the runtime, which ends the process by SIGABRT where it has a handler of its own.
func defaultAction(syscall.Signal) {}
