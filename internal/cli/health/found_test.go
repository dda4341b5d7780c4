package health

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// unwell is what is found of nodes that are not well, by their state.
func unwell() map[string]checkup {
	change := func(do func(h *checkup)) checkup { h := well(); do(&h); return h }
	return map[string]checkup{
		"login-refused": change(func(h *checkup) { h.fail(&ami.OpError{Op: ami.OpLogin, Node: "pbx1", Err: ami.ErrUnauthorized}) }),
		"stopping":      change(func(h *checkup) { h.fail(&ami.OpError{Op: ami.OpDial, Node: "pbx1", Err: ami.ErrStopping}) }),
		"down":          change(func(h *checkup) { h.fail(errors.New("away")); h.critical = true }),
		"critical":      change(func(h *checkup) { h.degraded, h.critical = "calls is 5", true }),
		"degraded":      change(func(h *checkup) { h.degraded = "ping: no answer" }),
		"ready":         change(func(h *checkup) { h.unjudged = []string{"ping>1s"} }),
	}
}

// How a node is decides its place and colour on a screen, and Nagios' status.
func TestStates(t *testing.T) {
	type place struct {
		Rank, Level int
		Tone        output.Tone
		Up          int
	}
	for state, want := range map[string]place{
		"login-refused": {0, nagios.Critical, output.Bad, 0},
		"stopping":      {0, nagios.Critical, output.Bad, 0},
		"down":          {0, nagios.Critical, output.Bad, 0},
		"critical":      {1, nagios.Critical, output.Bad, 0},
		"degraded":      {2, nagios.Warning, output.Doubtful, 1},
		"ready":         {3, nagios.Unknown, output.Good, 1},
	} {
		h := unwell()[state]
		if got := h.state(); got != state {
			t.Errorf("%s: %s", state, got)
		}
		if diff := cmp.Diff(want, place{h.rank(), h.level(), h.tone(), up([]checkup{h})}); diff != "" {
			t.Errorf("%s: %s", state, diff)
		}
	}
	h := well()
	if diff := cmp.Diff(place{4, nagios.OK, output.Good, 1}, place{h.rank(), h.level(), h.tone(), up([]checkup{h})}); diff != "" {
		t.Errorf("well: %s", diff)
	}
}

// A login that failed is counted as such, and a connection that failed as that.
func TestFailuresAreCounted(t *testing.T) {
	for state, want := range map[string][2]uint64{"login-refused": {1, 0}, "down": {0, 1}} {
		h := unwell()[state]
		if got := [2]uint64{h.stats.LoginFailures, h.stats.DialFailures}; got != want || h.stats.Dials != 1 || h.stats.Node != "pbx1" {
			t.Errorf("%s: %+v", state, h.stats)
		}
	}
}

