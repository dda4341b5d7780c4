package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A lab has what all mutants share: the tests as they are, and what is known of them.
type lab struct {
	dir  string
	bins map[string]string // package → its tests without any mutant; written before the first mutant

	mu                 sync.Mutex
	broken             []string        // guarded by mu: tests that fail without any mutant
	passes             map[string]bool // guarded by mu: package and test → it passes alone without any mutant
	alsoAsked, alsoSaw int             // guarded by mu
}

func newLab(dir string) *lab {
	return &lab{dir: dir, bins: make(map[string]string), passes: make(map[string]bool)}
}

// healthy runs the catchers on the code as it is. A test that fails anyway catches nothing: it is left out from here on.
func (l *lab) healthy(mutants []mutant) error {
	patterns := make(map[string][]string)
	for _, m := range mutants {
		patterns[m.pkg] = append(patterns[m.pkg], m.run)
		if m.also.pkg != "" {
			patterns[m.also.pkg] = append(patterns[m.also.pkg], m.also.run)
		}
	}
	for pkg, runs := range patterns {
		slices.Sort(runs)
		runs = slices.Compact(runs) // which zeroes what it cuts off
		pattern := strings.Join(runs, "|")
		if slices.Contains(runs, "") {
			pattern = ""
		}
		if err := l.prepare(pkg, pattern); err != nil {
			return err
		}
	}
	return nil
}

// prepare builds a package's tests as they are, and leaves out what fails.
func (l *lab) prepare(pkg, pattern string) error {
	b := &bench{lab: l, dir: filepath.Join(l.dir, "healthy")}
	bin, err := b.build(pkg, nil)
	if err != nil {
		return err
	}
	l.bins[pkg] = filepath.Join(l.dir, fmt.Sprintf("healthy%d.test", len(l.bins)))
	if err := os.Rename(bin, l.bins[pkg]); err != nil {
		return err
	}
	catcher, out := l.test(l.bins[pkg], pkg, pattern, 5*time.Minute, false)
	if catcher == "" {
		return nil
	}
	broken := failed.FindAllStringSubmatch(out, -1)
	if len(broken) == 0 {
		return fmt.Errorf("%s fails without any mutant: %s\n%s", pkg, catcher, out)
	}
	for _, m := range broken {
		l.leaveOut(m[1])
	}
	return nil
}

// leaveOut has a test catch nothing from here on.
func (l *lab) leaveOut(test string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.broken, alone(test)) {
		l.broken = append(l.broken, alone(test))
	}
}

// passesAlone reports whether a test passes without any mutant.
func (l *lab) passesAlone(pkg, test string) bool {
	l.mu.Lock()
	pass := l.passes[pkg+" "+test]
	l.mu.Unlock()
	if pass {
		return true
	}
	catcher, _ := l.test(l.bins[pkg], pkg, alone(test), time.Minute, true)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passes[pkg+" "+test] = catcher == ""
	return catcher == ""
}

// alone is the pattern of one test.
func alone(test string) string {
	name, script, ok := strings.Cut(test, "/")
	if !ok {
		return "^" + name + "$"
	}
	return "^" + name + "$/^" + regexp.QuoteMeta(script) + "$"
}

var (
	script = regexp.MustCompile(`(?m)^ +--- FAIL: (` + sessions.run + `/\S+)`)
	failed = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	began  = regexp.MustCompile(`(?m)^=== RUN +([^\s/]+)$`)
	hung   = regexp.MustCompile(`(?m)^running tests:\n\t(\S+)`)
)

