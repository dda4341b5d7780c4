package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// rulesDir holds one bug a file.
const rulesDir = "testdata/mutants"

// A mutant is one deliberate bug: places in declarations, and what stands there instead.
type mutant struct {
	name  string
	what  string // what it breaks, one line
	run   string // the tests that are known to catch it, as for -run; "" for all
	pkg   string // the package whose tests those are; that of the first place if none is named
	also  suite  // another one that must see it too, by itself
	edits []edit
	files map[string]string // the changed text of every file that it touches
}

// A suite is some tests of a package.
type suite struct{ pkg, run string }

// An edit replaces some lines of one declaration.
type edit struct{ in, before, after string }

// load reads the mutants of those names, or all of them, and applies them to the module.
func load(names []string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(rulesDir, "*.txt"))
	if err != nil {
		return nil, err
	}
	source, err := readModule()
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
		if err == nil {
			err = m.apply(source)
		}
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
// line of its own: "-- in NAME --" and "-- becomes --". NAME is a function, "Type.method", or another top-level name; with
// its package's name before it ("ami.Conn.held") where others have the same.
func parse(name, path string) (mutant, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return mutant{}, err
	}
	m := mutant{name: name}
	var into *string
	for line := range strings.Lines(string(text)) {
		mark := strings.Fields(line)
		switch {
		case len(mark) == 4 && mark[0] == "--" && mark[1] == "in" && mark[3] == "--":
			m.edits = append(m.edits, edit{in: mark[2]})
			into = &m.edits[len(m.edits)-1].before
		case len(mark) == 3 && mark[0] == "--" && mark[1] == "becomes" && mark[2] == "--":
			if n := len(m.edits); n == 0 || into != &m.edits[n-1].before {
				return m, errors.New("a becomes is not behind its in")
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
	if n := len(m.edits); n == 0 || m.what == "" || into != &m.edits[n-1].after {
		return m, errors.New("a mutant needs what: and pairs of in and becomes")
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

// apply fills in the changed files. A place that is not there exactly once is an error: the code has changed and the rule
// must follow.
func (m *mutant) apply(source *module) error {
	type change struct {
		place
		after string
	}
	var changes []change
	for _, e := range m.edits {
		at, err := source.find(e.in, e.before)
		if err != nil {
			return err
		}
		changes = append(changes, change{at, e.after})
		if m.pkg == "" {
			m.pkg = at.dir
		}
	}
	// From the end, so that the places before a change stay where they are.
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(strings.Compare(a.file, b.file), b.start-a.start) })
	m.files = make(map[string]string)
	for i, c := range changes {
		text, ok := m.files[c.file]
		if !ok {
			text = source.texts[c.file]
		}
		if i > 0 && changes[i-1].file == c.file && changes[i-1].start < c.end {
			return fmt.Errorf("two of its places in %s overlap", c.file)
		}
		m.files[c.file] = text[:c.start] + c.after + text[c.end:]
	}
	return nil
}
