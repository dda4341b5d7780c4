package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// signalError is why a run was cut short.
type signalError struct{ sig syscall.Signal }

func (e *signalError) Error() string { return "stopped by " + e.sig.String() }

// patience is how long a run may take to end after a signal.
type patience = atomic.Int32

const (
	briefly      int32 = iota // endGrace
	whileRead                 // as long as it wants to clean up, but not to write what nobody reads
	indefinitely              // as long as the command takes that it runs
)

const (
	endGrace = 2 * time.Second
	endCheck = 100 * time.Millisecond
)

// watchSignals returns a context that ends at the first INT or TERM, or when whoever read stdout is gone; a second
// signal kills at once, and so does the end of the run's patience. stop ends the watch and returns the signal to die by,
// or nil.
func watchSignals(ctx context.Context, stdout *os.File, p *patience) (_ context.Context, stop func() *signalError) {
	ctx, cancel := context.WithCancelCause(ctx)
	got := make(chan os.Signal, 2)
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		sig, ok := (<-got).(syscall.Signal)
		if !ok {
			return
		}
		cancel(&signalError{sig})
		signal.Reset(syscall.SIGINT, syscall.SIGTERM)
		outlast(stdout, p)
		dieBySignal(&signalError{sig})
	}()
	go watchReader(stdout, func() { cancel(&signalError{syscall.SIGPIPE}) })
	return ctx, func() *signalError {
		var cause *signalError
		errors.As(context.Cause(ctx), &cause)
		signal.Stop(got)
		return cause
	}
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
		case whileRead:
			if unread >= endGrace {
				return
			}
		}
	}
}
