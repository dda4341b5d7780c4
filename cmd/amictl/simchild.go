package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// runAgainst runs the command behind `--` against the simulated cluster. Signals go to the command, and its end becomes
// ours: the status it exits with, or the signal it dies by.
func (a *app) runAgainst(ctx context.Context, s *simulation, control string) error {
	child := exec.Command(a.rest[0], a.rest[1:]...) //nolint:gosec // the user's own command
	child.Stdin, child.Stdout, child.Stderr = a.stdin, a.stdout, a.stderr
	child.Env = simEnvironment(os.Environ(), s, control)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)
	if err := child.Start(); err != nil {
		var missing *exec.Error
		if errors.As(err, &missing) {
			return usageError("the command behind `--` must be in PATH", "%s: %v", missing.Name, missing.Err)
		}
		return usageError("", "%v", err)
	}
	done := make(chan error, 1)
	go func() { done <- child.Wait() }()
	cut := ctx.Done()
	for {
		select {
		case sig := <-signals:
			if !fromTerminal(sig) { // the terminal has sent it to the command as well
				_ = child.Process.Signal(sig)
			}
		case <-cut:
			cut = nil
			if context.Cause(ctx) == context.DeadlineExceeded { //nolint:errorlint // --deadline's own, never wrapped
				_ = child.Process.Signal(syscall.SIGTERM)
			}
			// The first signal ends the watch for more, which would then kill us and leave the command alone.
			time.AfterFunc(10*time.Millisecond, func() { signal.Notify(signals, forwarded...) })
		case <-done:
			return a.fate(ctx, s, child.ProcessState)
		}
	}
}

// fate makes the command's end our own. After a signal it does so at once: what main would do about the signal does not
// matter, for the command may have dealt with it.
func (a *app) fate(ctx context.Context, s *simulation, state *os.ProcessState) error {
	status := state.ExitCode()
	killer := killedBy(state)
	if killer == 0 && ctx.Err() == nil {
		if status == exitOK {
			return nil
		}
		return silent(status)
	}
	s.end()
	if killer != 0 {
		dieBySignal(&signalError{killer})
	}
	os.Exit(status)
	return nil
}

// simEnvironment is the environment for a command: amictl's own settings that name other nodes are taken out.
func simEnvironment(env []string, s *simulation, control string) []string {
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
