package proof

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apntalk/amictl/internal/skip"
)

// Where things are, of the environment: scripts/prove and scripts/busbench set them.
const (
	serverVariable = "AMICTL_NATS_SERVER" // the program nats-server
	proveVariable  = "AMICTL_PROVE"       // not empty: as often and as long as the whole proof wants it
	floodVariable  = "AMICTL_TEST_FLOOD"  // makes the test binary a server that floods its clients
)

// patience is how long a run waits for what has to come.
const patience = 60 * time.Second

// amictld is the program that is put to the proof, built once.
var amictld string

func TestMain(m *testing.M) {
	if os.Getenv(floodVariable) != "" {
		flood()
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(serverVariable) != "" {
		dir, err := os.MkdirTemp("", "proof")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		amictld = filepath.Join(dir, "amictld")
		if out, err := exec.Command("go", "build", "-o", amictld, "../../../cmd/amictld").CombinedOutput(); err != nil { //nolint:gosec // our own
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
	}
	status := m.Run()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}

// natsServer is the program that the bus runs on.
func natsServer(t testing.TB) string {
	t.Helper()
	path := os.Getenv(serverVariable)
	if path == "" {
		skip.Loudly(t, "there is no nats-server; "+serverVariable+"=$(scripts/tools nats-server)/nats-server names one")
	}
	return path
}

// whole reports whether the whole proof is asked for, and not its short form.
func whole() bool { return os.Getenv(proveVariable) != "" }

// times chooses between what the short form and the whole proof do.
func times[T any](short, long T) T {
	if whole() {
		return long
	}
	return short
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not in %s: %s", patience, what)
		}
	}
}
