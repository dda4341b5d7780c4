package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// rulesDir holds one bug a file.
const rulesDir = "testdata/mutants"

// A mutant is one deliberate bug: places in source files, and what stands there instead.
type mutant struct {
	name  string
	what  string // what it breaks, one line
	run   string // the tests that are known to catch it, as for -run; "" for all
	pkg   string // the package whose tests those are
	also  suite  // another one that must see it too, by itself
	edits []edit
}

// A suite is some tests of a package.
type suite struct{ pkg, run string }

// An edit replaces one place of one file.
type edit struct{ file, before, after string }

// load reads the mutants of those names, or all of them.
func load(names []string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(rulesDir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		m, err := parse(name, path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, m)
	}
	if len(all) == 0 || len(names) > len(all) {
		return nil, fmt.Errorf("%s has %d of the mutants asked for", rulesDir, len(all))
	}
	return all, nil
}

// parse reads a rule: lines "what: …", "run: …", "pkg: …" and "also: PACKAGE TESTS", then pairs of texts, each behind a
// line of its own: "-- before PATH --" and "-- after PATH --".
func parse(name, path string) (mutant, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return mutant{}, err
	}
	m := mutant{name: name, pkg: "./pkg/ami"}
	var into *string
	for line := range strings.Lines(string(text)) {
		mark := strings.Fields(line)
		switch {
		case len(mark) == 4 && mark[0] == "--" && mark[1] == "before":
			m.edits = append(m.edits, edit{file: mark[2]})
			into = &m.edits[len(m.edits)-1].before
		case len(mark) == 4 && mark[0] == "--" && mark[1] == "after":
			if n := len(m.edits); n == 0 || m.edits[n-1].file != mark[2] {
				return m, fmt.Errorf("%q is not behind its other half", strings.TrimSpace(line))
			}
			into = &m.edits[len(m.edits)-1].after
		case into != nil:
			*into += line
		default:
			if err := m.head(line); err != nil {
				return m, err
			}
		}
	}
	if len(m.edits) == 0 || m.what == "" {
		return m, errors.New("a mutant needs what: and pairs of before and after")
	}
	return m, nil
}

func (m *mutant) head(line string) error {
	switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); key {
	case "what":
		m.what = value
	case "run":
		m.run = value
	case "pkg":
		m.pkg = value
	case "also":
		var ok bool
		if m.also.pkg, m.also.run, ok = strings.Cut(value, " "); !ok {
			return fmt.Errorf("%q is no package and its tests", value)
		}
	default:
		return fmt.Errorf("what is %q?", line)
	}
	return nil
}

// apply returns the changed text of every file that the mutant touches. A place that is not there exactly once is an
// error: the code has moved on and the rule must follow.
func (m *mutant) apply() (map[string]string, error) {
	changed := make(map[string]string)
	for _, e := range m.edits {
		text, ok := changed[e.file]
		if !ok {
			b, err := os.ReadFile(e.file)
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		if n := strings.Count(text, e.before); n != 1 {
			return nil, fmt.Errorf("its place is in %s %d times", e.file, n)
		}
		changed[e.file] = strings.Replace(text, e.before, e.after, 1)
	}
	return changed, nil
}
