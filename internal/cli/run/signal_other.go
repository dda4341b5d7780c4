//go:build !unix

package run

import "os"

// watchReader has nothing to watch with here: a closed pipe shows at the next write.
func watchReader(*os.File, func()) {}

// writable cannot be told here.
func writable(*os.File) bool { return true }

// watchFatal has nothing to watch for.
func watchFatal(*Run) {}

// FromTerminal reports true: a console sends its events to everybody attached to it.
func FromTerminal(os.Signal) bool { return true }

// HasTerminal cannot be told here.
func HasTerminal() bool { return true }

// Stderr is standard error: a write to one that nobody reads is an error here, and no more.
func Stderr() *os.File { return os.Stderr }

// ChildStderr is where a process that we start may complain.
func (r *Run) ChildStderr() *os.File { return os.Stderr }

// DieBySignal exits with the status that shells give to a death by that signal.
func DieBySignal(e *SignalError) { os.Exit(128 + int(e.Signal)) }
