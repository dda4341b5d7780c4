package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/tomlfile"
)

// contextHead is a line that begins a table of a context, with its name and what stands behind that.
var contextHead = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[ \t]*\[[ \t]*(?:contexts|"contexts"|'contexts')[ \t]*\.[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')([ \t]*[.\]].*)$`)
})

// WithoutContext takes a context out of a configuration's text, and leaves all other lines as they are. If it is the current
// one there is none afterwards.
func WithoutContext(text, name string) (string, error) {
	var kept []string
	inside := false
	for _, line := range strings.SplitAfter(text, "\n") {
		if tableHead().MatchString(line) {
			inside = isContext(line, name)
		}
		if !inside {
			kept = append(kept, line)
		}
	}
	changed := strings.Join(kept, "")
	want, err := parsed(text)
	if err != nil {
		return "", err
	}
	delete(want.Contexts, name)
	if name != "" && want.Context == name { // "" names none
		want.Context, changed = "", withoutContextLine(changed)
	}
	return checked(changed, want, name)
}

// WithContextRenamed gives a context of a configuration's text another name.
func WithContextRenamed(text, name, to string) (string, error) {
	if to == "" {
		return "", fail.Config("give it a name of letters and digits", "a context needs a name")
	}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if isContext(line, name) {
			at := contextHead().FindStringSubmatchIndex(strings.TrimRight(line, "\r\n"))
			lines[i] = line[:at[2]] + TOMLKey(to) + line[at[3]:]
		}
	}
	changed := strings.Join(lines, "")
	want, err := parsed(text)
	if err != nil {
		return "", err
	}
	want.Contexts[to] = want.Contexts[name]
	delete(want.Contexts, name)
	if name != "" && want.Context == name { // "" names none
		want.Context, changed = to, WithContextLine(changed, to)
	}
	return checked(changed, want, name)
}

// isContext reports whether a line begins a table of a context.
func isContext(line, name string) bool {
	m := contextHead().FindStringSubmatch(strings.TrimRight(line, "\r\n"))
	return m != nil && (m[1] == name || m[1] == TOMLString(name) || m[1] == "'"+name+"'")
}

// withoutContextLine takes the line away that names the current context.
func withoutContextLine(text string) string {
	top, rest := aboveTables(text)
	if at := contextLine().FindStringIndex(top); at != nil {
		top = top[:at[0]] + strings.TrimPrefix(strings.TrimPrefix(top[at[1]:], "\r"), "\n")
	}
	return top + rest
}

// decoded is what a configuration's text says.
func decoded(text string) (*File, error) {
	f := new(File)
	switch unknown, err := tomlfile.Decode(text, f); {
	case err != nil:
		return nil, errors.New(tomlfile.Explain(err))
	case len(unknown) > 0:
		return nil, fmt.Errorf("unknown key %s", unknown[0])
	}
	return f, nil
}

// parsed is decoded of the text that is there.
func parsed(text string) (*File, error) {
	f, err := decoded(text)
	if err != nil {
		return nil, fail.Config("`amictl context edit` opens it", "the config cannot be read: %v", err)
	}
	return f, nil
}

// checked returns a changed text if it says what it should: TOML has more ways to write a table than lines that begin one.
func checked(text string, want *File, name string) (string, error) {
	got, err := decoded(text)
	if len(want.Contexts) == 0 {
		want.Contexts = nil
	}
	if err == nil && len(got.Contexts) == 0 {
		got.Contexts = nil
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		return "", fail.Config("`amictl context edit` opens the config in an editor", "context %s is written in a way that only an editor can change; nothing was written", name)
	}
	return text, nil
}
