// Package testreport writes the results of tests as CI servers read them: JUnit's XML, and the Test Anything Protocol. Text of
// cases has to be safe for a terminal already.
package testreport

import "time"

// An Outcome is how a case ended.
type Outcome uint8

// The outcomes. An Error says nothing of what was tested.
const (
	Passed Outcome = iota
	Failed
	Error
	Skipped
)

// A Case is a test and its result.
type Case struct {
	Name    string
	Outcome Outcome
	Kind    string // of a failure or an error, such as "condition"
	Message string // why, or what was found
	Took    time.Duration
}

// A Suite is the tests of one thing.
type Suite struct {
	Name    string
	Package string
	Start   time.Time
	Cases   []Case
}
