package check

import (
	"encoding/xml"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// everything is a profile with a check of each kind, of which some fail in each way.
const everything = `
modules = ["app_queue", "nosuch"]
[server]
warn = "uptime<1h"
[ping]
warn = "rtt>10s"
[[registrations]]
crit = "registered=0"
[[endpoints]]
name = "alice"
warn = "rtt>200ms"
[[queues]]
name = "support"
warn = "callers>5 || wait>=1m"
crit = "available<1"
[[conferences]]
[[channels]]
title = "it's = |stuck|"
where = "duration>4h"
crit = "count>0"
[[calls]]
[[command]]
run = "core show channels count"
expect = '(?P<active>\d+) active channel'
warn = "active>400"
`

// datumPattern is a figure of performance data as the plugin guidelines have it: 'label'=value[unit];[warn];[crit];[min];[max].
var datumPattern = regexp.MustCompile(`^ ('(?:[^'=|]|'')+'|[^'=| ]+)=(-?[0-9.]+(?:s|c|%|B)?|U)((?:;(?:@?~?:?-?[0-9.]*:?-?[0-9.]*)?){0,4})`)

func TestNagiosLine(t *testing.T) {
	srv := busy(t)
	r, exit := inspect(t, srv, everything, run.Globals{Output: "nagios"}, options{})
	line, rest, _ := strings.Cut(r.Out.String(), "\n")
	text, data, found := strings.Cut(line, " |")
	if exit != nagios.Critical || !found || !strings.HasPrefix(text, "ASTERISK CRITICAL - 13 of 16 checks passed; pbx1: module nosuch: not loaded") {
		t.Errorf("status %d: %s", exit, line)
	}
	for _, want := range []string{"CRITICAL pbx1: registration trunk-b: crit registered=0: rejected", "WARNING pbx1: server: warn uptime<1h"} {
		if !strings.Contains(rest, want) {
			t.Errorf("%q is not in %s", want, rest)
		}
	}
	if strings.Contains(rest, "|") || r.Err.String() != "" {
		t.Errorf("further lines: %s; standard error: %s", rest, r.Err)
	}
	got := make(map[string]string)
	for data != "" {
		m := datumPattern.FindStringSubmatch(data)
		if m == nil {
			t.Fatalf("this is no performance data: %s", data)
		}
		got[m[1]] = m[2] + m[3]
		data = data[len(m[0]):]
	}
	for label, want := range map[string]string{
		"'queue support callers'": "1;~:5;;0", "'queue support available'": "1;;1:;0", "'queue support completed'": "0c;;;0",
		"'it''s : /stuck/ count'": "0;;~:0;0", "'command core show channels count active'": "2;~:400;;0", "checks": "16;;;0",
	} {
		if got[label] != want {
			t.Errorf("%s is %q, want %q in %v", label, got[label], want, got)
		}
	}
	if wait := got["'queue support wait'"]; !regexp.MustCompile(`^[0-9]+s;@60:;;0$`).MatchString(wait) {
		t.Errorf("the wait is %q", wait)
	}
}

// Whatever a run of -o nagios cannot do is UNKNOWN, in one line.
func TestNagiosUnknown(t *testing.T) {
	srv := busy(t)
	r, exit := inspect(t, srv, "[[queues]]\nwarn = \"x\"\n", run.Globals{Output: "nagios"}, options{})
	if exit != nagios.Unknown || !strings.HasPrefix(r.Out.String(), "ASTERISK UNKNOWN - ") || strings.Count(r.Out.String(), "\n") != 1 {
		t.Errorf("status %d: %s", exit, r.Out)
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
}

// What promtool would say of the metrics: nothing.
func TestMetrics(t *testing.T) {
	r, exit := inspect(t, busy(t), everything, run.Globals{Output: "prometheus"}, options{})
	if exit != fail.ExitOK {
		t.Errorf("status %d", exit)
	}
	problems, err := promlint.New(strings.NewReader(r.Out.String())).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v: %v\n%s", err, problems, r.Out)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(r.Out.String()) {
		series, _, _ := strings.Cut(line, "} ")
		if !strings.HasPrefix(line, "#") && seen[series] {
			t.Errorf("there are two samples of %s", series)
		}
		seen[series] = true
	}
	for _, want := range []string{
		`ami_check_status{node="pbx1",check="module nosuch"} 2`, `ami_check_status{node="pbx1",check="server"} 1`,
		`ami_check_queue_callers{node="pbx1",queue="support"} 1`, `ami_check_registration_registered{node="pbx1",registration="trunk-b"} 0`,
		`ami_check_command{node="pbx1",check="command core show channels count",figure="active"} 2`, `ami_check_found{node="pbx1",check="calls"} 2`,
	} {
		if !strings.Contains(r.Out.String(), want+"\n") {
			t.Errorf("%s is not in\n%s", want, r.Out)
		}
	}
}

func TestTAP(t *testing.T) {
	r, exit := inspect(t, busy(t), "modules = [\"nosuch#1\"]\n[[calls]]\ncrit = \"count>1\"\n", run.Globals{Output: "tap"}, options{})
	const want = `TAP version 14
1..7
ok 1 - pbx1: connect
ok 2 - pbx1: banner
ok 3 - pbx1: login
ok 4 - pbx1: ping
ok 5 - pbx1: booted
not ok 6 - pbx1: module nosuch\#1
  ---
  message: "not loaded: Module not loaded"
  severity: fail
  ...
not ok 7 - pbx1: calls
  ---
  message: "crit count>1: count 2, longest 1h0m0s (PJSIP/dave)"
  severity: fail
  ...
`
	got := regexp.MustCompile(`PJSIP/\w+`).ReplaceAllString(r.Out.String(), "PJSIP/dave")
	if diff := cmp.Diff(want, got); diff != "" || exit != fail.ExitFailed {
		t.Errorf("status %d (-want +got):\n%s", exit, diff)
	}
}

// A report has what both schemas of JUnit's want, in their order, and its counts are those of its cases.
func TestJUnit(t *testing.T) {
	r, _ := inspect(t, busy(t), everything+"[call]\nchannel = \"Local/300@default\"\nexten = \"1\"\n", run.Globals{Output: "junit"}, options{})
	var report struct {
		XMLName xml.Name
		Suites  []struct {
			Attrs []xml.Attr `xml:",any,attr"`
			Inner []struct {
				XMLName xml.Name
				Attrs   []xml.Attr `xml:",any,attr"`
				Inner   []struct {
					XMLName xml.Name
					Attrs   []xml.Attr `xml:",any,attr"`
				} `xml:",any"`
			} `xml:",any"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal([]byte(r.Out.String()), &report); err != nil {
		t.Fatal(err)
	}
	suite := report.Suites[0]
	attrs := make(map[string]string)
	for _, a := range suite.Attrs {
		attrs[a.Name.Local] = a.Value
	}
	for _, name := range []string{"name", "package", "id", "hostname", "tests", "failures", "errors", "skipped", "time", "timestamp"} {
		if _, there := attrs[name]; !there {
			t.Errorf("the suite has no %s: %v", name, attrs)
		}
	}
	if _, err := time.Parse("2006-01-02T15:04:05", attrs["timestamp"]); err != nil {
		t.Error(err)
	}
	for _, m := range regexp.MustCompile(` time="([^"]*)"`).FindAllStringSubmatch(r.Out.String(), -1) {
		if !regexp.MustCompile(`^[0-9]+\.[0-9]{3}$`).MatchString(m[1]) {
			t.Errorf("%s is no time that Jenkins takes", m[1])
		}
	}
	var order []string
	for _, e := range suite.Inner {
		if name := e.XMLName.Local; len(order) == 0 || order[len(order)-1] != name {
			order = append(order, name)
		}
		if e.XMLName.Local == "testcase" && len(e.Inner) > 1 {
			t.Errorf("a case ends in several ways: %v", e)
		}
	}
	if diff := cmp.Diff([]string{"properties", "testcase", "system-out", "system-err"}, order); diff != "" {
		t.Errorf("the elements are (-want +got):\n%s", diff)
	}
	for _, what := range []struct{ count, element string }{{"tests", "<testcase "}, {"failures", "<failure "}, {"errors", "<error "}, {"skipped", "<skipped "}} {
		if n := strings.Count(r.Out.String(), what.element); attrs[what.count] != strings.TrimSpace(number(float64(n))) {
			t.Errorf("%d %s, and the suite says %s", n, what.element, attrs[what.count])
		}
	}
}

