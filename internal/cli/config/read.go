package config

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/tomlfile"
)

// pipeWait is how long the other end of a pipe may take to say a whole configuration.
const pipeWait = 10 * time.Second

// read reads a configuration that only we or root can have written. It may be a pipe, such as the shell's <(…), and
// /dev/null is an empty one. A file that is not there is fs.ErrNotExist.
func read(path string) (text string, info os.FileInfo, err error) {
	if info, err = os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
		return "", nil, fail.Config("check the permissions of the file and of the folders above it", "the config cannot be read: %v", err)
	}
	none, err := os.Stat(os.DevNull)
	switch mode := info.Mode(); {
	case err == nil && os.SameFile(info, none):
		return "", info, nil
	case mode.IsRegular():
		if err := CheckFolders(path); err != nil {
			return "", info, err
		}
		text, info, err = readOpened(path)
	case mode&os.ModeNamedPipe != 0:
		text, info, err = readPipe(path)
	default:
		return "", info, fail.Config("give a file", "the config %s is not a file", path)
	}
	return text, info, err
}

// readOpened reads what is at path now, and judges that and not what was there before.
func readOpened(path string) (string, os.FileInfo, error) {
	const hint = "it must be a file that you may read"
	f, err := os.Open(path)
	if err != nil {
		return "", nil, fail.Config(hint, "the config cannot be read: %v", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", nil, fail.Config(hint, "the config cannot be read: %v", err)
	}
	if err := checkOwner(path, info); err != nil {
		return "", info, err
	}
	text, err := tomlfile.Read(f)
	if err != nil {
		return "", info, fail.Config(hint, "the config %s cannot be read: %v", path, err)
	}
	return text, info, nil
}

// readPipe is readOpened of what may never say anything. The goroutine of one that says nothing ends with the process.
func readPipe(path string) (text string, info os.FileInfo, err error) {
	done := make(chan struct{})
	var late struct {
		text string
		info os.FileInfo
		err  error
	}
	go func() {
		defer close(done)
		late.text, late.info, late.err = readOpened(path)
	}()
	select {
	case <-done:
		return late.text, late.info, late.err
	case <-time.After(pipeWait):
		return "", nil, fail.Config("the program that writes to it must write something and close it", "nothing was written to the config %s", path)
	}
}
