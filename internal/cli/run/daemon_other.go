//go:build !unix

package run

import (
	"errors"
	"os"
	"os/exec"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// become runs another program in our place, and ends as it does.
func become(path string, args []string) error {
	child := exec.Command(path, args[1:]...) //nolint:gosec // it was looked for beside ourselves and in PATH
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := child.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return fail.Foreign(ended.ExitCode())
	}
	return err
}
