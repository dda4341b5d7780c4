//go:build samples

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// samples is where the times are written to: a file for each process, in a folder that the environment names.
var samples = sync.OnceValue(func() *os.File {
	f, err := os.Create(filepath.Join(os.Getenv("AMICTL_SAMPLES"), fmt.Sprint(os.Getpid()))) //nolint:gosec // a build for tests
	if err != nil {
		panic(err)
	}
	return f
})

// sampled writes a measured time down, before anything is made of it: of what, of which action ("" of none), and how many
// microseconds.
func (w *worker) sampled(what string, kind int32, us int64) {
	action := ""
	if kind >= 0 {
		action = w.run.Mix.kinds[kind].Name
	}
	if _, err := fmt.Fprintf(samples(), "%s,%s,%d\n", what, action, us); err != nil {
		panic(err)
	}
}