// What is not known of a node is absent from its object, and what is 0 is there.
func TestRecord(t *testing.T) {
	watched, idle, away := well(), well(), unwell()["down"]
	watched.watched, watched.stats.Breaker = true, "open"
	idle.stats.Breaker = "closed" // of its only session: it has none
	idle.calls, idle.channels, idle.uptime = 0, 0, 0
	unknown := newCheckup("pbx1")
	unknown.at = well().at
	away.calls, away.channels, away.uptime, away.login, away.ping, away.version, away.banner = -1, -1, -1, 0, 0, "", ""
	for name, test := range map[string]struct {
		of   checkup
		want string
	}{
		"well":    {well(), `"state":"ready","login_us":20000,"ping_us":2000,"version":"22.1.0","uptime_s":3600,"calls":5,"channels":9,"banner":"11.0.0"`},
		"watched": {watched, `"state":"ready","breaker":"open","login_us":20000,"ping_us":2000,"version":"22.1.0","uptime_s":3600,"calls":5,"channels":9,"banner":"11.0.0"`},
		"idle":    {idle, `"state":"ready","login_us":20000,"ping_us":2000,"version":"22.1.0","uptime_s":0,"calls":0,"channels":0,"banner":"11.0.0"`},
		"unknown": {unknown, `"state":"ready"`},
		"away":    {away, `"state":"down","code":"bug","reason":"away"`},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			p := output.NewPrinter(&b, output.Options{Format: output.JSONLines})
			if err := errors.Join(p.Record(test.of.record()), p.Close()); err != nil {
				t.Fatal(err)
			}
			_, got, _ := strings.Cut(strings.TrimSuffix(b.String(), "}\n"), `Z",`)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A time that is not known is no 0 in a table.
func TestTableOfWhatIsNotKnown(t *testing.T) {
	unknown, idle := newCheckup("pbx1"), well()
	idle.uptime = 0
	for i, h := range []checkup{unknown, idle} {
		for _, f := range h.record() {
			if known := f.Text != ""; (f.Key == "uptime_s" || f.Key == "login_us" || f.Key == "ping_us") && known != (i == 1) {
				t.Errorf("%s is shown as %q", f.Key, f.Text)
			}
		}
	}
}

// The run's status: none reached by what they have in common, some by 6, degraded by 1.
func TestStatus(t *testing.T) {
	all := unwell()
	for name, test := range map[string]struct {
		found []string
		form  run.Output
		need  int
		want  int
	}{
		"all are well":                  {[]string{"ready", "ready"}, "", 0, fail.ExitOK},
		"one is degraded":               {[]string{"degraded", "ready"}, "", 0, fail.ExitFailed},
		"the last is well":              {[]string{"ready", "degraded"}, "", 0, fail.ExitFailed},
		"one is critical":               {[]string{"critical"}, "", 0, fail.ExitFailed},
		"some are away":                 {[]string{"login-refused", "degraded"}, "", 0, fail.ExitMixed},
		"no login":                      {[]string{"login-refused", "login-refused"}, "", 0, fail.ExitLogin},
		"none, for several reasons":     {[]string{"login-refused", "stopping"}, "", 0, fail.ExitConnect},
		"enough":                        {[]string{"login-refused", "degraded"}, "", 1, fail.ExitOK},
		"not enough":                    {[]string{"login-refused", "critical", "ready"}, "", 2, fail.ExitMixed},
		"Prometheus, whatever there is": {[]string{"login-refused"}, run.OutputPrometheus, 0, fail.ExitOK},
		"Nagios, ok":                    {[]string{"degraded"}, run.OutputNagios, 1, nagios.OK},
		"Nagios, warning":               {[]string{"degraded"}, run.OutputNagios, 0, nagios.Warning},
		"Nagios, critical":              {[]string{"degraded", "login-refused"}, run.OutputNagios, 2, nagios.Critical},
	} {
		t.Run(name, func(t *testing.T) {
			var found []checkup
			for _, state := range test.found {
				found = append(found, all[state])
			}
			l := look{form: test.form, need: test.need}
			if got := fail.Classify(l.status(found)).Exit; got != test.want {
				t.Errorf("the status is %d, want %d", got, test.want)
			}
		})
	}
}

// A sum that is not known for one node is not known; 0 is.
func TestSum(t *testing.T) {
	idle, unknown := well(), newCheckup("x")
	idle.calls = 0
	calls := func(h *checkup) int { return h.calls }
	if n := sum([]checkup{idle, well()}, calls); n != 5 {
		t.Errorf("0 and 5 calls are %v", n)
	}
	if n := sum([]checkup{idle, unknown}, calls); !math.IsNaN(n) {
		t.Errorf("0 calls and what is not known are %v", n)
	}
}

// Each figure of a node is a sample, but one that is not known.
func TestPrometheusSamples(t *testing.T) {
	all := unwell()
	idle, refused, away := well(), all["login-refused"], newCheckup("pbx1")
	idle.node, idle.calls, idle.channels, idle.uptime = "idle", 0, 0, 0
	refused.node, refused.login, refused.ping, refused.uptime, refused.calls, refused.channels = "refused", 0, 0, -1, -1, -1
	away.node, away.err, away.degraded = "away", errors.New("away"), "it was"
	doubtful := all["degraded"]
	doubtful.node = "doubtful"
	var b bytes.Buffer
	if err := metrics.Write(&b, promFamilies([]checkup{idle, doubtful, refused, away})); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bool)
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "ami_health_") {
			got[strings.TrimSuffix(line, "\n")] = true
		}
	}
	want := map[string]bool{}
	for _, line := range []string{
		`ready{node="idle"} 1`, `ready{node="doubtful"} 0`, `ready{node="refused"} 0`, `ready{node="away"} 0`,
		`degraded{node="idle"} 0`, `degraded{node="doubtful"} 1`, `degraded{node="refused"} 0`, `degraded{node="away"} 0`,
		`login_refused{node="idle"} 0`, `login_refused{node="doubtful"} 0`, `login_refused{node="refused"} 1`, `login_refused{node="away"} 0`,
		`login_seconds{node="idle"} 0.02`, `login_seconds{node="doubtful"} 0.02`, `ping_seconds{node="idle"} 0.002`, `ping_seconds{node="doubtful"} 0.002`,
		`uptime_seconds{node="idle"} 0`, `uptime_seconds{node="doubtful"} 3600`, `calls{node="idle"} 0`, `calls{node="doubtful"} 5`,
		`channels{node="idle"} 0`, `channels{node="doubtful"} 9`,
		`info{node="idle",version="22.1.0",banner="Asterisk Call Manager/11.0.0"} 1`, `info{node="doubtful",version="22.1.0",banner="Asterisk Call Manager/11.0.0"} 1`,
	} {
		want["ami_health_"+line] = true
	}
	for line := range got {
		if strings.HasPrefix(line, "ami_health_time_seconds") {
			delete(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Performance data count the nodes, and tell the slowest ping; problems stand behind, the worst first.
func TestNagiosOfSeveral(t *testing.T) {
	all := unwell()
	slow := all["degraded"]
	slow.node, slow.ping = "slow", 30*time.Millisecond
	l := look{form: run.OutputNagios}
	got := string(l.nagios([]checkup{well(), slow, all["critical"], all["login-refused"]}))
	const data = " | ready=1;;;0;4 degraded=2;;;0 down=1;;;0 calls=20;;;0 channels=36;;;0 ping_max=0.03s;;;0"
	first, rest, _ := strings.Cut(got, "\n")
	if !strings.HasPrefix(first, "AMI CRITICAL - 1 of 4 nodes ready; pbx1: calls is 5; pbx1: ") || !strings.HasSuffix(first, data) {
		t.Errorf("the line is %q", first)
	}
	if lines := strings.Split(rest, "\n"); len(lines) != 4 || lines[0] != "pbx1: calls is 5" || lines[2] != "slow: ping: no answer" {
		t.Errorf("behind it stands %q", rest)
	}
}

// Who lacks rights is told once, with what was not judged for it if anything was asked; Nagios has it in its own line.
func TestRightsAreTold(t *testing.T) {
	refused, unjudged := well(), well()
	refused.refused = true
	unjudged.refused, unjudged.unjudged = true, []string{"calls>4", "ping>1s"}
	const rights = "amictl: pbx1: some of version, uptime, calls and channels is unknown: the user's write= in manager.conf needs reporting\n"
	const judged = "amictl: pbx1: not known: calls>4, ping>1s (the user's write= needs reporting)\n"
	for name, test := range map[string]struct {
		of   checkup
		form run.Output
		want string
	}{
		"nothing is missing":         {well(), "", ""},
		"something is missing":       {refused, "", rights},
		"in a scrape nobody asks":    {refused, run.OutputPrometheus, ""},
		"a condition":                {unjudged, "", judged},
		"a condition, in a scrape":   {unjudged, run.OutputPrometheus, judged},
		"a condition, Nagios has it": {unjudged, run.OutputNagios, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{})
			l := look{run: r.Run, form: test.form, said: map[string]string{}, told: map[string]bool{}}
			l.complain([]checkup{test.of})
			l.complain([]checkup{test.of})
			if diff := cmp.Diff(test.want, r.Err.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A watch says why a node is away when that changes, and again when it was back meanwhile.
func TestComplaintsAreNotRepeated(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	l := look{run: r.Run, said: map[string]string{}, told: map[string]bool{}}
	away, other := newCheckup("pbx1"), newCheckup("pbx1")
	away.err, other.err = fail.Config("wait", "pbx1: away"), fail.Config("wait", "pbx1: no login")
	for _, h := range []checkup{away, away, other, well(), other} {
		l.complain([]checkup{h})
	}
	if want := "amictl: pbx1: away\nhint: wait\namictl: pbx1: no login\nhint: wait\namictl: pbx1: no login\nhint: wait\n"; r.Err.String() != want {
		t.Errorf("it says %q", r.Err)
	}
}

// The reason for doubt has what is wrong, and what is not known; a critical node has its reason alone.
func TestDoubt(t *testing.T) {
	h := unwell()["degraded"]
	h.unjudged = []string{"ping>1s"}
	if got := h.doubt(); got != "ping: no answer; not known: ping>1s" {
		t.Errorf("degraded: %q", got)
	}
	if h.critical = true; h.doubt() != "ping: no answer" {
		t.Errorf("critical: %q", h.doubt())
	}
	h = well()
	if h.doubt() != "" {
		t.Errorf("well: %q", h.doubt())
	}
}

// Only a refusal for want of rights leaves a node well; the first other failure says why it is degraded.
func TestNote(t *testing.T) {
	h := well()
	h.note("CoreStatus", &ami.OpError{Op: ami.OpDo, Err: &ami.ResponseError{Action: "CoreStatus", Message: "Permission denied"}})
	if !h.refused || h.state() != "ready" {
		t.Errorf("without rights: %t, %s", h.refused, h.state())
	}
	h.note("CoreSettings", context.DeadlineExceeded)
	h.note("CoreShowChannels", context.DeadlineExceeded)
	if h.state() != "degraded" || !strings.HasPrefix(h.reason(), "CoreSettings: ") {
		t.Errorf("it is %s: %s", h.state(), h.reason())
	}
}
