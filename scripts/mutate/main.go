// Command mutate builds the tests with one deliberate bug at a time and reports which test sees it. The tree is not
// touched: the compiler gets the changed files by -overlay.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

func main() {
	every := flag.Int("every", 1, "take each Nth mutant, beginning with one that changes by the day")
	table := flag.String("table", "", "write what became of each to this file, as a table in Markdown")
	jobs := flag.Int("jobs", min(4, runtime.NumCPU()), "try so many at once")
	count := flag.Int("sample", 0, "flip so many operators in each of the packages named, one at a time")
	seed := flag.Uint64("seed", 1, "which operators a sample flips")
	floor := flag.Int("floor", 85, "how many of a sample's flips must be seen, in percent")
	own := flag.Bool("own", false, "of a sample: judge a package by its own tests alone, not by the sessions of the command line too")
	flag.Parse()
	var err error
	if *count > 0 {
		err = runSample(flag.Args(), sampling{*count, *seed, *floor, *own, *jobs}, *table)
	} else {
		err = run(flag.Args(), *every, *jobs, *table)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(names []string, every, jobs int, table string) error {
	chosen, err := choose(names, every)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l := newLab(dir)
	if err := l.healthy(chosen); err != nil {
		return err
	}
	results := tryAll(l, chosen, jobs)
	var rows, bad []string
	fuzzers := 0
	for i, r := range results {
		m := &chosen[i]
		if !r.caught {
			bad = append(bad, m.name)
		} else if strings.HasPrefix(r.catcher, "Fuzz") {
			fuzzers++
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", m.name, m.what, r.catcher))
	}
	fmt.Printf("%d of %d mutants caught, %d of them by the corpora of fuzz targets; the simulation alone saw %d of the %d that it was given\n",
		len(chosen)-len(bad), len(chosen), fuzzers, l.alsoSaw, l.alsoAsked)
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

// choose loads the mutants of those names, or each Nth of all. A rule is checked even when it is not run.
func choose(names []string, every int) (chosen []mutant, err error) {
	all, err := load(names)
	if err != nil {
		return nil, err
	}
	first := time.Now().YearDay() % every
	for i := range all {
		if i%every == first {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// A result is what became of one mutant.
type result struct {
	catcher string
	caught  bool
}

// tryAll tries mutants, some at once, each in a folder of its own: their builds share the compiler's cache.
func tryAll(l *lab, chosen []mutant, jobs int) []result {
	results := make([]result, len(chosen))
	next := make(chan int)
	var workers sync.WaitGroup
	for w := range jobs {
		bench := &bench{lab: l, dir: filepath.Join(l.dir, fmt.Sprintf("bench%d", w))}
		workers.Go(func() {
			for i := range next {
				start := time.Now()
				results[i] = bench.result(&chosen[i])
				fmt.Printf("%-28s %-46s %s (%.0fs)\n", chosen[i].name, results[i].catcher, chosen[i].what, time.Since(start).Seconds())
			}
		})
	}
	for i := range chosen {
		next <- i
	}
	close(next)
	workers.Wait()
	return results
}

func (b *bench) result(m *mutant) result {
	catcher, err := b.try(m)
	switch {
	case err != nil:
		return result{catcher: "ERROR " + err.Error()}
	case catcher == "":
		return result{catcher: "SURVIVED"}
	}
	return result{catcher: catcher, caught: true}
}
