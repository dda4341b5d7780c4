package config

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"github.com/apntalk/amictl/internal/atomicfile"
	"github.com/apntalk/amictl/internal/cli/fail"
)

// contextLine is the top-level line that names the current context.
var contextLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[ \t]*(?:context|"context"|'context')[ \t]*=[^\r\n]*`)
})

// tableHead is a line that begins a table.
var tableHead = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^[ \t]*\[`) })

// aboveTables parts a text before its first table.
func aboveTables(text string) (top, rest string) {
	if i := tableHead().FindStringIndex(text); i != nil {
		return text[:i[0]], text[i[0]:]
	}
	return text, ""
}

// PreviousSuffix ends the name of the file beside the configuration that names the previous context.
const PreviousSuffix = ".previous"

// WithContextLine names the current context in a configuration's text.
func WithContextLine(text, name string) string {
	line := "context = " + TOMLString(name)
	text, marked := strings.CutPrefix(text, byteOrderMark)
	top, rest := aboveTables(text)
	if contextLine().MatchString(top) {
		top = contextLine().ReplaceAllLiteralString(top, line)
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

// CheckPlace refuses a path where no configuration can be kept: "" if there is none, or one in whose folders others may write.
func CheckPlace(path string) error {
	if path == "" {
		return fail.Config("set HOME, or give --config FILE", "there is no home folder, so there is no place for a config")
	}
	return CheckFolders(path)
}

// EditConfig changes the text of a configuration. Whoever else edits it waits meanwhile, and what would be no valid
// configuration is not written.
func EditConfig(path string, change func(text string) (string, error)) error {
	if err := CheckPlace(path); err != nil {
		return err
	}
	unlock, err := lock(path)
	if err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be written: %v", err)
	}
	defer unlock()
	old, _, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := change(old)
	if err != nil {
		return err
	}
	if _, err := decoded(text); err != nil {
		return fail.Config("make the change with an editor", "config %s: the change would make it invalid, so nothing was written: %v", path, err)
	}
	if err := atomicfile.WriteFile(path, atomicfile.Private, []byte(text)); err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be written: %v", err)
	}
	return nil
}