// --out holds what would be printed, whole, and is written anew each round; what is told is told once.
func TestWatch(t *testing.T) {
	out := filepath.Join(t.TempDir(), "pbx.prom")
	o := options{out: out, rounds: run.Rounds{Watch: true, Every: flags.Duration{Value: time.Millisecond, Given: true}, Most: flags.Count{Value: 3, Given: true}}}
	r, exit := inspect(t, busy(t), "modules = [\"nosuch\"]\n", run.Globals{Output: "prometheus"}, o)
	text, err := os.ReadFile(out)
	if err != nil || exit != fail.ExitOK || r.Out.String() != "" || strings.Count(string(text), "# HELP ami_check_status") != 1 {
		t.Errorf("status %d, %v: %s\nprinted %s", exit, err, text, r.Out)
	}
	if n := strings.Count(r.Err.String(), "module nosuch"); n != 1 {
		t.Errorf("it was told %d times:\n%s", n, r.Err)
	}
}

// A condition that a range can say is one in performance data.
func TestBound(t *testing.T) {
	for text, want := range map[string]string{
		"x>5": "~:5", "x<1": "1:", "x>=2.5": "@2.5:", "x<=3": "@~:3", "x=0": "@0:0", "x!=1": "1:1", "y>1 || x>10m": "~:600", "x>00:01:00": "~:60",
		"x>1 && y>1": "", "(x>1 || y>1) && z=1": "", "y>1": "", `x=~"^1"`: "", "x=up": "", "x IN (1,2)": "", "x>-1": "~:-1",
	} {
		w, err := ami.ParseWhere(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := bound(w, "X"); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	if got := bound(nil, "x"); got != "" {
		t.Errorf("no condition is %q", got)
	}
	if got := (nagios.Datum{Label: "x", Value: math.NaN(), Unit: "s"}).String(); got != "'x'=U;;;0" {
		t.Errorf("a figure that is not known is %s", got)
	}
}
