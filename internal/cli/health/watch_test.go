package health

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/output"
)

// An action that fails leaves its own figure unknown, and the node degraded unless it failed for want of rights. Of a Ping
// that fails nothing follows.
func TestWhatANodeDoesNotAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		action, message string
		want            string // state, version, calls and channels
		reason          string
	}{
		"all is answered":    {"", "", "ready 22 0 0", ""},
		"no ping":            {"Ping", "Not now", "degraded   ", "ping: pbx1: Ping: Not now"},
		"no settings":        {"CoreSettings", "Not now", "degraded  0 0", "CoreSettings: pbx1: CoreSettings: Not now"},
		"no status":          {"CoreStatus", "Not now", "degraded 22 0 0", "CoreStatus: pbx1: CoreStatus: Not now"},
		"no channels":        {"CoreShowChannels", "Not now", "degraded 22  ", "CoreShowChannels: pbx1: CoreShowChannels: Not now"},
		"no right of it":     {"CoreShowChannels", "Permission denied", "ready 22  ", ""},
		"no right to status": {"CoreStatus", "Permission denied", "ready 22 0 0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv := runtest.Server(t, "pbx1")
			if test.action != "" {
				srv.Handle(test.action, func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error(test.message) })
			}
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "jsonl"}})
			err := health(t.Context(), r.Run, &options{})
			out := r.Out.String()
			version, _, _ := strings.Cut(gjson.Get(out, "version").Str, ".")
			got := gjson.Get(out, "state").Str + " " + version + " " + gjson.Get(out, "calls").Raw + " " + gjson.Get(out, "channels").Raw
			if got != test.want || gjson.Get(out, "reason").Str != test.reason {
				t.Errorf("it is %q: %s", got, out)
			}
			if up := gjson.Get(out, "uptime_s").Exists(); up != (test.action != "Ping" && test.action != "CoreStatus") {
				t.Errorf("the uptime is known: %t", up)
			}
			if exit := fail.Classify(err).Exit; (exit == fail.ExitOK) != (test.reason == "") {
				t.Errorf("the status is %d", exit)
			}
			if told := strings.Contains(r.Err.String(), "write= in manager.conf needs reporting"); told != (test.message == "Permission denied") {
				t.Errorf("it says %q", r.Err)
			}
		})
	}
}

// A look that was cut short is not told to those who would take it for the whole: Nagios, Prometheus and a watch.
func TestALookIsCutShort(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		output  string
		options options
		want    string // what standard output begins with
	}{
		"objects":    {"jsonl", options{}, `{"type":"health","node":"pbx1"`},
		"a watch":    {"jsonl", options{rounds: run.Rounds{Watch: true}}, ""},
		"Prometheus": {"prometheus", options{}, ""},
		"Nagios":     {"nagios", options{}, "AMI UNKNOWN - "},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: test.output}})
			err := health(ctx, r.Run, &test.options)
			if got := r.Out.String(); err == nil || !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("%v, and it prints %q", err, got)
			}
			if exit := fail.Classify(err).Exit; test.output == "nagios" && exit != nagios.Unknown {
				t.Errorf("Nagios gets %d", exit)
			}
		})
	}
}

// Prometheus gets 0 once its samples are written, however the nodes are; what they lack is said beside it.
func TestHealthForPrometheus(t *testing.T) {
	up, down := runtest.Server(t, "up"), away(t, "down")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{up, down}, Flags: run.Globals{Output: "prometheus"}})
	if err := health(t.Context(), r.Run, &options{}); err != nil {
		t.Error(err)
	}
	for _, line := range []string{"ami_health_ready{node=\"up\"} 1\n", "ami_health_ready{node=\"down\"} 0\n", "ami_health_info{node=\"up\",version=\"22."} {
		if !strings.Contains(r.Out.String(), line) {
			t.Errorf("there is no %q in %s", line, r.Out)
		}
	}
	if !strings.Contains(r.Err.String(), "amictl: down: ") {
		t.Errorf("it says %q", r.Err)
	}
}

// Forms that are documents of their own have no fields to choose from.
func TestFormsTakeNoFields(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, globals := range map[string]run.Globals{
		"fields": {Output: "prometheus", Fields: "node"},
		"query":  {Output: "prometheus", Query: "node"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: globals})
			runtest.Refused(t, health(t.Context(), r.Run, &options{}), fail.CodeUsage, "-o prometheus goes with neither --query nor --fields")
		})
	}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "nagios", Query: "node"}})
	if err := health(t.Context(), r.Run, &options{}); fail.Classify(err).Exit != nagios.Unknown || !strings.HasPrefix(r.Out.String(), "AMI UNKNOWN - -o nagios goes with neither") {
		t.Errorf("Nagios gets %q, %v", r.Out, err)
	}
	r = runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Query: "state"}})
	if err := health(t.Context(), r.Run, &options{}); err != nil || r.Out.String() != "ready\n" {
		t.Errorf("a query prints %q, %v", r.Out, err)
	}
}

