package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// contextLine is the top-level line that names the context in force.
var contextLine = regexp.MustCompile(`(?m)^[ \t]*(?:context|"context"|'context')[ \t]*=[^\r\n]*`)

// PreviousSuffix ends the name of the file beside the configuration that names the context that was in force before.
const PreviousSuffix = ".previous"

// WithContextLine names the context in force in a configuration's text.
func WithContextLine(text, name string) string {
	line := "context = " + TomlString(name)
	text, marked := strings.CutPrefix(text, byteOrderMark)
	top, rest := text, ""
	if i := regexp.MustCompile(`(?m)^[ \t]*\[`).FindStringIndex(top); i != nil {
		top, rest = top[:i[0]], top[i[0]:]
	}
	if contextLine.MatchString(top) {
		top = contextLine.ReplaceAllLiteralString(top, line)
	} else {
		top = line + "\n\n" + top
	}
	if marked {
		top = byteOrderMark + top
	}
	return top + rest
}

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = "\ufeff"

// EditConfig changes the text of a configuration. Whoever else edits it waits meanwhile, and what would be no valid
// configuration is not written.
func EditConfig(path string, change func(text string) string) error {
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be written: %v", err)
	}
	defer unlock()
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail.Config(fail.ReadHint, "the config cannot be read: %v", err)
	}
	text := change(string(old))
	if _, err := toml.Decode(text, new(File)); err != nil {
		return fail.Config("make the change with an editor", "config %s: it would not be valid any more, so nothing was written: %s", path, strings.TrimPrefix(err.Error(), "toml: "))
	}
	return replaceFile(path, text)
}

// replaceFile writes a file whole or not at all, and keeps its mode; a new one is its owner's alone.
func replaceFile(path, text string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the link stays
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".amictl-*")
	if err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be written: %v", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err = f.WriteString(text); err == nil {
		err = f.Chmod(mode)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be written: %v", err)
	}
	return nil
}
