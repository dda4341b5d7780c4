//go:build unix

package run

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
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
	if unread(stdout, -1) {
		gone()
	}
}

// unread reports whether nobody can read any more what is written to f. It waits for that so many milliseconds; -1: for ever.
func unread(f *os.File, timeout int) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd())}} // no events: trouble alone is reported
	for {
		_, err := unix.Poll(fds, timeout)
		if err != unix.EINTR {
			return err == nil && fds[0].Revents&unix.POLLERR != 0
		}
	}
}

// writable reports whether a file takes a byte now.
func writable(f *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n > 0
}

// fatal are the signals for which Go dumps its stacks and exits with status 2, which means here that nothing was sent.
var fatal = []os.Signal{
	syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGTRAP, syscall.SIGILL, syscall.SIGSYS, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE,
}

// watchFatal has a fatal signal that somebody sent tell what every goroutine does, and kill the process. Those that are a
// fault of our own never come here: they are panics. A QUIT may be for a command that we run.
func watchFatal(r *Run) {
	got := make(chan os.Signal, 1)
	signal.Notify(got, fatal...)
	go func() {
		for s := range got {
			sig, ok := s.(syscall.Signal)
			if !ok || sig == syscall.SIGQUIT && r.Patience.Load() == Indefinitely {
				continue
			}
			r.beforeDeath()
			_, _ = r.Stderr.Write(append([]byte("amictl: "+sig.String()+"\n\n"), stacks()...))
			DieBySignal(&SignalError{Signal: sig})
		}
	}()
}

// stacks are those of all goroutines, up to a size that a terminal can bear. They hold places in the code and no values
// but numbers.
func stacks() []byte {
	const most = 16 << 20
	buf := make([]byte, 64<<10)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) || len(buf) >= most {
			return buf[:n]
		}
		buf = make([]byte, 4*len(buf))
	}
}

// FromTerminal reports whether a signal is one that a key sends to everybody in the foreground.
func FromTerminal(sig os.Signal) bool {
	if sig != syscall.SIGINT && sig != syscall.SIGQUIT {
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer func() { _ = tty.Close() }()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// HasTerminal reports whether the process has a controlling terminal, whose end would hang it up.
func HasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}

// Stderr is standard error under another number. Whoever reads it may be gone while the run is of use; Go ends a process
// that writes to a broken pipe only where that is descriptor 1 or 2.
func Stderr() *os.File {
	fd, err := unix.FcntlInt(os.Stderr.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return os.Stderr
	}
	return os.NewFile(uintptr(fd), os.Stderr.Name())
}

var nowhere = sync.OnceValue(func() *os.File {
	null, _ := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	return null
})

// ChildStderr is where a process that we start may complain: where we do, unless nobody reads that any more. A write to it
// would be the end of the process.
func (r *Run) ChildStderr() *os.File {
	f, ok := r.Stderr.(*os.File)
	if !ok {
		return os.Stderr
	}
	if unread(f, 0) {
		if null := nowhere(); null != nil {
			return null
		}
	}
	return f
}

// DieBySignal ends the process by the signal itself, without a core file. For a broken pipe that is a write to it: the Go
// runtime ignores a SIGPIPE that is merely sent.
func DieBySignal(e *SignalError) {
	signal.Reset()
	if e.Signal == syscall.SIGPIPE {
		_, _ = os.Stdout.Write([]byte{'\n'})
	} else {
		defaultAction(e.Signal)
		_ = syscall.Kill(os.Getpid(), e.Signal)
	}
	time.Sleep(100 * time.Millisecond) // it is delivered within this time, or is blocked
	os.Exit(128 + int(e.Signal))
}
