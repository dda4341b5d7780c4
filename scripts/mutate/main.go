// Command mutate builds the tests with one deliberate bug at a time and reports which test sees it. The tree is not
// touched: the compiler gets the changed files by -overlay.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	every := flag.Int("every", 1, "take each Nth mutant, beginning with one that changes by the day")
	table := flag.String("table", "", "write the table of mutants and catchers to this file, in Markdown")
	flag.Parse()
	if err := run(flag.Args(), *every, *table); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(names []string, every int, table string) error {
	all, err := load(names)
	if err != nil {
		return err
	}
	var chosen []mutant
	first := time.Now().YearDay() % every
	for i := range all {
		if i%every == first {
			chosen = append(chosen, all[i])
		} else if _, err := all[i].apply(); err != nil { // a rule is checked even when it is not run
			return fmt.Errorf("%s: %w", all[i].name, err)
		}
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l := &lab{dir: dir, bins: make(map[string]string)}
	if err := l.healthy(chosen); err != nil {
		return err
	}
	var rows []string
	var bad []string
	for i := range chosen {
		m := &chosen[i]
		start := time.Now()
		catcher, err := l.try(m)
		switch {
		case err != nil:
			catcher = "ERROR " + err.Error()
			bad = append(bad, m.name)
		case catcher == "":
			catcher = "SURVIVED"
			bad = append(bad, m.name)
		}
		fmt.Printf("%-28s %-46s %s (%.0fs)\n", m.name, catcher, m.what, time.Since(start).Seconds())
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", m.name, m.what, catcher))
	}
	fmt.Printf("%d of %d mutants caught\n", len(chosen)-len(bad), len(chosen))
	if table != "" {
		text := "| mutant | what it breaks | caught by |\n|---|---|---|\n" + strings.Join(rows, "")
		if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
			return err
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("not caught: %s", strings.Join(bad, " "))
	}
	if len(l.broken) > 0 {
		return fmt.Errorf("these fail without any mutant, if only at times, and were left out: %s", strings.Join(l.broken, " "))
	}
	return nil
}

// A lab builds and runs test binaries in a directory of its own.
type lab struct {
	dir    string
	bins   map[string]string // package → its tests without any mutant
	broken []string          // tests that fail without any mutant
}

// healthy runs the catchers on the code as it is. A test that fails anyway catches nothing: it is left out from here on.
func (l *lab) healthy(mutants []mutant) error {
	patterns := make(map[string][]string)
	for _, m := range mutants {
		patterns[m.pkg] = append(patterns[m.pkg], m.run)
	}
	for pkg, runs := range patterns {
		bin, err := l.build(pkg, nil)
		if err == nil {
			l.bins[pkg] = filepath.Join(l.dir, fmt.Sprintf("healthy%d.test", len(l.bins)))
			err = os.Rename(bin, l.bins[pkg])
		}
		if err != nil {
			return err
		}
		slices.Sort(runs)
		pattern := strings.Join(slices.Compact(runs), "|")
		if slices.Contains(runs, "") {
			pattern = ""
		}
		if _, out := l.test(l.bins[pkg], pkg, pattern, 5*time.Minute, false); out != "" {
			for _, m := range failed.FindAllStringSubmatch(out, -1) {
				l.broken = append(l.broken, m[1])
			}
			if len(l.broken) == 0 {
				return fmt.Errorf("%s fails without any mutant:\n%s", pkg, out)
			}
		}
	}
	return nil
}

// try returns the test that sees the mutant, or "" if none does.
func (l *lab) try(m *mutant) (string, error) {
	changed, err := m.apply()
	if err != nil {
		return "", err
	}
	bin, err := l.build(m.pkg, changed)
	if err != nil {
		return "", err
	}
	if m.run != "" {
		if catcher, _ := l.test(bin, m.pkg, m.run, time.Minute, true); catcher != "" && l.confirmed(m, bin, catcher) {
			return catcher, nil
		}
	}
	return l.search(m, bin)
}

// search looks for a catcher in the whole suite.
func (l *lab) search(m *mutant, bin string) (string, error) {
	for range 3 {
		catcher, _ := l.test(bin, m.pkg, "", 3*time.Minute, true)
		if catcher == "" || l.confirmed(m, bin, catcher) {
			return catcher, nil
		}
		l.broken = append(l.broken, testName(catcher))
	}
	return "", nil
}

// confirmed reports whether a catcher fails again alone, and does so only with the mutant: a test that is unlucky on a
// busy machine catches nothing.
func (l *lab) confirmed(m *mutant, bin, catcher string) bool {
	alone := "^" + testName(catcher) + "$"
	again, _ := l.test(bin, m.pkg, alone, time.Minute, true)
	healthy, _ := l.test(l.bins[m.pkg], m.pkg, alone, time.Minute, true)
	return again != "" && healthy == ""
}

// testName is what a catcher begins with; how it failed follows.
func testName(catcher string) string {
	name, _, _ := strings.Cut(catcher, " ")
	return name
}

// build compiles a package's tests with some files changed.
func (l *lab) build(pkg string, changed map[string]string) (string, error) {
	overlay := struct{ Replace map[string]string }{make(map[string]string)}
	for file, text := range changed {
		from, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		to := filepath.Join(l.dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[from] = to
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	listFile, bin := filepath.Join(l.dir, "overlay.json"), filepath.Join(l.dir, "mutant.test")
	if err := os.WriteFile(listFile, list, 0o600); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "test", "-c", "-overlay", listFile, "-o", bin, pkg).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("it does not compile: %s", strings.Join(strings.Fields(string(out)), " "))
	}
	return bin, nil
}

var (
	failed = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	began  = regexp.MustCompile(`(?m)^=== RUN +([^\s/]+)$`)
	hung   = regexp.MustCompile(`(?m)^running tests:\n\t(\S+)`)
)

// test runs a test binary and returns the first test that failed, hung or crashed, or "".
func (l *lab) test(bin, pkg, pattern string, timeout time.Duration, failFast bool) (catcher, output string) {
	c := exec.Command(bin, "-test.short", "-test.v", "-test.run", pattern, "-test.timeout", timeout.String(), fmt.Sprintf("-test.failfast=%t", failFast))
	if len(l.broken) > 0 {
		c.Args = append(c.Args, "-test.skip", "^("+strings.Join(l.broken, "|")+")$")
	}
	c.Dir = pkg
	out, err := c.CombinedOutput()
	if err == nil {
		return "", ""
	}
	output = string(out)
	if !errors.As(err, new(*exec.ExitError)) {
		return "ERROR " + err.Error(), output
	}
	if m := hung.FindStringSubmatch(output); m != nil {
		return m[1] + " (hangs)", output
	}
	if m := failed.FindStringSubmatch(output); m != nil {
		return m[1], output
	}
	if all := began.FindAllStringSubmatch(output, -1); all != nil {
		return all[len(all)-1][1] + " (crashes)", output
	}
	return "a crash", output
}
