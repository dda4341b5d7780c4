package run

import (
	"os"
	"path/filepath"

	"github.com/apntalk/amictl/internal/atomicfile"
	"github.com/apntalk/amictl/internal/cli/fail"
)

// CheckOutput refuses a file that a flag names when it cannot be written, before anything is sent.
func CheckOutput(flag, path string) error {
	if path == "-" {
		return fail.Usage("without "+flag+" the output goes there", "%s writes to a file, and not to standard output", flag)
	}
	st, err := os.Stat(path)
	if err == nil && !st.IsDir() {
		return nil
	}
	if err == nil {
		return fail.Usage("give a file in it", "%s: %s is a folder", flag, path)
	}
	if folder, err := os.Stat(filepath.Dir(path)); err != nil {
		return fail.Usage(fail.WriteHint, "%s: %s: %v", flag, path, withoutPath(err))
	} else if !folder.IsDir() {
		return fail.Usage(fail.WriteHint, "%s: %s is not a folder", flag, filepath.Dir(path))
	}
	return nil
}

// ReplaceOutput writes a file whole or not at all. Its error says that the output is not whole, whatever ran before.
func ReplaceOutput(path string, text []byte) error {
	return atomicfile.WriteFile(path, atomicfile.Public, text)
}
