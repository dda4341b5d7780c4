package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// engine is what the hand-written mutants are of, beside the ten at most that are of the rules by which state is spliced.
var engine = []string{"./pkg/ami", "./pkg/ami/wire", "./pkg/ami/redact"}

const splicing, mostSplicing = "./pkg/ami/state", 10

// Every rule's place is in the engine, once, and no two rules are the same bug. When the code changes its mutants must
// follow; when it only moves they do so by themselves.
func TestRulesApply(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	all, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	spliced := 0
	names := make(map[string]string)
	for _, m := range all {
		for file := range m.files {
			switch dir := "./" + filepath.ToSlash(filepath.Dir(file)); {
			case dir == splicing:
				spliced++
			case !slices.Contains(engine, dir):
				t.Errorf("%s is of %s, which is not the engine", m.name, file)
			}
		}
		bug := fmt.Sprint(m.edits)
		if twin := names[bug]; twin != "" {
			t.Errorf("%s is the same bug as %s", m.name, twin)
		}
		names[bug] = m.name
	}
	if n := len(all) - spliced; n < 25 || n > 60 || spliced > mostSplicing {
		t.Errorf("%d mutants of the engine, want 25 to 60, and %d of splicing, want %d at most: a sample of flipped operators is what looks everywhere", n, spliced, mostSplicing)
	}
}

// Every fuzz target of the engine has a mutant that its committed corpus catches: a target that cannot fail proves nothing.
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
	for _, dir := range engine {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range declared.FindAllStringSubmatch(string(text), -1) {
				targets++
				if !caught[dir+" "+f[1]] {
					t.Errorf("%s: no mutant is there for %s", path, f[1])
				}
			}
		}
	}
	if targets == 0 {
		t.Error("there are no fuzz targets")
	}
}

// tree writes files and goes to their folder.
func tree(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A rule follows its function wherever that goes, and one that does not fit, or says nothing, is an error.
func TestRules(t *testing.T) {
	tree(t, map[string]string{
		"a/a.go":      "package a\n\ntype T[K any] struct{}\n\nfunc (t *T[K]) Do() {\n\tone()\n\ttwo()\n\ttwo()\n}\n\nfunc same() { one() }\n",
		"b/deep/b.go": "package b\n\nfunc same() {\n\tif true {\n\t\tone()\n\t}\n}\n\nconst (\n\tx = 1\n\ty = 1\n)\n\nvar z = 1\n",
		"b/b_test.go": "package b\n\nfunc inTest() { one() }\n",
	})
	for rule, want := range map[string]string{ // the changed text begins with; "" for an error
		"what: x\n-- in T.Do --\none()\n-- becomes --\n\tthree()\n":                                                       "a/a.go ./a package a\n\ntype T[K any] struct{}\n\nfunc (t *T[K]) Do() {\n\tthree()\n\ttwo()\n\ttwo()\n}\n\nfunc same() { one() }\n",
		"what: x\n-- in T.Do --\n\t\t\ttwo()\n  two()\n-- becomes --\n":                                                   "a/a.go ./a package a\n\ntype T[K any] struct{}\n\nfunc (t *T[K]) Do() {\n\tone()\n}\n\nfunc same() { one() }\n",
		"what: x\n-- in a.same --\nfunc same() { one() }\n-- becomes --\nfunc same() {}\n":                                "a/a.go ./a package a\n\ntype T[K any] struct{}\n\nfunc (t *T[K]) Do() {\n\tone()\n\ttwo()\n\ttwo()\n}\n\nfunc same() {}\n",
		"what: x\n-- in same --\none()\n-- becomes --\n":                                                                  "b/deep/b.go ./b/deep package b\n\nfunc same() {\n\tif true {\n\t}\n}\n\nconst (\n\tx = 1\n\ty = 1\n)\n\nvar z = 1\n",
		"what: x\npkg: ./a\n-- in y --\ny = 1\n-- becomes --\n\ty = 2\n-- in z --\nvar z = 1\n-- becomes --\nvar z = 3\n": "b/deep/b.go ./a package b\n\nfunc same() {\n\tif true {\n\t\tone()\n\t}\n}\n\nconst (\n\tx = 1\n\ty = 2\n)\n\nvar z = 3\n",

		"what: x\n-- in y --\nx = 1\n-- becomes --\n":                                                "", // of another constant
		"what: x\n-- in T.Do --\ntwo()\n-- becomes --\n":                                             "", // twice
		"what: x\n-- in T.Do --\nfour()\n-- becomes --\n":                                            "", // not there
		"what: x\n-- in T.Do --\n\n-- becomes --\n":                                                  "", // nothing to look for
		"what: x\n-- in U.Do --\none()\n-- becomes --\n":                                             "", // no such method
		"what: x\n-- in inTest --\nfunc inTest() { one() }\n-- becomes --\n":                         "", // of a test
		"what: x\n-- in T.Do --\none()\n-- becomes --\n-- in T.Do --\none()\ntwo()\n-- becomes --\n": "", // they overlap
		"-- in T.Do --\none()\n-- becomes --\n":                                                      "",
		"what: x\n-- becomes --\n":                                                                   "",
		"what: x\n-- in T.Do --\none()\n":                                                            "",
		"what: x\nwhy: y\n-- in T.Do --\none()\n-- becomes --\n":                                     "",
		"what: x\nalso: y\n-- in T.Do --\none()\n-- becomes --\n":                                    "",
		"what: x\n": "",
	} {
		if err := os.WriteFile("rule", []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
		source, err := readModule()
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse("rule", "rule")
		if err == nil {
			err = m.apply(source)
		}
		got := ""
		if err == nil {
			for file, text := range m.files {
				got += file + " " + m.pkg + " " + text
			}
		}
		if got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", rule, err, got, want)
		}
	}
}

// Each operator becomes another one; which are flipped, and to what, is the seed's, and a change elsewhere moves none.
func TestFlips(t *testing.T) {
	const before = "package a\n\nfunc (t *T) f(a, b int) bool {\n\ta += b\n\ta++\n\tfor i := 0; i < a; i++ {\n\t}\n\ts := \"x\" + t.s + \"y\"\n\treturn !(a == b) && s != \"\" || a&1 > 0\n}\n"
	of := func(text string, seed uint64) (all []string) {
		found, err := flipsOf("a.go", text, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			all = append(all, f.in+" "+f.from+" "+f.to)
			if changed := f.changed(); len(changed) != len(text)-len(f.from)+len(f.to) || changed == text {
				t.Errorf("%s: %s", f, changed)
			}
		}
		return all
	}
	got := of(before, 1)
	var from []string
	for _, f := range got {
		from = append(from, strings.Fields(f)[1])
	}
	if want := "+= ++ < ++ || && ! == != > &"; strings.Join(from, " ") != want {
		t.Errorf("operators %q, want %q", from, want)
	}
	if again := of("package a\n\nfunc g(a int) int { return a - 1 }\n\n"+before[len("package a\n\n"):], 1); !slices.Equal(again[1:], got) {
		t.Errorf("another function in front made %q of %q", again, got)
	}
	differ := false
	for seed := range uint64(10) {
		differ = differ || !slices.Equal(of(before, seed), got)
	}
	if !differ {
		t.Error("the seed changes nothing")
	}
}
