//go:build unix

package sim

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// forwarded are the signals that go to the command of `sim -- COMMAND`.
var forwarded = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// killedBy returns the signal that a process died by, 0 if it exited.
func killedBy(state *os.ProcessState) syscall.Signal {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

// ignoreBackgroundReads lets a job in the background read its terminal without being stopped: it reads an error.
func ignoreBackgroundReads() { signal.Ignore(syscall.SIGTTIN) }

// enoughDescriptors checks that so many servers can listen and have a client each. The Go runtime has raised the limit
// as far as it may.
func enoughDescriptors(servers int) error {
	const spare = 64
	var limit syscall.Rlimit
	known := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil
	if need := uint64(2*servers + spare); known && uint64(limit.Cur) < need { //nolint:unconvert // it is signed on FreeBSD
		return fail.Usage("raise the hard limit (`ulimit -Hn`, LimitNOFILE= of a unit), or simulate fewer",
			"%d servers with a client each need %d file descriptors, and this process may have %d", servers, need, limit.Cur)
	}
	return nil
}
