package run

import (
	"syscall"
	"unsafe"
)

// defaultAction has the kernel do with a signal what it does by default. Go's runtime keeps handlers of its own, and ends
// with status 2 where they find no other way.
func defaultAction(sig syscall.Signal) {
	var action [64]byte // a struct sigaction of zeros is SIG_DFL, without flags and mask
	const maskSize = 8
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, maskSize, 0, 0)
}
