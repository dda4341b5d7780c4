//go:build linux

package ami_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// benchServerAddr, in the environment, makes this test binary the process of a plain server at that address.
const benchServerAddr = "AMI_BENCH_SERVER"

// TestBenchServerProcess is no test: it is the other process of the benchmarks below. It ends with its standard input.
func TestBenchServerProcess(t *testing.T) {
	addr := os.Getenv(benchServerAddr)
	if addr == "" {
		t.Skip("SKIPPED: it is started by the benchmarks that need it")
	}
	newBenchServerAt(t, addr, readLines)
	fmt.Println("serving")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// plainProcess starts a plain server in another process, which the kernel schedules beside this one.
func plainProcess(b *testing.B) string {
	addr := fmt.Sprintf("127.0.0.1:%d", freePorts(b, 1))
	cmd := exec.Command(testBinary(b), "-test.run", "^TestBenchServerProcess$", "-test.timeout", "0") //nolint:gosec // the test binary itself
	cmd.Env = append(os.Environ(), benchServerAddr+"="+addr)
	p := startServing(b, cmd)
	b.Cleanup(p.end)
	return addr
}

func BenchmarkActionsBatchProcess(b *testing.B) { benchBatch(b, plainProcess(b), borrowed) }

func BenchmarkReferenceRawPipelineProcess(b *testing.B) { benchRawPipeline(b, plainProcess(b)) }
