package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// signalError is why a run was cut short.
type signalError struct{ sig syscall.Signal }

func (e *signalError) Error() string { return "stopped by " + e.sig.String() }

// watchSignals returns a context that ends at the first INT or TERM, or when whoever read stdout is gone; a second
// signal kills at once. stop ends the watch and returns the signal to die by, or nil.
func watchSignals(ctx context.Context, stdout *os.File) (_ context.Context, stop func() *signalError) {
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
	}()
	go watchReader(stdout, func() { cancel(&signalError{syscall.SIGPIPE}) })
	return ctx, func() *signalError {
		var cause *signalError
		errors.As(context.Cause(ctx), &cause)
		signal.Stop(got)
		return cause
	}
}
