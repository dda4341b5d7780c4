package check

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
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
	if want := "; pbx1: registration trunk-b: crit registered=0: rejected; and 1 more"; !strings.HasSuffix(text, want) {
		t.Errorf("%q does not end %s", want, text)
	}
	for _, want := range []string{"CRITICAL pbx1: module nosuch: ", "CRITICAL pbx1: registration trunk-b: crit registered=0: rejected", "WARNING pbx1: server: warn uptime<1h"} {
		if !strings.Contains(rest, want) {
			t.Errorf("%q is not in %s", want, rest)
		}
	}
	if got := nagios.Text("a>1 || b|c\n"); strings.ContainsAny(got, "|\n") || !strings.HasPrefix(got, "a>1 or b/c") {
		t.Errorf("text becomes %q", got)
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

// A server that does not answer within --deadline is critical, in one line.
func TestNagiosDeadline(t *testing.T) {
	srv := busy(t)
	srv.Handle("CoreStatus", func(*amitest.Request, *amitest.ResponseWriter) {})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "nagios"}})
	err := check(ctx, r.Run, &options{})
	if exit := fail.Classify(err).Exit; exit != nagios.Critical || !strings.HasPrefix(r.Out.String(), "ASTERISK CRITICAL - 4 of 5 checks passed; pbx1: booted: CoreStatus: timed out |") || strings.Count(r.Out.String(), "\n") != 1 {
		t.Errorf("status %d: %s", exit, r.Out)
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

// For CI a warning is a failure of its own kind, and what is not known an error.
func TestSuites(t *testing.T) {
	for form, want := range map[string][]string{
		"tap": {"TAP version 14\n1..16\n", "not ok 7 - pbx1: module nosuch\n", "  kind: \"warning\"\n", "ok 13 - pbx1: conference 7000\n"},
		"junit": {
			`tests="16" failures="3" errors="0" skipped="0"`, `<failure message="warn uptime&lt;1h: uptime `, `" type="warning">`,
			`<failure message="crit registered=0: rejected" type="condition">`, `conference 7000: parties 1`,
		},
	} {
		r, exit := inspect(t, busy(t), everything, run.Globals{Output: form}, options{})
		if exit != fail.ExitFailed {
			t.Errorf("%s: status %d", form, exit)
		}
		for _, text := range want {
			if !strings.Contains(r.Out.String(), text) {
				t.Errorf("%s: %q is not in %s", form, text, r.Out)
			}
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
	if got := (nagios.Datum{Label: "x", Value: math.NaN(), Unit: "s"}).String(); got != "x=U;;;0" {
		t.Errorf("a figure that is not known is %s", got)
	}
}
