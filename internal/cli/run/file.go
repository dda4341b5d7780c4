package run

import (
	"os"
	"path/filepath"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// ReplaceOutput writes a file whole or not at all, so that who reads it never sees half of it. A device or a pipe is
// written to: a file in its place would be the end of it.
func ReplaceOutput(flag, path string, text []byte) error {
	if path == "-" {
		return fail.Usage("without "+flag+" it goes there", "%s writes to a file, and not to standard output", flag)
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		if err := os.WriteFile(path, text, 0); err != nil {
			return fail.Usage(fail.WriteHint, "%s: %v", flag, err)
		}
		return nil
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the link stays
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".amictl-*")
	if err != nil {
		return fail.Usage(fail.WriteHint, "%s: %s: %v", flag, path, withoutPath(err))
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fail.Usage(fail.WriteHint, "%s: %v", flag, err)
	}
	return nil
}
