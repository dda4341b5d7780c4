//go:build unix

package run

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchReader calls gone when stdout is a pipe and nobody can read it any more. Without it a `tail | head -1` on a
// quiet server would stay until the next event. It ends with the process.
func watchReader(stdout *os.File, gone func()) {
	info, err := stdout.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	fds := []unix.PollFd{{Fd: int32(stdout.Fd())}} // no events: POLLERR alone is reported
	for {
		n, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n > 0 && fds[0].Revents&unix.POLLERR != 0 {
			gone()
		}
		return
	}
}

// writable reports whether a file takes a byte now.
func writable(f *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n > 0
}

// DieBySignal ends the process by the signal itself. For a broken pipe that is a write to it: the Go runtime ignores
// a SIGPIPE that is merely sent.
func DieBySignal(e *SignalError) {
	signal.Reset()
	if e.Signal == syscall.SIGPIPE {
		_, _ = os.Stdout.Write([]byte{'\n'})
	} else {
		_ = syscall.Kill(os.Getpid(), e.Signal)
	}
	time.Sleep(100 * time.Millisecond) // it is delivered within this time, or is blocked
	os.Exit(128 + int(e.Signal))
}
