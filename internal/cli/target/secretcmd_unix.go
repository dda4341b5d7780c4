//go:build unix

package target

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A job is a command of the shell in a process group of its own, so that all of it can be ended. As a shell does with its
// jobs, it lends the terminal to one that wants to ask.
type job struct {
	pid    int // of the shell, and of the group
	out    *os.File
	ended  chan unix.WaitStatus
	asked  chan struct{} // the job wants the terminal, and waits
	killed chan struct{} // closed before it is killed
	lent   *loan         // the waiter's own: the terminal is the job's

	interrupted bool // a ^C has ended it, and us; valid behind ended
}

// leftovers is how long the output of a job that has ended may take to be read: a daemon of its may hold it open.
const leftovers = 100 * time.Millisecond

// outputOf returns what a command of the shell prints, up to longestSecret bytes. When it returns an error nothing is left of
// the command.
func outputOf(ctx context.Context, command string, stderr *os.File) ([]byte, error) {
	j, err := startJob(command, stderr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = j.out.Close() }()
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(j.out, longestSecret+1))
		read <- result{text, err}
	}()
	var got *result
	for {
		select {
		case r := <-read:
			if len(r.text) > longestSecret {
				j.kill()
				return nil, errTooMuch
			}
			got, read = &r, nil
		case status := <-j.ended:
			_ = unix.Kill(-j.pid, unix.SIGKILL) // what it left in its group
			if j.interrupted {                  // the signal is on its way to whoever watches for it
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
			if status.ExitStatus() != 0 {
				return nil, statusError(status)
			}
			if got == nil {
				_ = j.out.SetReadDeadline(time.Now().Add(leftovers))
				r := <-read
				got = &r
			}
			if len(got.text) > longestSecret {
				return nil, errTooMuch
			}
			return got.text, nil
		case <-j.asked:
			j.kill()
			return nil, errNoTerminal
		case <-ctx.Done():
			j.kill()
			return nil, ctx.Err()
		}
	}
}

// startJob starts a command of the shell. Its standard input is empty: ours may be for something else.
func startJob(command string, stderr *os.File) (*job, error) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	j := &job{out: out, ended: make(chan unix.WaitStatus, 1), asked: make(chan struct{}, 1), killed: make(chan struct{})}
	attr := &os.ProcAttr{Files: []*os.File{null, in, stderr}, Sys: jobAttr()}
	started := make(chan error)
	go func() { // Linux ends a job with the thread that started it, so that one waits for it
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p, err := os.StartProcess(shell, []string{"sh", "-c", command}, attr)
		if err == nil {
			j.pid = p.Pid
			_ = p.Release() // it is waited for here, stops included
		}
		started <- err
		if err == nil {
			j.wait()
		}
	}()
	if err := <-started; err != nil {
		_ = out.Close()
		return nil, err
	}
	return j, nil
}

// wait waits for the shell to end. One that is stopped because it reads the terminal, or sets it up to, gets it.
func (j *job) wait() {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(j.pid, &status, unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			j.giveBack(false)
			j.ended <- status
			return
		case !status.Stopped():
			const interruptedShell = 128 + int(unix.SIGINT)
			j.giveBack(status.Signal() == unix.SIGINT || status.ExitStatus() == interruptedShell)
			j.ended <- status
			return
		case status.StopSignal() == unix.SIGTTIN, status.StopSignal() == unix.SIGTTOU:
			if j.lent == nil {
				if j.lent = lendTerminal(j.pid, j.killed); j.lent == nil {
					j.asked <- struct{}{}
					continue
				}
			}
			_ = unix.Kill(-j.pid, unix.SIGCONT)
		case status.StopSignal() != unix.SIGSTOP: // a ^Z would leave it, and us, waiting
			_ = unix.Kill(-j.pid, unix.SIGCONT)
		}
	}
}

// giveBack takes the terminal back. A ^C was meant for us, too.
func (j *job) giveBack(interrupted bool) {
	if j.lent == nil {
		return
	}
	j.lent.end()
	j.lent = nil
	if j.interrupted = interrupted; interrupted {
		_ = unix.Kill(os.Getpid(), unix.SIGINT)
	}
}

// kill ends the job and all that it has started, and waits for the shell.
func (j *job) kill() {
	close(j.killed)
	stopped := make(map[int]bool)
	for again := true; again; { // what is stopped starts nothing more
		again = false
		for _, pid := range descendants(j.pid) {
			if !stopped[pid] {
				stopped[pid], again = true, true
				_ = unix.Kill(pid, unix.SIGSTOP)
			}
		}
	}
	_ = unix.Kill(-j.pid, unix.SIGKILL)
	for pid := range stopped {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	<-j.ended
}

func statusError(s unix.WaitStatus) error {
	if s.Signaled() {
		return fmt.Errorf("signal: %v", s.Signal())
	}
	return fmt.Errorf("exit status %d", s.ExitStatus())
}
