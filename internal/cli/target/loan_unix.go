//go:build unix

package target

import (
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A loan is the terminal in the hands of a command that asks for a secret.
type loan struct {
	tty    *os.File
	before *term.State
}

// theTerminal is held by the one command that has it.
var theTerminal = make(chan struct{}, 1)

// lendTerminal makes a process group the one that may read the terminal, when no other command has it any more. It returns
// nil if the terminal is not ours to lend, or the wait was given up.
func lendTerminal(group int, giveUp <-chan struct{}) *loan {
	select {
	case theTerminal <- struct{}{}:
	case <-giveUp:
		return nil
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil {
		fd := int(tty.Fd())
		foreground, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		if err == nil && foreground == unix.Getpgrp() {
			l := &loan{tty: tty}
			l.before, _ = term.GetState(fd)
			if unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, group) == nil {
				return l
			}
		}
		_ = tty.Close()
	}
	<-theTerminal
	return nil
}

// end takes the terminal back, as it was: whoever was killed may have left it without echo.
func (l *loan) end() {
	fd := int(l.tty.Fd())
	takeForeground(fd)
	if l.before != nil {
		_ = term.Restore(fd, l.before)
	}
	_ = l.tty.Close()
	<-theTerminal
}
