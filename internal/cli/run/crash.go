package run

import "runtime/debug"

// DieOnCrash has every crash, be it a panic on any goroutine, memory that runs out or a signal that nobody expects, end the
// process by a signal, SIGABRT as a rule. Go's status for them is 2, which means here that nothing was sent. No core file is
// left: secrets are in it.
//
// Process 1 of a container is an exception: the kernel spares it every signal of its own, so that a crash still ends with 2
// there. `docker run --init` puts something else in its place.
func DieOnCrash() {
	debug.SetTraceback("crash")
	noCore()
}
