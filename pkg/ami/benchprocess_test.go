//go:build linux

package ami_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"
)

// benchServerAddr, in the environment, makes this test binary a plain server at that address.
const benchServerAddr = "AMI_BENCH_SERVER"

func init() { processes[benchServerAddr] = serveBench }

// serveBench is the other process of the benchmarks below. It ends with its standard input.
func serveBench(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	go (&benchServer{l, readLines}).run()
	fmt.Println("serving")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// plainProcess starts a plain server in another process, which the kernel schedules beside this one.
func plainProcess(b *testing.B) string {
	addr := fmt.Sprintf("127.0.0.1:%d", freePorts(b, 1))
	p := startProcess(b, "", benchServerAddr, addr)
	b.Cleanup(p.end)
	return addr
}

func BenchmarkActionsBatchProcess(b *testing.B) { benchBatch(b, plainProcess(b), borrowed) }

func BenchmarkReferenceRawPipelineProcess(b *testing.B) { benchRawPipeline(b, plainProcess(b)) }
