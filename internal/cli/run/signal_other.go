//go:build !unix

package run

import "os"

// watchReader has nothing to watch with here: a closed pipe shows at the next write.
func watchReader(*os.File, func()) {}

// writable cannot be told here.
func writable(*os.File) bool { return true }

// DieBySignal exits with the status that shells give to a death by that signal.
func DieBySignal(e *SignalError) { os.Exit(128 + int(e.Signal)) }
