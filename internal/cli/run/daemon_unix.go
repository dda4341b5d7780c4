//go:build unix

package run

import (
	"os"
	"syscall"
)

// become replaces this process by another program.
func become(path string, args []string) error {
	return &os.PathError{Op: "exec", Path: path, Err: syscall.Exec(path, args, os.Environ())}
}
