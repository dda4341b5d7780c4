package run

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// daemonName is the program that has every subcommand.
const daemonName = "amictld"

// RunDaemon has amictld do the whole of this run: the same arguments, streams and environment. It returns only where that
// is impossible, or, where a process cannot be replaced, with amictld's end as its own.
func (r *Run) RunDaemon(subcommand string) error {
	path, err := findDaemon()
	if err != nil {
		return fail.Usage("`go install github.com/apntalk/amictl/cmd/amictld@latest`; packages and `make install` have it beside amictl",
			"%s needs %s: %v", subcommand, daemonName, err)
	}
	if filepath.Base(os.Args[0]) == daemonName {
		return errors.New("amictld has no " + subcommand + " itself") // a bug; without this it would run itself for ever
	}
	if err := become(path, slices.Concat([]string{daemonName}, r.words())); err != nil {
		return fail.Usage("it must be a program that you may run", "%s: %v", path, err)
	}
	return nil
}

// words are the arguments as they were given.
func (r *Run) words() []string {
	if !r.HasTo {
		return r.Args
	}
	return slices.Concat(r.Args, []string{"--"}, r.Rest)
}

// findDaemon looks beside this program, then in PATH.
func findDaemon() (string, error) {
	name := daemonName
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if own, err := os.Executable(); err == nil {
		if own, err = filepath.EvalSymlinks(own); err == nil {
			beside := filepath.Join(filepath.Dir(own), name)
			if found, err := exec.LookPath(beside); err == nil {
				return found, nil
			}
		}
	}
	path, err := exec.LookPath(name)
	if err != nil { // also where PATH has the current folder: that may be a stranger's
		return "", errors.New("it is neither beside amictl nor in PATH")
	}
	return path, nil
}
