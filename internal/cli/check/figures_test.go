package check

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// The contacts' own states count where they were asked for, else the peer's; a round trip is the longest that is known.
func TestEndpointFigures(t *testing.T) {
	asked := &holding{contacts: map[string][]contact{
		"PJSIP/two": {{true, time.Second}, {true, 2 * time.Second}, {false, 0}}, "PJSIP/dark": {{true, 0}}, "PJSIP/none": {},
	}}
	for name, test := range map[string]struct {
		of   *state.Endpoint
		want []float64
	}{
		"asked":              {&state.Endpoint{Name: "PJSIP/two", Contacts: []string{"a"}, Reach: "unreachable"}, []float64{3, 2, 2}},
		"no round trip":      {&state.Endpoint{Name: "PJSIP/dark"}, []float64{1, 1, math.NaN()}},
		"none":               {&state.Endpoint{Name: "PJSIP/none"}, []float64{0, 0, math.NaN()}},
		"a peer":             {&state.Endpoint{Name: "SIP/a", Contacts: []string{"a", "b"}}, []float64{2, 2, math.NaN()}},
		"a peer that is not": {&state.Endpoint{Name: "SIP/a", Contacts: []string{"a", "b"}, Reach: "unreachable"}, []float64{2, 0, math.NaN()}},
	} {
		if diff := cmp.Diff(test.want, measureEndpoint(asked, test.of), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A queue's members count as its own QueueSummary has them, and its wait is that of whoever came first.
func TestQueueFigures(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	h := &holding{at: now, Snapshot: &state.Snapshot{
		Members: []*state.Member{
			{Queue: "a", State: "not-in-use"},
			{Queue: "a", State: "unknown"},
			{Queue: "a", State: "in-use"},
			{Queue: "a", State: "not-in-use", Paused: true},
			{Queue: "b", State: "not-in-use"},
		},
		Callers: []*state.Caller{
			{Queue: "a", Joined: now.Add(-90500 * time.Millisecond)}, {Queue: "a", Joined: now.Add(-10 * time.Second)}, {Queue: "b", Joined: now.Add(-time.Hour)},
		},
	}}
	q := &state.Queue{Name: "a", Members: 4, Callers: 2, Completed: 7, Abandoned: 3, HoldUS: 2_500_000, TalkUS: 61_000_000}
	if diff := cmp.Diff([]float64{4, 3, 2, 2, 90, 7, 3, 2.5, 61}, measureQueue(h, q)); diff != "" {
		t.Error(diff)
	}
}

// A registration is called by its section, or by whom it is for.
func TestRegistrationTitle(t *testing.T) {
	for want, r := range map[string]*state.Registration{"trunk": {Name: "trunk", Username: "u", Domain: "d"}, "u@d": {Username: "u", Domain: "d"}} {
		if got := registrationTitle(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// figuresOf are figures a (a number), b (a time) and c, of which NaN is not known.
func figuresOf(a, b, c float64) []measured {
	return measure([]figure{{name: "a"}, {name: "b", unit: "s"}, {name: "c"}}, []float64{a, b, c}, thresholds{}, "", "")
}

// where reads a condition, "" for none.
func where(t *testing.T, text string) *ami.Where {
	t.Helper()
	if text == "" {
		return nil
	}
	w, err := ami.ParseWhere(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The first figure is told always, others if they are not 0 or asked for, and none that is not known.
func TestWords(t *testing.T) {
	unknown := math.NaN()
	for _, test := range []struct {
		of         []measured
		warn, crit string
		want       string
	}{
		{figuresOf(0, 0, 0), "", "", "a 0"},
		{figuresOf(2.5, 90, 3), "", "", "a 2.5, b 1m30s, c 3"},
		{figuresOf(0, 0, 0), "b>1", "C>1", "a 0, b 0s, c 0"},
		{figuresOf(unknown, 0, 4), "", "", "c 4"},
		{figuresOf(unknown, unknown, unknown), "a>1", "", ""},
	} {
		if got := words(test.of, thresholds{where(t, test.warn), where(t, test.crit)}); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// crit is before warn, and what asks for a figure that is not known is open unless it is met all the same.
func TestThresholds(t *testing.T) {
	known, unknown := fields(figuresOf(5, math.NaN(), 0))
	if diff := cmp.Diff([]string{"b"}, unknown); diff != "" {
		t.Error(diff)
	}
	for _, test := range []struct {
		warn, crit string
		is         status
		why        string
	}{
		{"", "", passed, ""},
		{"a>5", "a>6", passed, ""},
		{"a>4", "a>5", warned, "warn a>4"},
		{"a>4", "a>=5", failed, "crit a>=5"},
		{"a>4", "b>1", undecided, "crit b>1"},
		{"B>1", "a>9", undecided, "warn B>1"},
		{"", "b>1 || a=5", failed, `crit b>1 || a=5`},
	} {
		of := thresholds{where(t, test.warn), where(t, test.crit)}
		if is, why := of.judge("pbx1", known, unknown); is != test.is || why != test.why {
			t.Errorf("warn %q, crit %q: %v, %q", test.warn, test.crit, is, why)
		}
		if of.asks() != (test.warn+test.crit != "") {
			t.Errorf("warn %q, crit %q: it asks: %t", test.warn, test.crit, of.asks())
		}
	}
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]float64{"5": 5, "-2.5": -2.5, "1m30s": 90, "00:01:05": 65, "02:00:00": 7200, "1:2": -1, "1:2:3:4": -1, "a:b:c": -1, "": -1, "up": -1} {
		got, ok := amount(text)
		if ok != (want != -1) || ok && got != want {
			t.Errorf("%q is %v, %t", text, got, ok)
		}
	}
	if v, ok := amount("-1"); v != -1 || !ok {
		t.Errorf("-1 is %v, %t", v, ok)
	}
}

// The status of a check that failed behind the login never says that nothing was sent: a call or a command may have been.
func TestExitOfAResult(t *testing.T) {
	connect := &ami.OpError{Op: ami.OpDial, Node: "pbx1", Err: errors.New("away")}
	login := &ami.OpError{Op: ami.OpLogin, Node: "pbx1", Err: ami.ErrUnauthorized}
	config := fail.Config("", "wrong")
	condition := failedCheck(fail.CodeCondition, "x")
	for name, test := range map[string]struct {
		err              error
		inSession, acted bool
		want, level      int
	}{
		"no connection":          {connect, false, false, fail.ExitConnect, nagios.Critical},
		"none in a later round":  {connect, false, true, fail.ExitLost, nagios.Critical},
		"lost in a session":      {connect, true, false, fail.ExitLost, nagios.Critical},
		"no login":               {login, false, false, fail.ExitLogin, nagios.Critical},
		"none any more":          {login, false, true, fail.ExitFailed, nagios.Critical},
		"no right in a session":  {login, true, false, fail.ExitFailed, nagios.Critical},
		"wrong settings":         {config, false, false, fail.ExitUsage, nagios.Unknown},
		"wrong in a session":     {config, true, false, fail.ExitFailed, nagios.Critical},
		"wrong in a later round": {config, false, true, fail.ExitFailed, nagios.Unknown},
		"a condition":            {condition, true, false, fail.ExitFailed, nagios.Critical},
	} {
		r := result{finding: finding{status: failed, err: test.err}, inSession: test.inSession, acted: test.acted}
		if got := r.exit(); got != test.want || r.level() != test.level {
			t.Errorf("%s: %d, Nagios %d", name, got, r.level())
		}
	}
}

// found are results of two nodes, and a third that has none.
func found() [][]result {
	at := time.Unix(1_700_000_000, 0)
	of := func(node, check string, is status, took time.Duration, figures ...measured) result {
		r := result{finding: finding{status: is, detail: "so it is", figures: figures}, node: node, check: check, at: at, took: took, inSession: true}
		if is != passed && is != skipped {
			r.err = failedCheck(fail.CodeCondition, "not so")
		}
		return r
	}
	age := measured{figure: figure{name: "age", unit: "s", metric: "ami_check_age_seconds", help: "Age."}, value: 3, warn: "~:5"}
	calls := measured{figure: figure{name: "calls", unit: "c", metric: "ami_check_calls_total", help: "Calls."}, value: math.NaN(), label: "queue", of: "q"}
	last := of("b", "call", undecided, 0)
	last.at = at.Add(1500 * time.Millisecond)
	return [][]result{
		{of("a", "ping", passed, time.Second, age), of("a", "again", warned, 0, age, calls), of("a", "rights", skipped, 0)},
		{of("b", "ping", failed, 0), last},
		{},
	}
}

func TestNagiosOfSeveralNodes(t *testing.T) {
	const want = "ASTERISK CRITICAL - 1 of 5 checks passed, 1 skipped; b: ping: so it is; a: again: so it is; b: call: so it is |" +
		" 'a ping age'=3s;~:5;;0 'a again age'=3s;~:5;;0 'a again calls'=U;;;0 checks=5;;;0 passed=1;;;0\n" +
		"CRITICAL b: ping: so it is\nWARNING a: again: so it is\nUNKNOWN b: call: so it is\n"
	if diff := cmp.Diff(want, string(nagiosText(found()))); diff != "" {
		t.Error(diff)
	}
	const one = "ASTERISK OK - 1 of 1 check passed | 'ping age'=3s;~:5;;0 checks=1;;;0 passed=1;;;0\n"
	if diff := cmp.Diff(one, string(nagiosText([][]result{found()[0][:1]}))); diff != "" {
		t.Error(diff)
	}
}

// A check that was skipped has no sample, nor has a figure that is not known, or was there before.
func TestSamples(t *testing.T) {
	var b strings.Builder
	if err := metrics.Write(&b, families(found())); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(line, "ami_check_"), "\n"))
		}
	}
	want := []string{
		`status{node="a",check="ping"} 0`, `status{node="a",check="again"} 1`, `status{node="b",check="ping"} 2`, `status{node="b",check="call"} 3`,
		`took_seconds{node="a",check="ping"} 1`, `took_seconds{node="a",check="again"} 0`, `took_seconds{node="b",check="ping"} 0`, `took_seconds{node="b",check="call"} 0`,
		`time_seconds{node="a"} 1700000000`, `time_seconds{node="b"} 1700000001.5`, `age_seconds{node="a"} 3`,
	}
	for i := range got {
		got[i] = strings.Replace(got[i], "1.7e+09", "1700000000", 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The object of a check has what is known, and a code if it is not well; a table shows no time for what took none.
func TestRecordOfAResult(t *testing.T) {
	for i, want := range []string{
		`"check":"ping","status":"pass","took_us":1000000,"figures":{"age":3},"detail":"so it is"}`,
		`"check":"again","status":"warn","took_us":0,"figures":{"age":3},"code":"condition","detail":"so it is"}`,
		`"check":"rights","status":"skip","took_us":0,"detail":"so it is"}`,
	} {
		var b strings.Builder
		p := output.NewPrinter(&b, output.Options{Format: output.JSONLines})
		r := found()[0][i]
		if err := errors.Join(p.Record(r.record()), p.Close()); err != nil {
			t.Fatal(err)
		}
		if _, got, _ := strings.Cut(b.String(), `Z",`); got != want+"\n" {
			t.Errorf("%s, want %s", b.String(), want)
		}
		for _, f := range r.record() {
			if f.Key == "took_us" && (f.Text == "-") != (i > 0) {
				t.Errorf("it took %q", f.Text)
			}
		}
	}
}
