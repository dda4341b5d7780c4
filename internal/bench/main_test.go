package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/apntalk/amictl/internal/bench"
)

// simulatorOf makes the test binary be the simulator's process.
const simulatorOf = "AMICTL_TEST_BENCHSIM"

func TestMain(m *testing.M) {
	if os.Getenv(simulatorOf) != "" {
		if err := bench.ServeSimulator(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// spawn simulates a cluster in a child process.
func spawn(s bench.SimSpec) (bench.Simulator, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), simulatorOf+"=1")
	return bench.SpawnSimulator(cmd, s)
}
