package main

import (
	"slices"
	"strings"
	"testing"
)

// A whole sample: what is seen, what survives, in code that no test uses too, and what is left out.
func TestSample(t *testing.T) {
	tree(t, map[string]string{
		"go.mod": "module m\n\ngo 1.26\n",
		"p/p.go": `package p

func Seen(a int) bool { return a < 1 }

func Survives(a int) bool { return a > 5 }

func Unused(a int) bool { return a != 5 }

const never = false

func Same(a int) bool { return never && a == 1 }

func NoMinus(a, b string) string { return a + b }
`,
		"p/p_test.go": `package p

import "testing"

func TestAll(t *testing.T) {
	if !Seen(0) || Seen(1) || Seen(2) || Same(1) || NoMinus("a", "b") != "ab" {
		t.Fatal()
	}
	Survives(1)
}
`,
	})
	s, err := newLab(t.TempDir()).sample("./p", sampling{count: 100, seed: 1, jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	var survivors []string
	for _, f := range s.survivors {
		survivors = append(survivors, f.in)
	}
	slices.Sort(survivors)
	// Of Same the && counts; what is behind it is never run.
	if want := "Survives Unused"; strings.Join(survivors, " ") != want || s.same != 1 || s.unusable != 1 || s.killed != 2 {
		t.Errorf("%s; survivors %q, want %q", s, survivors, want)
	}
}
