package run

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// BySignal reports whether a signal ended the run.
func BySignal(ctx context.Context) bool { return errors.As(context.Cause(ctx), new(*SignalError)) }

// Pause waits, or less if the run is cut short.
func Pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// SignalError is why a run was cut short.
type SignalError struct{ Signal syscall.Signal }

func (e *SignalError) Error() string { return "stopped by " + e.Signal.String() }

// patience is how long a run may take to end after a signal.
type patience = atomic.Int32

const (
	briefly      int32 = iota // endGrace
	WhileRead                 // as long as it wants to clean up, but not to write what nobody reads
	UntilAnother              // as long as it wants, but for a second signal
	Indefinitely              // as long as the command takes that it runs, which a QUIT is for, too
)

const (
	endGrace = 2 * time.Second
	endCheck = 100 * time.Millisecond
)

// WatchSignals returns a context that ends at the first INT, TERM or HUP, or when whoever read stdout is gone; a second
// signal kills at once, and so does the end of the run's patience. A QUIT, and what else is fatal, ends the process with a dump. stop ends the watch
// and returns the signal to die by, or nil.
func WatchSignals(ctx context.Context, stdout *os.File, r *Run) (_ context.Context, stop func() *SignalError) {
	ctx, cancel := context.WithCancelCause(ctx)
	got := make(chan os.Signal, 2)
	if ends := endings(); len(ends) > 0 {
		signal.Notify(got, ends...)
	}
	go func() {
		for s := range got {
			sig, ok := s.(syscall.Signal)
			if !ok {
				return
			}
			if do := r.hangup.Load(); sig == syscall.SIGHUP && do != nil {
				(*do)()
				continue
			}
			end := func() { cancel(&SignalError{Signal: sig}) }
			if do := r.soft.Load(); do != nil && (*do)(sig, end) {
				continue
			}
			end()
			signal.Reset(endings()...)
			outlast(stdout, &r.Patience)
			r.beforeDeath()
			DieBySignal(&SignalError{Signal: sig})
		}
	}()
	go watchReader(stdout, func() { cancel(&SignalError{Signal: syscall.SIGPIPE}) })
	watchFatal(r)
	return ctx, func() *SignalError {
		var cause *SignalError
		errors.As(context.Cause(ctx), &cause)
		signal.Stop(got)
		return cause
	}
}

// endings are the signals that end a run. One that is ignored stays so: nohup, and a shell that starts a job in the
// background, mean it.
func endings() (all []os.Signal) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			all = append(all, sig)
		}
	}
	return all
}

// outlast returns when a run that was told to end has not. Nothing else ends a write to a pipe that nobody reads, the
// opening of one that nobody writes, or the reading of a secret from a command that hangs.
func outlast(stdout *os.File, p *patience) {
	var ending, unread time.Duration
	for {
		time.Sleep(endCheck)
		ending += endCheck
		if unread += endCheck; writable(stdout) {
			unread = 0
		}
		switch p.Load() {
		case briefly:
			if ending >= endGrace {
				return
			}
		case WhileRead:
			if unread >= endGrace {
				return
			}
		}
	}
}
