package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// fewest is how many flips of a package say something about it alone. With fewer, all packages are judged together.
const fewest = 10

// The command line is proven by sessions of whole processes: its packages are judged by those as well, where their own tests
// see nothing.
var (
	commandLine = "./internal/cli/"
	sessions    = suite{"./cmd/amictl", "TestScript"}
)

// A sampling says what to flip.
type sampling struct {
	count int // in each package
	seed  uint64
	floor int  // of what is seen, in percent
	own   bool // by the package's own tests alone
	jobs  int  // flips at once
}

// A sample is what became of some flips of one package.
type sample struct {
	pkg            string
	tried, killed  int
	same, unusable int // left out: the program is the same, or there is none
	survivors      []flip
}

func (s *sample) String() string {
	return fmt.Sprintf("%s: %d of %d flips killed (%d %%); left out: %d of the same program, %d that do not compile",
		strings.TrimPrefix(s.pkg, "./"), s.killed, s.tried, percent(s.killed, s.tried), s.same, s.unusable)
}

// row is its row of a table in Markdown.
func (s *sample) row() string {
	var survivors []string
	for _, f := range s.survivors {
		survivors = append(survivors, strings.ReplaceAll(fmt.Sprintf("%s in `%s`: `%s` for `%s`", filepath.Base(f.file), f.in, f.to, f.from), "|", `\|`))
	}
	return fmt.Sprintf("| %s | %d | %d %% | %s |\n", strings.TrimPrefix(s.pkg, "./"), s.tried, percent(s.killed, s.tried), strings.Join(survivors, "; "))
}

func percent(part, whole int) int { return 100 * part / max(1, whole) }

// runSample flips count operators in each package, one at a time, and wants a share of them seen by its tests.
func runSample(pkgs []string, o sampling, table string) error {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l := newLab(dir)
	var killed, tried int
	var low []string
	rows := "| package | flips | killed | survivors |\n|---|---|---|---|\n"
	for _, pkg := range pkgs {
		s, err := l.sample("./"+strings.TrimPrefix(filepath.ToSlash(filepath.Clean(pkg)), "./"), o)
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		fmt.Println(s)
		rows += s.row()
		killed, tried = killed+s.killed, tried+s.tried
		if s.tried >= fewest && percent(s.killed, s.tried) < o.floor {
			low = append(low, pkg)
		}
	}
	if table != "" {
		if err := os.WriteFile(table, []byte(rows), 0o600); err != nil {
			return err
		}
	}
	fmt.Printf("%d of %d flips killed in %d packages (%d %%), seed %d\n", killed, tried, len(pkgs), percent(killed, tried), o.seed)
	if len(low) > 0 {
		return fmt.Errorf("under %d %% of the flips are killed in %s", o.floor, strings.Join(low, " "))
	}
	if percent(killed, tried) < o.floor {
		return fmt.Errorf("under %d %% of the flips are killed", o.floor)
	}
	if len(l.broken) > 0 {
		return fmt.Errorf("these fail without any flip, if only at times, and were left out: %s", strings.Join(l.broken, " "))
	}
	return nil
}

// sample tries flips of one package.
func (l *lab) sample(pkg string, o sampling) (*sample, error) {
	all, err := readFlips(pkg, o.seed)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := l.prepare(pkg, ""); err != nil {
		return nil, err
	}
	judges := []suite{{pkg: pkg}}
	if strings.HasPrefix(pkg, commandLine) && !o.own {
		judges = append(judges, sessions)
		if l.bins[sessions.pkg] == "" {
			if err := l.prepare(sessions.pkg, sessions.run); err != nil {
				return nil, err
			}
		}
	}
	// Long enough that a busy machine kills nothing; an endless loop takes that long.
	patience := 20*time.Second + 5*time.Since(start)
	s := &sample{pkg: pkg}
	for len(all) > 0 && s.tried < o.count {
		some := all[:min(len(all), o.count-s.tried)]
		all = all[len(some):]
		if err := s.try(l, some, judges, patience, max(1, o.jobs)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// try tries flips, some at once, and books them in their order.
func (s *sample) try(l *lab, flips []flip, judges []suite, patience time.Duration, jobs int) error {
	fates, errs := make([]fate, len(flips)), make([]error, len(flips))
	next := make(chan int)
	var workers sync.WaitGroup
	for w := range jobs {
		b := &bench{lab: l, dir: filepath.Join(l.dir, fmt.Sprintf("sample%d", w))}
		workers.Go(func() {
			for i := range next {
				fates[i], errs[i] = b.fate(s.pkg, &flips[i], judges, patience)
			}
		})
	}
	for i := range flips {
		next <- i
	}
	close(next)
	workers.Wait()
	for i, f := range fates {
		switch f {
		case isSeen:
			s.killed++
		case isNot:
			s.survivors = append(s.survivors, flips[i])
			fmt.Println("  survived:", flips[i])
		case isSame:
			s.same++
			continue
		case isNoProgram:
			s.unusable++
			continue
		}
		s.tried++
	}
	return errors.Join(errs...)
}

// A fate is what became of a flip.
type fate uint8

const (
	isSeen fate = iota
	isNot
	isSame
	isNoProgram
)

// fate tries one flip.
func (b *bench) fate(pkg string, f *flip, judges []suite, patience time.Duration) (fate, error) {
	changed := map[string]string{f.file: f.changed()}
	seen, err := b.judged(judges, changed, patience)
	if errors.Is(err, errBuild) {
		return isNoProgram, nil
	}
	if seen || err != nil {
		return isSeen, err
	}
	same, err := b.same(pkg, changed)
	if same {
		return isSame, err
	}
	return isNot, err
}

// judged reports whether one of the suites sees a change.
func (b *bench) judged(by []suite, changed map[string]string, patience time.Duration) (bool, error) {
	for _, s := range by {
		bin, err := b.build(s.pkg, changed)
		if err != nil {
			return false, err
		}
		if b.killed(s, bin, patience) {
			return true, nil
		}
	}
	return false, nil
}

// killed reports whether a suite sees a flip. One that makes it hang is seen; what fails must fail again alone, and only
// with the flip.
func (b *bench) killed(by suite, bin string, patience time.Duration) bool {
	for range 3 {
		catcher, _ := b.test(bin, by.pkg, by.run, patience, true)
		if catcher == "" {
			return false
		}
		if strings.HasSuffix(catcher, hangs) || b.confirmed(by.pkg, bin, catcher) {
			return true
		}
		b.leaveOut(testName(catcher))
	}
	return false
}

// same reports whether the compiler makes the same of a package with a change: then it is none. What a linker makes of it
// says nothing, for that leaves out what the tests do not use.
func (b *bench) same(pkg string, changed map[string]string) (bool, error) {
	before, err := b.compiled(pkg, nil)
	if err != nil {
		return false, err
	}
	after, err := b.compiled(pkg, changed)
	return bytes.Equal(before, after), err
}

// compiled is a package as the compiler leaves it, without its build ID, which is made from the source, and without inlining,
// for which it would keep the source of small functions.
func (b *bench) compiled(pkg string, changed map[string]string) ([]byte, error) {
	list, err := b.overlay(changed)
	if err != nil {
		return nil, err
	}
	archive := filepath.Join(b.dir, "package.a")
	if out, err := exec.Command("go", "build", "-trimpath", "-gcflags=-dwarf=false -l", "-overlay", list, "-o", archive, pkg).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", errBuild, out)
	}
	id, err := exec.Command("go", "tool", "buildid", archive).Output()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(archive)
	return bytes.ReplaceAll(text, bytes.TrimSpace(id), nil), err
}
