//go:build unix && !linux

package target

import (
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

func jobAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// descendants returns the process alone: its group is all that is known of what it has started.
func descendants(root int) []int { return []int{root} }

// takeForeground makes us the ones who may read a terminal. We are in the background now, where a SIGTTOU stops who does this.
func takeForeground(fd int) {
	signal.Ignore(unix.SIGTTOU)
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp())
	signal.Reset(unix.SIGTTOU)
}
