package proof

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/apntalk/amictl/internal/bench/fleet/natsbus"
	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/bench"
)

// patience is how long a test waits for what has to come.
const patience = time.Minute

// With -short, as the race detector runs tests, nothing runs: all of it is in processes of its own.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Fprintln(os.Stderr, "SKIPPED: loads of several processes, which -short leaves out; scripts/prove --short runs them")
		return
	}
	testscript.Main(m, map[string]func(){"amictl": func() { cli.Main(bench.With(natsbus.Transport{})) }})
}

// whole reports whether the whole proof is asked for, and not its short form.
func whole() bool { return os.Getenv("AMICTL_PROVE") != "" }

// times chooses between what the short form and the whole proof do.
func times[T any](short, long T) T {
	if whole() {
		return long
	}
	return short
}

// soon waits until something is so.
func soon(t testing.TB, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not in %s: %s", patience, what)
		}
	}
}

// alive reports whether a process is there that has not ended.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(text, []byte(") Z "))
}
