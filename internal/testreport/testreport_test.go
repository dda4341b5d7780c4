package testreport

import (
	"encoding/xml"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var suites = []Suite{
	{Name: "pbx1", Package: "amictl.check", Start: time.Date(2026, 11, 28, 7, 8, 9, 0, time.UTC), Cases: []Case{
		{Name: "ping", Message: "answered in 1ms", Took: 1234 * time.Microsecond},
		{Name: "a # <b> \\", Outcome: Failed, Kind: "condition", Message: `it is "not" <well>`, Took: 2 * time.Second},
		{Name: "calls", Outcome: Error, Kind: "permission", Message: "not known"},
		{Name: "boot", Outcome: Skipped, Message: "no #1 session"},
	}},
	{Name: "pbx2", Package: "amictl.check", Cases: []Case{{Name: "ping"}}},
}

func TestTAP(t *testing.T) {
	const want = `TAP version 14
1..5
ok 1 - pbx1: ping
not ok 2 - pbx1: a \# <b> \\
  ---
  message: "it is \"not\" <well>"
  kind: "condition"
  ...
not ok 3 - pbx1: calls
  ---
  message: "not known"
  kind: "permission"
  ...
ok 4 - pbx1: boot # SKIP no \#1 session
ok 5 - pbx2: ping
`
	var b strings.Builder
	if err := TAP(&b, suites); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A report has what both schemas of JUnit's want, in their order.
func TestJUnit(t *testing.T) {
	var b strings.Builder
	if err := JUnit(&b, suites); err != nil {
		t.Fatal(err)
	}
	type element struct {
		XMLName xml.Name
		Attrs   []xml.Attr `xml:",any,attr"`
		Inner   []element  `xml:",any"`
		Text    string     `xml:",chardata"`
	}
	var report element
	if err := xml.Unmarshal([]byte(b.String()), &report); err != nil {
		t.Fatal(err)
	}
	attributes := func(e element) string {
		all := make([]string, 0, len(e.Attrs))
		for _, a := range e.Attrs {
			all = append(all, a.Name.Local+"="+a.Value)
		}
		return strings.Join(all, " ")
	}
	suite := report.Inner[0]
	const want = "name=pbx1 package=amictl.check id=0 hostname=pbx1 tests=4 failures=1 errors=1 skipped=1 time=2.001 timestamp=2026-11-28T07:08:09"
	if diff := cmp.Diff(want, attributes(suite)); diff != "" {
		t.Errorf("the suite (-want +got):\n%s", diff)
	}
	var order, ends []string
	for _, e := range suite.Inner {
		if name := e.XMLName.Local; len(order) == 0 || order[len(order)-1] != name {
			order = append(order, name)
		}
		for _, inner := range e.Inner {
			ends = append(ends, inner.XMLName.Local+" "+attributes(inner))
		}
	}
	if diff := cmp.Diff([]string{"properties", "testcase", "system-out", "system-err"}, order); diff != "" {
		t.Errorf("the elements (-want +got):\n%s", diff)
	}
	wantEnds := []string{`failure message=it is "not" <well> type=condition`, "error message=not known type=permission", "skipped message=no #1 session"}
	if diff := cmp.Diff(wantEnds, ends); diff != "" {
		t.Errorf("how they ended (-want +got):\n%s", diff)
	}
	if text := suite.Inner[len(suite.Inner)-2].Text; text != "ping: answered in 1ms\n" {
		t.Errorf("the output is %q", text)
	}
	for _, m := range regexp.MustCompile(` time="([^"]*)"`).FindAllStringSubmatch(b.String(), -1) {
		if !regexp.MustCompile(`^[0-9]+\.[0-9]{3}$`).MatchString(m[1]) {
			t.Errorf("%s is no time that Jenkins takes", m[1])
		}
	}
}
