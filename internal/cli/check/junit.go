package check

import (
	"encoding/xml"
	"io"
	"strconv"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/output"
)

// The elements of JUnit's XML that build servers read.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"` // seconds
		Stamp    string      `xml:"timestamp,attr,omitempty"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Skipped *junitFailure `xml:"skipped"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
	}
)

// writeJUnit writes a suite for each node and a case for each check.
func writeJUnit(w io.Writer, results [][]result) error {
	var all junitSuites
	for _, node := range results {
		var s junitSuite
		var took time.Duration
		for i := range node {
			r := &node[i]
			c := junitCase{Name: output.Safe(r.check), Class: output.Safe(r.node), Time: inSeconds(r.took)}
			switch {
			case r.err != nil:
				s.Failures++
				c.Failure = &junitFailure{Message: output.Safe(r.detail), Type: string(fail.Classify(r.err).Code)}
			case r.skipped:
				s.Skipped++
				c.Skipped = &junitFailure{Message: output.Safe(r.detail)}
			default:
				c.Output = output.Safe(r.detail)
			}
			if i == 0 {
				s.Name, s.Stamp = c.Class, r.at.UTC().Format("2006-01-02T15:04:05")
			}
			s.Tests++
			took += r.took
			s.Cases = append(s.Cases, c)
		}
		s.Time = inSeconds(took)
		all.Suites = append(all.Suites, s)
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

func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