// A watch shows a node that is down in each round, and says why once.
func TestAWatchOfANodeThatIsDown(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{away(t, "down")}, Flags: run.Globals{Output: "jsonl"}})
	o := &options{rounds: run.Rounds{Watch: true, Every: flags.Duration{Value: time.Millisecond, Given: true}, Most: flags.Count{Value: 2, Given: true}}}
	if exit := fail.Classify(health(t.Context(), r.Run, o)).Exit; exit != fail.ExitConnect {
		t.Errorf("the status is %d", exit)
	}
	if got := gjson.Get(r.Out.String(), "..#.state").Raw; got != `["down","down"]` {
		t.Errorf("the states are %s", got)
	}
}

// The summary counts the states, and what the nodes do if all of that is known; its colour is that of the worst.
func TestSummary(t *testing.T) {
	all := unwell()
	unknown := newCheckup("pbx1")
	unknown.calls = 3
	for name, test := range map[string]struct {
		found []checkup
		want  string
		tone  output.Tone
	}{
		"nothing":     {nil, "0 of 0 nodes ready  0 calls, 0 channels  every 5s", output.Neutral},
		"well":        {[]checkup{well()}, "1 of 1 node ready  5 calls, 9 channels  every 5s", output.Good},
		"calls alone": {[]checkup{unknown}, "1 of 1 node ready  every 5s", output.Good},
		"degraded":    {[]checkup{well(), all["degraded"]}, "1 of 2 nodes ready, 1 degraded  10 calls, 18 channels  every 5s", output.Doubtful},
		"in every way": {
			[]checkup{well(), all["degraded"], all["critical"], all["stopping"], all["login-refused"], all["down"], all["down"]},
			"1 of 7 nodes ready, 2 down, 1 login-refused, 1 stopping, 1 critical, 1 degraded  35 calls, 63 channels  every 5s", output.Bad,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &screen{}
			_, got, _ := strings.Cut(s.summary(test.found, 5*time.Second, 200), "  ")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			plain := s.summary(test.found, 5*time.Second, 200)
			want := plain
			if test.tone != output.Neutral {
				want = output.Colored(test.tone, plain)
			}
			s.o.Color = true
			if got := s.summary(test.found, 5*time.Second, 200); got != want {
				t.Errorf("in colour: %q, want %q", got, want)
			}
			if got := s.summary(test.found, 5*time.Second, 0); test.tone == output.Neutral && output.Width(got) > 1 {
				t.Errorf("on no columns: %q", got)
			}
		})
	}
}

// The latest look counts.
func TestSummaryHasTheLatestTime(t *testing.T) {
	early, late := well(), well()
	early.at = time.Date(2026, 1, 1, 1, 1, 1, 0, time.Local)
	late.at = early.at.Add(time.Second)
	if got := (&screen{}).summary([]checkup{early, late, early}, time.Second, 100); !strings.HasPrefix(got, "01:01:02 ") {
		t.Errorf("%q", got)
	}
}

// The line for what is not shown counts the nodes, and how many of them are ready. Where the height is not known, all are shown.
func TestScreenHasRoomForSome(t *testing.T) {
	s := &screen{o: output.Options{Format: output.TableText, Terminal: true}}
	found := fleet()
	for _, room := range []int{0, -2} {
		if lines := s.table(found, 110, room); len(lines) != 13 {
			t.Errorf("%d lines where there is no height", len(lines))
		}
	}
	if lines := s.table(found, 110, 13); len(lines) != 13 || strings.HasPrefix(lines[12], "… and") {
		t.Errorf("all fit, and it shows %q", lines)
	}
	lines := s.table(found, 110, 12)
	if last := lines[len(lines)-1]; len(lines) != 12 || last != "… and 2 nodes, of which 1 ready" {
		t.Errorf("%d lines, %q", len(lines), last)
	}
	if lines := s.table(found, 110, 1); len(lines) != 3 || !strings.HasPrefix(lines[2], "… and 11 nodes, of which 9") {
		t.Errorf("one is shown always: %q", lines)
	}
}

// On a screen a breaker that is closed is left out where there is no room for it; another is worth its column.
func TestBreakerOnScreen(t *testing.T) {
	for breaker, want := range map[string]output.Look{"closed": output.Minor, "open": output.Usual} {
		h := well()
		h.watched, h.stats.Breaker = true, breaker
		for _, f := range h.onScreen() {
			if f.Key == "breaker" && f.Look != want || f.Key == "time" && f.Look != output.Identity || f.Key == "state" && f.Look == output.Minor {
				t.Errorf("%s: %s has look %v", breaker, f.Key, f.Look)
			}
		}
	}
}
