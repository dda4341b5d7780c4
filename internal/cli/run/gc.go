package run

import (
	"os"
	"runtime/debug"
)

const (
	streamGCPercent   = 400        // a stream is short-lived garbage on a small heap: the default spends a quarter of a core on it
	streamMemoryLimit = 1536 << 20 // bytes; half more than the engine's rings may hold together, so never a reason to thrash
)

// FavourStreams trades memory for throughput in what decodes many events or answers: the garbage collector runs at
// five times what is in use, but at once when that would be over the limit. GOGC and GOMEMLIMIT win.
func FavourStreams() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(streamGCPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(streamMemoryLimit)
	}
}
