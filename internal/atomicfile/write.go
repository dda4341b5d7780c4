// Package atomicfile writes files whole or not at all, so that whoever reads one never sees half of it.
package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The modes of new files.
const (
	Private fs.FileMode = 0o600 // its owner's alone
	Public  fs.FileMode = 0o644 // for others to read: monitoring and CI run as somebody else
)

// Write replaces the file at path by what write writes. A file that is there keeps its owner and its mode, and a symbolic
// link stays one: what it leads to is replaced. A new file gets perm, whatever the umask. A device, pipe or socket is written
// to as it is: a file in its place would be the end of it.
//
// What is at path is as before when Write returns an error, but for a device or pipe. An error of the file system is an
// *fs.PathError whose Op is "write".
func Write(path string, perm fs.FileMode, write func(io.Writer) error) error {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return writeThrough(path, write)
	}
	if err == nil {
		perm = st.Mode().Perm()
	}
	to, err := follow(path)
	if err != nil {
		return failure(path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".amictl-*")
	if err != nil {
		return failure(path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := write(f); err != nil {
		_ = f.Close()
		return failure(path, err)
	}
	if st != nil {
		keepOwner(f, st)
	}
	if err := errors.Join(f.Chmod(perm), f.Sync(), f.Close()); err != nil {
		return failure(path, err)
	}
	return failure(path, os.Rename(f.Name(), to))
}

// WriteFile is Write of a text that is there already.
func WriteFile(path string, perm fs.FileMode, text []byte) error {
	return Write(path, perm, func(w io.Writer) error { _, err := w.Write(text); return err })
}

// follow returns what a path leads to through symbolic links, also when the file itself is still to be made.
func follow(path string) (string, error) {
	const most = 40 // as Linux follows
	for range most {
		link, err := os.Readlink(path)
		if err != nil { // no link, or not there
			return path, nil //nolint:nilerr // the path is what was looked for
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return "", errors.New("too many levels of symbolic links")
}

func writeThrough(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return failure(path, err)
	}
	return failure(path, errors.Join(write(f), f.Close()))
}

// failure names the path that was asked for; the temporary file's would tell nobody anything.
func failure(path string, err error) error {
	if err == nil {
		return nil
	}
	var of *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &of):
		err = of.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return &fs.PathError{Op: "write", Path: path, Err: err}
}
