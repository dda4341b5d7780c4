package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// simulatorOf makes the test binary be the simulator's process.
const simulatorOf = "AMICTL_TEST_BENCHSIM"

func TestMain(m *testing.M) {
	if os.Getenv(simulatorOf) != "" {
		if err := ServeSimulator(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// simulatorCommand runs this test binary as a simulator.
func simulatorCommand() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), simulatorOf+"=1")
	return cmd
}
