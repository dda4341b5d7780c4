// Package cond decides whether answers are what a command line asked for: how many things meet a condition, and whether
// that is as many as --found wants. send, wait --until and check share it; none of it does any I/O.
package cond

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Found says how many things have to meet a condition, as --found does. The zero Found asks nothing. It is a flag's
// value.
type Found struct {
	asks     bool
	all      bool // all there are, and at least one
	min, max int
}

// The Founds that have a name.
var (
	Any  = Found{asks: true, min: 1, max: math.MaxInt}
	All  = Found{asks: true, all: true}
	None = Found{asks: true}
)

// AtLeast is N.., which --min-items says too.
func AtLeast(n int) Found { return Found{asks: true, min: n, max: math.MaxInt} }

// ParseFound reads any, all, none, N, N..M, N.. or ..M.
func ParseFound(s string) (Found, error) {
	switch s {
	case "any":
		return Any, nil
	case "all":
		return All, nil
	case "none":
		return None, nil
	}
	low, high, isRange := strings.Cut(s, "..")
	f := Found{asks: true, max: math.MaxInt}
	if !isRange {
		high = low
	}
	var err error
	if low != "" {
		f.min, err = wholeNumber(low)
	}
	if high != "" && err == nil {
		f.max, err = wholeNumber(high)
	}
	switch {
	case err != nil || low == "" && high == "":
		return Found{}, errors.New("not one of any, all, none, a number such as 3, or a range such as 2..5, 2.. or ..5")
	case f.min > f.max:
		return Found{}, fmt.Errorf("nothing is in this range; %d..%d is", f.max, f.min)
	}
	return f, nil
}

func wholeNumber(s string) (int, error) {
	if s[0] < '0' || s[0] > '9' {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(s)
}

// Asks reports whether anything is asked.
func (f Found) Asks() bool { return f.asks }

// Holds reports whether a count is as many as wanted.
func (f Found) Holds(c Count) bool {
	switch {
	case !f.asks:
		return true
	case f.all:
		return c.Asked > 0 && c.Met == c.Asked
	}
	return f.min <= c.Met && c.Met <= f.max
}

// Check returns an error that says what was counted and what is wanted, nil if f holds.
func (f Found) Check(c Count) error {
	switch {
	case f.Holds(c):
		return nil
	case f.all && c.Asked == 0:
		return errors.New("there is nothing, and all needs at least one")
	}
	return fmt.Errorf("%d of %d found, and %s wanted", c.Met, c.Asked, f.wish())
}

// wish is what is wanted, in words with their verb.
func (f Found) wish() string {
	switch {
	case f.all:
		return "all are"
	case f.max == 0:
		return "none is"
	case f.min == f.max:
		return strconv.Itoa(f.min) + " are"
	case f.max == math.MaxInt:
		return "at least " + strconv.Itoa(f.min) + " are"
	case f.min == 0:
		return "at most " + strconv.Itoa(f.max) + " are"
	}
	return fmt.Sprintf("%d to %d are", f.min, f.max)
}

// Set parses a flag's value.
func (f *Found) Set(s string) (err error) {
	*f, err = ParseFound(s)
	return err
}

// String returns what ParseFound reads as f, "" for the zero Found.
func (f Found) String() string {
	switch {
	case !f.asks:
		return ""
	case f.all:
		return "all"
	case f == Any:
		return "any"
	case f == None:
		return "none"
	case f.min == f.max:
		return strconv.Itoa(f.min)
	}
	s := ".."
	if f.min > 0 || f.max == math.MaxInt {
		s = strconv.Itoa(f.min) + s
	}
	if f.max < math.MaxInt {
		s += strconv.Itoa(f.max)
	}
	return s
}

// Get returns the value, as the flag package has it.
func (f Found) Get() any { return f }
