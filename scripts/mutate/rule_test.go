package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every rule's place is in the code, once, and no two rules are the same bug. When the code moves on its mutants must
// follow.
func TestRulesApply(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	all, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Errorf("%d mutants, want at least 25", len(all))
	}
	names := make(map[string]string)
	for _, m := range all {
		if _, err := m.apply(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		bug := fmt.Sprint(m.edits)
		if twin := names[bug]; twin != "" {
			t.Errorf("%s is the same bug as %s", m.name, twin)
		}
		names[bug] = m.name
	}
}

// Every fuzz target of the tree has a mutant that its committed corpus catches: a target that cannot fail proves nothing.
func TestEveryFuzzTargetCanFail(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	all, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	caught := make(map[string]bool)
	for _, m := range all {
		caught[m.pkg+" "+m.run] = true
	}
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	targets := 0
	err = filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, f := range declared.FindAllStringSubmatch(string(text), -1) {
			targets++
			if !caught["./"+filepath.ToSlash(filepath.Dir(path))+" "+f[1]] {
				t.Errorf("%s: no mutant is there for %s", path, f[1])
			}
		}
		return err
	})
	if err != nil || targets == 0 {
		t.Errorf("%d fuzz targets: %v", targets, err)
	}
}

// A rule that does not fit, or says nothing, is an error.
func TestBadRules(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("code", []byte("a\nb\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for rule, ok := range map[string]bool{
		"what: x\n-- before code --\na\n-- after code --\nc\n":      true,
		"what: x\n-- before code --\nb\n-- after code --\nc\n":      false, // twice
		"what: x\n-- before code --\nz\n-- after code --\nc\n":      false, // not there
		"what: x\n-- before none --\na\n-- after none --\nc\n":      false,
		"-- before code --\na\n-- after code --\nc\n":               false,
		"what: x\n-- before code --\na\n-- after other --\nc\n":     false,
		"what: x\nwhy: y\n-- before code --\na\n-- after code --\n": false,
		"what: x\n": false,
	} {
		if err := os.WriteFile("rule", []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := parse("rule", "rule")
		if err == nil {
			_, err = m.apply()
		}
		if (err == nil) != ok {
			t.Errorf("%q: %v", rule, err)
		}
	}
}
