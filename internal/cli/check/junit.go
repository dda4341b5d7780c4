package check

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/output"
)

// The elements of JUnit's XML, in the order and with the attributes that both schemas in use want: that of Ant's JUnit task, and
// Jenkins' own.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string      `xml:"name,attr"`
		Package    string      `xml:"package,attr"`
		ID         int         `xml:"id,attr"`
		Host       string      `xml:"hostname,attr"`
		Tests      int         `xml:"tests,attr"`
		Failures   int         `xml:"failures,attr"`
		Errors     int         `xml:"errors,attr"`
		Skipped    int         `xml:"skipped,attr"`
		Time       string      `xml:"time,attr"`      // seconds
		Stamp      string      `xml:"timestamp,attr"` // UTC, without a zone
		Properties struct{}    `xml:"properties"`
		Cases      []junitCase `xml:"testcase"`
		Output     string      `xml:"system-out"`
		Errs       string      `xml:"system-err"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		Time    string       `xml:"time,attr"`
		Skipped *junitReason `xml:"skipped"`
		Error   *junitReason `xml:"error"`
		Failure *junitReason `xml:"failure"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
	}
)

// junitSuiteOf is a node's checks: one that is undecided is an error, for it says nothing of the server. What was found of
// those that are well is the suite's output.
func junitSuiteOf(id int, node []result) junitSuite {
	s := junitSuite{Package: "amictl.check", ID: id}
	var took time.Duration
	var found strings.Builder
	for i := range node {
		r := &node[i]
		c := junitCase{Name: output.Safe(r.check), Class: output.Safe(r.node), Time: inSeconds(r.took)}
		reason := &junitReason{Message: output.Safe(r.detail), Type: string(fail.Classify(r.err).Code)}
		switch r.status {
		case failed:
			s.Failures++
			c.Failure = reason
		case warned:
			s.Failures++
			reason.Type = "warning"
			c.Failure = reason
		case undecided:
			s.Errors++
			c.Error = reason
		case skipped:
			s.Skipped++
			c.Skipped = &junitReason{Message: output.Safe(r.detail)}
		default:
			if r.detail != "" {
				found.WriteString(c.Name + ": " + output.Safe(r.detail) + "\n")
			}
		}
		if i == 0 {
			s.Name, s.Host, s.Stamp = c.Class, c.Class, r.at.UTC().Format("2006-01-02T15:04:05")
		}
		s.Tests++
		took += r.took
		s.Cases = append(s.Cases, c)
	}
	s.Time, s.Output = inSeconds(took), found.String()
	return s
}

// writeJUnit writes a suite for each node and a case for each check.
func writeJUnit(w io.Writer, results [][]result) error {
	var all junitSuites
	for i, node := range results {
		all.Suites = append(all.Suites, junitSuiteOf(i, node))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// inSeconds has three decimals: Jenkins takes no more.
func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
