package testreport

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"time"
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
		Time       string      `xml:"time,attr"`
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

// JUnit writes suites as JUnit's XML. What was found of cases that passed is their suite's output: Ant's schema allows none in a
// case.
func JUnit(w io.Writer, suites []Suite) error {
	var all junitSuites
	for i := range suites {
		all.Suites = append(all.Suites, junitOf(i, &suites[i]))
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

func junitOf(id int, of *Suite) junitSuite {
	s := junitSuite{
		Name: of.Name, Package: of.Package, ID: id, Host: of.Name, Stamp: of.Start.UTC().Format("2006-01-02T15:04:05"), Tests: len(of.Cases),
	}
	var took time.Duration
	var found strings.Builder
	for _, c := range of.Cases {
		j := junitCase{Name: c.Name, Class: of.Name, Time: seconds(c.Took)}
		reason := &junitReason{Message: c.Message, Type: c.Kind}
		switch c.Outcome {
		case Failed:
			s.Failures++
			j.Failure = reason
		case Error:
			s.Errors++
			j.Error = reason
		case Skipped:
			s.Skipped++
			j.Skipped = reason
		default:
			if c.Message != "" {
				found.WriteString(c.Name + ": " + c.Message + "\n")
			}
		}
		took += c.Took
		s.Cases = append(s.Cases, j)
	}
	s.Time, s.Output = seconds(took), found.String()
	return s
}

// seconds has three decimals: Jenkins takes no more.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
