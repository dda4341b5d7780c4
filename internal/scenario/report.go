package scenario

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"
)

// A Report is what came of a scenario.
type Report struct {
	Name     string
	About    string
	Failures []Failure
	Checks   int           // comparisons made
	Took     time.Duration // of the run, its servers' start and end not counted
	Actions  int
	Events   uint64 // delivered to all subscriptions
}

// A Failure is an expectation that was not met.
type Failure struct {
	Where string // such as "action pings", "node pbx1"
	What  string // such as "replied", "sessions"
	Want  string
	Got   string
}

// String says it in one line.
func (f *Failure) String() string {
	return fmt.Sprintf("%s: %s: got %s, want %s", f.Where, f.What, f.Got, f.Want)
}

// OK reports whether everything was as expected.
func (r *Report) OK() bool { return len(r.Failures) == 0 }

// mostFailures bounds a report: one mistake can fail a thousand actions.
const mostFailures = 20

func (r *Report) fail(where, what, want, got string) {
	r.Checks++
	if len(r.Failures) < mostFailures {
		r.Failures = append(r.Failures, Failure{where, what, want, got})
	}
}

// check compares.
func (r *Report) check(where, what string, want *Want, got any) {
	if want.met(got) {
		r.Checks++
		return
	}
	text := fmt.Sprint(got)
	if s, ok := got.(string); ok {
		text = strconv.Quote(s)
	}
	r.fail(where, what, want.String(), text)
}

// vacuous fails expectations that met nothing.
func (r *Report) vacuous(where string, met map[string]int, wants map[string]*Want) {
	for what, w := range inOrder(wants) {
		if w != nil && met[what] == 0 {
			r.fail(where, what, w.String(), "nothing that it could be checked on")
		}
	}
}

// inOrder iterates by key, so that a report is the same every time.
func inOrder[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

func exactly(n int) *Want {
	return &Want{min: float64(n), max: float64(n), source: strconv.Itoa(n)}
}