// test runs a test binary and returns the first test that failed, hung or crashed, or "".
func (l *lab) test(bin, pkg, pattern string, timeout time.Duration, failFast bool) (catcher, output string) {
	// A mutant may take memory without end.
	c := exec.Command("sh", "-c", `ulimit -v 8000000; exec "$0" "$@"`, bin, "-test.short", "-test.v", "-test.run", pattern, "-test.timeout", timeout.String(), fmt.Sprintf("-test.failfast=%t", failFast))
	l.mu.Lock()
	if len(l.broken) > 0 {
		c.Args = append(c.Args, "-test.skip", strings.Join(l.broken, "|"))
	}
	l.mu.Unlock()
	c.Dir = pkg
	out, err := c.CombinedOutput()
	output = string(out)
	if err == nil {
		if strings.Contains(output, "no tests to run") {
			return "ERROR: no test of that name", output
		}
		return "", ""
	}
	if !errors.As(err, new(*exec.ExitError)) {
		return "ERROR " + err.Error(), output
	}
	if m := hung.FindStringSubmatch(output); m != nil {
		return testName(m[1]) + hangs, output
	}
	for _, sign := range []*regexp.Regexp{script, failed} {
		if m := sign.FindStringSubmatch(output); m != nil {
			return m[1], output
		}
	}
	if all := began.FindAllStringSubmatch(output, -1); all != nil {
		return all[len(all)-1][1] + " (crashes)", output
	}
	return "a crash", output
}

// testName is what a catcher begins with; how it failed follows. Of subtests a script alone stands for itself.
func testName(catcher string) string {
	name, _, _ := strings.Cut(catcher, " ")
	if strings.HasPrefix(name, sessions.run+"/") {
		return name
	}
	name, _, _ = strings.Cut(name, "/")
	return name
}

// hangs is behind the name of a test that did not end in time.
const hangs = " (hangs)"

var errBuild = errors.New("it does not compile")

// A bench builds and tries one mutant at a time.
type bench struct {
	*lab
	dir string
}

// try returns the test that sees the mutant, or "" if none does.
func (b *bench) try(m *mutant) (string, error) {
	bin, err := b.build(m.pkg, m.files)
	if err != nil {
		return "", err
	}
	catcher := ""
	if m.run != "" {
		if c, _ := b.test(bin, m.pkg, m.run, time.Minute, true); c != "" && b.confirmed(m.pkg, bin, c) {
			catcher = c
		}
	}
	if catcher == "" {
		if catcher = b.search(m, bin); catcher == "" {
			return "", nil
		}
	}
	if m.also.pkg == "" {
		return catcher, nil
	}
	second, err := b.secondOpinion(m)
	if err != nil {
		return "", err
	}
	return catcher + "; " + second, nil
}

// secondOpinion wants another suite, alone, to see the mutant too.
func (b *bench) secondOpinion(m *mutant) (string, error) {
	bin, err := b.build(m.also.pkg, m.files)
	if err != nil {
		return "", err
	}
	catcher, _ := b.test(bin, m.also.pkg, m.also.run, time.Minute, true)
	seen := catcher != "" && b.passesAlone(m.also.pkg, testName(catcher))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alsoAsked++
	if !seen {
		return "", fmt.Errorf("%s does not see it", m.also.run)
	}
	b.alsoSaw++
	return testName(catcher), nil
}

// search looks for a catcher in the whole suite.
func (b *bench) search(m *mutant, bin string) string {
	for range 3 {
		catcher, _ := b.test(bin, m.pkg, "", 3*time.Minute, true)
		if catcher == "" || b.confirmed(m.pkg, bin, catcher) {
			return catcher
		}
		b.leaveOut(testName(catcher))
	}
	return ""
}

// confirmed reports whether a catcher fails again alone, and does so only with the mutant: a test that is unlucky on a
// busy machine catches nothing.
func (b *bench) confirmed(pkg, bin, catcher string) bool {
	test := testName(catcher)
	again, _ := b.test(bin, pkg, alone(test), time.Minute, true)
	return again != "" && b.passesAlone(pkg, test)
}

// build compiles a package's tests with some files changed.
func (b *bench) build(pkg string, changed map[string]string) (string, error) {
	list, err := b.overlay(changed)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(b.dir, "mutant.test")
	out, err := exec.Command("go", "test", "-c", "-ldflags=-s -w -buildid=", "-overlay", list, "-o", bin, pkg).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", errBuild, strings.Join(strings.Fields(string(out)), " "))
	}
	return bin, nil
}

// overlay writes the changed files, and the list of them that the compiler takes.
func (b *bench) overlay(changed map[string]string) (list string, err error) {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return "", err
	}
	overlay := struct{ Replace map[string]string }{make(map[string]string)}
	for file, text := range changed {
		from, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		to := filepath.Join(b.dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[from] = to
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	list = filepath.Join(b.dir, "overlay.json")
	return list, os.WriteFile(list, text, 0o600)
}
