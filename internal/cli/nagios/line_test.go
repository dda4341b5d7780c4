package nagios_test

import (
	"math"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
)

func TestCompare(t *testing.T) {
	order := []int{nagios.OK, nagios.Unknown, nagios.Warning, nagios.Critical}
	for i, a := range order {
		for k, b := range order {
			got := nagios.Compare(a, b)
			if (got < 0) != (i < k) || (got > 0) != (i > k) {
				t.Errorf("%s to %s is %d", nagios.Word(a), nagios.Word(b), got)
			}
		}
	}
}

// A | begins performance data, a line end the long output, and a control sequence commands a terminal.
func TestText(t *testing.T) {
	for text, want := range map[string]string{"a || b": "a or b", "a | b": "a / b", "a ||| b": "a or/ b", "plain": "plain"} {
		if got := nagios.Text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := nagios.Text("a\nb\x1b[2J|"); strings.ContainsAny(got, "\n\x1b|") {
		t.Errorf("%q", got)
	}
}

// What cannot be looked at is UNKNOWN where Nagios asks, and a failure as any other elsewhere.
func TestReport(t *testing.T) {
	report := nagios.Report("PBX")
	f := fail.Failure{Message: "pbx1: a | b", Exit: fail.ExitConnect}
	if text, status := report(run.OutputNagios, f); string(text) != "PBX UNKNOWN - pbx1: a / b\n" || status != nagios.Unknown {
		t.Errorf("%q, %d", text, status)
	}
	for _, form := range []run.Output{run.OutputAuto, run.OutputJSON, run.OutputPrometheus, ""} {
		if text, status := report(form, f); text != nil || status != 0 {
			t.Errorf("%s: %q, %d", form, text, status)
		}
	}
}

func TestRange(t *testing.T) {
	for op, want := range map[string]string{">": "~:1.5", "<": "1.5:", ">=": "@1.5:", "<=": "@~:1.5", "=": "@1.5:1.5", "!=": "1.5:1.5", "=~": ""} {
		if got := nagios.Range(op, 1.5); got != want {
			t.Errorf("%s: %q, want %q", op, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 0.25: "0.25", 1e9: "1000000000", 1e-7: "0.0000001", 100: "100"} {
		if got := nagios.Number(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	if got := nagios.Number(math.NaN()); got != "U" {
		t.Errorf("%q", got)
	}
}

// Performance data as the guidelines of plugins want it.
func TestDatum(t *testing.T) {
	for want, d := range map[string]nagios.Datum{
		"calls=3;;;0":          {Label: "calls", Value: 3},
		"rtt=0.25s;~:1;~:2;0":  {Label: "rtt", Value: 0.25, Unit: "s", Warn: "~:1", Crit: "~:2"},
		"answered=50%;;;0;100": {Label: "answered", Value: 50, Unit: "%", Max: "100"},
		"rtt=U;~:1;;0":         {Label: "rtt", Value: math.NaN(), Unit: "s", Warn: "~:1"},
		"'of two words'=1;;;0": {Label: "of two words", Value: 1},
		"'it''s'=1;;;0":        {Label: "it's", Value: 1},
		"a:b=1;;;0":            {Label: "a=b", Value: 1},
		"a/b=1;;;0":            {Label: "a|b", Value: 1},
		"'a or b'=1;2;3;0;4":   {Label: "a || b", Value: 1, Warn: "2", Crit: "3", Max: "4"},
	} {
		if got := d.String(); got != want {
			t.Errorf("%+v: %s, want %s", d, got, want)
		}
	}
}

// How long a first line may be: 200 characters, unless the first problem alone is longer.
func TestSummaryBounds(t *testing.T) {
	head := "PBX WARNING - all"
	first := head + "; a"
	room := 200 - len(first) - len("; ")
	for extra, more := range map[int]bool{-1: false, 0: false, 1: true} {
		problem := strings.Repeat("x", room+extra)
		want := first + "; " + problem
		if more {
			want = first + "; and 1 more"
		}
		if got := nagios.Summary("PBX", nagios.Warning, "all", []string{"a", problem}); got != want {
			t.Errorf("%d characters: %s", 200+extra, got)
		}
	}
	for n, want := range map[int]string{0: "", 1: "", 2: "x\nx\n", 3: "x\nx\nx\n"} {
		problems := make([]string, n)
		for i := range problems {
			problems[i] = "x"
		}
		if got := nagios.Details(problems); got != want {
			t.Errorf("of %d: %q", n, got)
		}
	}
}
