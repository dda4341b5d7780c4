//go:build unix

package sim

import (
	"syscall"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// More servers than a process may have descriptors for are refused before they listen: two each, and some for the rest.
func TestDescriptors(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	before := limit
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) })
	limit.Cur = 264
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := enoughDescriptors(100); err != nil {
		t.Error(err)
	}
	runtest.Refused(t, enoughDescriptors(101), fail.CodeUsage, "101 servers with a client each need 266 file descriptors, and this process may have 264")
}
