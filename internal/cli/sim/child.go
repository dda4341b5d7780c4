package sim

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// runAgainst runs the command behind `--` against the simulated cluster. Signals go to the command, and its end becomes
// ours: the status it exits with, or the signal it dies by.
func runAgainst(ctx context.Context, r *run.Run, s *simulation, control string) error {
	r.Patience.Store(run.Indefinitely)
	child := exec.Command(r.Rest[0], r.Rest[1:]...)
	child.Stdin, child.Stdout, child.Stderr = r.Stdin, r.Stdout, r.Stderr
	child.Env = environment(os.Environ(), s, control)
	signals := make(chan os.Signal, 8)
	var wanted []os.Signal
	for _, sig := range forwarded {
		if !signal.Ignored(sig) { // what nohup ignores, the command must go on ignoring
			wanted = append(wanted, sig)
		}
	}
	signal.Notify(signals, wanted...)
	defer signal.Stop(signals)
	done, err := startWith(child)
	if err != nil {
		var missing *exec.Error
		if errors.As(err, &missing) {
			return fail.Usage("the command after `--` must be in PATH", "%s: %v", missing.Name, missing.Err)
		}
		return fail.Usage("the command after `--` must be a program that you may run", "%v", err)
	}
	cut := ctx.Done()
	for {
		select {
		case sig := <-signals:
			if !run.FromTerminal(sig) { // the terminal has sent it to the command as well
				_ = child.Process.Signal(sig)
			}
		case <-cut:
			cut = nil
			if overDeadline(ctx) {
				_ = child.Process.Signal(syscall.SIGTERM)
				defer time.AfterFunc(graceTime, func() { _ = child.Process.Kill() }).Stop()
			}
			// The first signal ends the watch for more, which would then kill us and leave the command alone.
			time.AfterFunc(10*time.Millisecond, func() { signal.Notify(signals, wanted...) })
		case <-done:
			return fate(ctx, s, child.ProcessState)
		}
	}
}

// startWith starts the command; done is closed when it has ended. Linux ends it with us, even if we are killed: it counts
// the thread that started the command as its parent, so that one waits, too, and serves nothing else.
func startWith(child *exec.Cmd) (done chan struct{}, err error) {
	endsWithUs(child)
	done = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := child.Start()
		started <- err
		if err == nil {
			_ = child.Wait() // its state says the same and more
			close(done)
		}
	}()
	return done, <-started
}

// graceTime is how long a command may take to end when --deadline is over.
const graceTime = 5 * time.Second

func overDeadline(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), context.DeadlineExceeded)
}

// fate makes the command's end our own. After a signal it does so at once: what main would do about the signal does not
// matter, for the command may have dealt with it.
func fate(ctx context.Context, s *simulation, state *os.ProcessState) error {
	if overDeadline(ctx) {
		return ctx.Err()
	}
	status := state.ExitCode()
	killer := killedBy(state)
	if killer == 0 && ctx.Err() == nil {
		if status == fail.ExitOK {
			return nil
		}
		return fail.Foreign(status)
	}
	s.end()
	if killer != 0 {
		run.DieBySignal(&run.SignalError{Signal: killer})
	}
	os.Exit(status)
	return nil
}

// environment is the environment for a command: amictl's own settings that name other nodes are taken out.
func environment(env []string, s *simulation, control string) []string {
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "AMICTL_CONFIG", "AMICTL_CONTEXT", "AMICTL_NODE", "AMICTL_SECRET_FILE", "AMICTL_SIM", "AMICTL_SIM_CONTROL":
		default:
			out = append(out, v)
		}
	}
	out = append(out, "AMICTL_CONFIG="+s.path("config.toml"), "AMICTL_SIM="+s.path("sim.json"))
	if control != "" {
		out = append(out, "AMICTL_SIM_CONTROL="+control)
	}
	return out
}
