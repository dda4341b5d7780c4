package health

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// well is what is found of a node that is well.
func well() checkup {
	return checkup{
		node: "pbx1", at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), login: 20 * time.Millisecond, ping: 2 * time.Millisecond,
		uptime: time.Hour, calls: 5, channels: 9, version: "22.1.0", banner: "Asterisk Call Manager/11.0.0",
	}
}

// A condition is met at its bound by the operators that say so, and says with which figure.
func TestRules(t *testing.T) {
	for _, test := range []struct {
		rule string
		says string // "": it is not met
	}{
		{"calls>4", "calls is 5 (calls>4)"},
		{"calls>5", ""},
		{"calls>=5", "calls is 5 (calls>=5)"},
		{"calls>=6", ""},
		{"calls<6", "calls is 5 (calls<6)"},
		{"calls<5", ""},
		{"calls<=5", "calls is 5 (calls<=5)"},
		{"calls<=4", ""},
		{"calls=5", "calls is 5 (calls=5)"},
		{"calls=4", ""},
		{"calls!=4", "calls is 5 (calls!=4)"},
		{"calls!=5", ""},
		{" Channels  >= 8.5 ", "channels is 9 ( Channels  >= 8.5 )"},
		{"ping>1ms", "ping is 2ms (ping>1ms)"},
		{"ping>2ms", ""},
		{"login<=20ms", "login is 20ms (login<=20ms)"},
		{"uptime<2h", "uptime is 1h0m0s (uptime<2h)"},
	} {
		r, err := parseRule(test.rule)
		if err != nil {
			t.Error(err)
			continue
		}
		h := well()
		if says, met := r.met(&h); says != test.says || met != (test.says != "") {
			t.Errorf("%s: %q, %t, want %q", test.rule, says, met, test.says)
		}
	}
}

func TestRulesAreRefused(t *testing.T) {
	for rule, want := range map[string]string{
		"":           `"" is not METRIC(`,
		">1":         `">1" is not METRIC(`,
		"calls":      `"calls" is not METRIC(`,
		"calls!4":    `"calls!4" is not METRIC(`,
		"load>1":     `"load" is not a metric`,
		"calls>":     `"" is not a number`,
		"calls>x":    `"x" is not a number`,
		"calls>NaN":  `"NaN" is not a number`,
		"calls>50ms": `"50ms" is not a number`,
		"ping>50":    `"50" `,
	} {
		_, err := parseRules([]string{"ping>1s", rule})
		runtest.Refused(t, err, fail.CodeUsage, want)
	}
}

func TestMinReady(t *testing.T) {
	for _, test := range []struct {
		text  string
		nodes int
		want  int
	}{
		{"", 3, 0}, {"1", 3, 1}, {"3", 3, 3}, {"100%", 3, 3}, {"95%", 20, 19}, {"95%", 21, 20}, {"1%", 3, 1}, {"50%", 5, 3}, {"33.4%", 3, 2}, {"58%", 50, 29},
	} {
		if n, err := parseMinReady(test.text, test.nodes); n != test.want || err != nil {
			t.Errorf("%s of %d: %d, %v, want %d", test.text, test.nodes, n, err, test.want)
		}
	}
	for text, want := range map[string]string{
		"x": "neither a number nor a share", "0": "neither", "-1": "neither", "0%": "neither", "101%": "neither", "NaN": "neither", "%": "neither", "5%%": "neither",
		"1.5": "not a whole number", "4": "--min-ready 4 is more than the 3 nodes selected",
	} {
		_, err := parseMinReady(text, 3)
		runtest.Refused(t, err, fail.CodeUsage, want)
	}
}

// The first --crit that is met says why, else the first --warn, unless the node is degraded already.
func TestJudge(t *testing.T) {
	type verdict struct {
		State, Reason string
		Unjudged      []string
	}
	degraded, down := well(), well()
	degraded.degraded = "ping: no answer"
	degraded.ping = 0
	down.fail(fail.Config("", "away"))
	for name, test := range map[string]struct {
		of         checkup
		warn, crit string
		want       verdict
	}{
		"nothing is asked":                 {well(), "", "", verdict{"ready", "", nil}},
		"nothing is met":                   {well(), "calls>5", "calls>6", verdict{"ready", "", nil}},
		"a warning":                        {well(), "calls>4 channels>1", "calls>9", verdict{"degraded", "calls is 5 (calls>4)", nil}},
		"a critical value":                 {well(), "calls>4", "calls>9 channels>8", verdict{"critical", "channels is 9 (channels>8)", nil}},
		"the first critical value":         {well(), "", "calls>4 channels>8", verdict{"critical", "calls is 5 (calls>4)", nil}},
		"a warning, degraded":              {degraded, "calls>4", "", verdict{"degraded", "ping: no answer", nil}},
		"a critical value, degraded":       {degraded, "", "calls>4", verdict{"critical", "calls is 5 (calls>4)", nil}},
		"what is not known":                {degraded, "ping>1s ping>2s", "ping>3s", verdict{"degraded", "ping: no answer", []string{"ping>3s", "ping>1s", "ping>2s"}}},
		"a node that is down is not asked": {down, "calls>99", "ping<1ns", verdict{"down", "away", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			warn, err := parseRules(strings.Fields(test.warn))
			if err != nil {
				t.Fatal(err)
			}
			crit, err := parseRules(strings.Fields(test.crit))
			if err != nil {
				t.Fatal(err)
			}
			h := test.of
			h.judge(warn, crit)
			if diff := cmp.Diff(test.want, verdict{h.state(), h.reason(), h.unjudged}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
