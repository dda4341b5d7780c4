package bench

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseThreshold(t *testing.T) {
	for in, want := range map[string]Threshold{
		"p99>50ms":          {Metric: "p99", Op: ">", Value: 50_000},
		"p99.9 >= 1.5s":     {Metric: "p99.9", Op: ">=", Value: 1_500_000},
		"service.p99>200us": {Metric: "service.p99", Op: ">", Value: 200},
		"errors>0.1%":       {Metric: "errors", Op: ">", Value: 0.1, Share: true},
		"errors>5":          {Metric: "errors", Op: ">", Value: 5},
		"jain<0.95":         {Metric: "jain", Op: "<", Value: 0.95},
		"rss>256MiB":        {Metric: "rss", Op: ">", Value: 256 << 20},
		"rss>1GB":           {Metric: "rss", Op: ">", Value: 1e9},
		"drops>0":           {Metric: "drops", Op: ">"},
		"starvation>1s":     {Metric: "starvation", Op: ">", Value: 1e6},
		"rate<5000/s":       {Metric: "rate", Op: "<", Value: 5000},
		"queue>80%":         {Metric: "queue", Op: ">", Value: 80},
		"ledger!=0":         {Metric: "ledger", Op: "!="},
		"calls_left==0":     {Metric: "calls_left", Op: "="},
		"p99>+10%":          {Metric: "p99", Op: ">", Value: 10, Relative: true},
		"rate<-5%":          {Metric: "rate", Op: "<", Value: -5, Relative: true},
	} {
		got, err := parseThreshold(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Threshold{}, "Text")); d != "" {
			t.Errorf("%s: -want +got\n%s", in, d)
		}
	}
}

func TestParseThresholdRefuses(t *testing.T) {
	for in, hint := range map[string]string{
		"":               "METRIC>VALUE",
		"p99":            "METRIC>VALUE",
		"p99>50":         "with a unit",
		"p99>10%":        "needs a sign",
		"p98>50ms":       "p99",
		"rss>256":        "with a unit",
		"rss>256mib":     "with a unit",
		"jain<low":       "a number",
		"errors>":        "a number",
		"errors>x%":      "",
		"p99!50ms":       "known are",
		"queue>5":        "a percentage",
		"rate<fast":      "a second",
		"p99>-5ms":       "with a unit",
		"jain<NaN":       "a number",
		"rss>99999999EB": "with a unit",
	} {
		_, err := parseThreshold(in)
		var te *ThresholdError
		if !errors.As(err, &te) || te.Text != in || !strings.Contains(te.Hint, hint) {
			t.Errorf("%q: error %v, want a *ThresholdError with the hint %q", in, err, hint)
		}
	}
	if _, err := ParseThresholds([]string{"p99>+10%"}, false); err == nil {
		t.Error("a change was taken where there is nothing to compare with")
	}
}

func TestThresholdJudges(t *testing.T) {
	m := Metrics{"p99": 50_000, "errors": 1, "ended": 1000, "jain": 0.94999}
	for in, want := range map[string]Judgement{
		"p99>50ms":      {Value: "50.0ms"},
		"p99>=50ms":     {Value: "50.0ms", Failed: true},
		"p99>49.9ms":    {Value: "50.0ms", Failed: true},
		"errors>0.1%":   {Value: "0.1%"},
		"errors>0.09%":  {Value: "0.1%", Failed: true},
		"errors>0":      {Value: "1", Failed: true},
		"jain<0.95":     {Value: "0.9500", Failed: true},
		"jain<0.9":      {Value: "0.9500"},
		"p99.99>1s":     {Value: "absent", Absent: true},
		"rss>1GiB":      {Value: "absent", Absent: true},
		"errors=1":      {Value: "1", Failed: true},
		"errors!=1":     {Value: "1"},
		"errors<=0.05%": {Value: "0.1%"},
	} {
		th, err := parseThreshold(in)
		if err != nil {
			t.Fatal(err)
		}
		want.Threshold = in
		if d := cmp.Diff(want, th.Judge(m)); d != "" {
			t.Errorf("%s: -want +got\n%s", in, d)
		}
	}
}

func sound() *Result {
	return &Result{
		Schema: Schema, Total: Tally{Sent: 2000, Ended: Ended{Reply: 2000}, Rate: 1000, P50: 500, P99: 4000},
		Fairness: Fairness{Healthy: 2, Nodes: 2, Jain: 0.99, JainAll: 0.99}, Ledger: Ledger{Differences: []string{}},
	}
}

func TestDecide(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*Result)
		fail []string
		want Verdict
		exit int
	}{
		{"nothing asked", func(*Result) {}, nil, Measured, 0},
		{"all held", func(*Result) {}, []string{"p99>5ms", "jain<0.9"}, Pass, 0},
		{"one failed", func(*Result) {}, []string{"p99>5ms", "jain<0.995"}, Fail, 99},
		{"not measured", func(*Result) {}, []string{"p99.99>1s"}, Invalid, 98},
		{"the generator lagged", func(r *Result) { r.Lag = &Lag{P99: 1e6, Invalid: true} }, []string{"p99>5ms"}, Invalid, 98},
		{"lagged and failed", func(r *Result) { r.Lag = &Lag{P99: 1e6, Invalid: true} }, []string{"p99>1ms"}, Invalid, 98},
		{"ledgers differ", func(r *Result) { r.Ledger.Differences = []string{"x"} }, nil, Invalid, 98},
		{"nothing answered", func(r *Result) { r.Total.Ended = Ended{Timeout: 5} }, nil, Invalid, 98},
		{"all refused", func(r *Result) { r.Total.Ended = Ended{Error: 5} }, nil, Invalid, 98},
		{"all refused or late", func(r *Result) { r.Total.Ended = Ended{Error: 5, Timeout: 3} }, []string{"errors>0"}, Invalid, 98},
		{"all refused but one", func(r *Result) { r.Total.Ended = Ended{Error: 5, Reply: 1} }, nil, Measured, 0},
		{"no call answered", func(r *Result) {
			r.Total.Ended, r.Calls = Ended{Error: 15}, &Calls{Originated: 15, Failed: 15}
		}, nil, Invalid, 98},
		{"calls queued, and no more", func(r *Result) { r.Calls = &Calls{Originated: 15, Failed: 15} }, nil, Invalid, 98},
		{"one call answered", func(r *Result) {
			r.Total.Ended, r.Calls = Ended{Error: 14, Reply: 1}, &Calls{Originated: 15, Failed: 14, Answered: 1}
		}, nil, Measured, 0},
		{"no event came back", func(r *Result) { r.Config.Workload, r.Events = WorkloadEvents, &Events{} }, nil, Invalid, 98},
		{"one event came back", func(r *Result) { r.Config.Workload, r.Events = WorkloadEvents, &Events{Delivered: 1} }, nil, Measured, 0},
		{"no event of others", func(r *Result) { r.Events = &Events{} }, nil, Measured, 0},
		{"memory", func(r *Result) {
			r.Config.MaxMemory, r.Memory = 100, &Memory{PeakRSS: 101}
		}, nil, Fail, 99},
		{"memory at its limit", func(r *Result) {
			r.Config.MaxMemory, r.Memory = 100, &Memory{PeakRSS: 100}
		}, nil, Measured, 0},
	} {
		r := sound()
		tt.set(r)
		th, err := ParseThresholds(tt.fail, false)
		if err != nil {
			t.Fatal(err)
		}
		r.Decide(th)
		if r.Verdict != tt.want || r.Verdict.ExitStatus() != tt.exit {
			t.Errorf("%s: %s, exit %d; want %s, %d (%v)", tt.name, r.Verdict, r.Verdict.ExitStatus(), tt.want, tt.exit, r.Reasons)
		}
		if (tt.want == Fail || tt.want == Invalid) != (len(r.Reasons) > 0) {
			t.Errorf("%s: reasons %q", tt.name, r.Reasons)
		}
	}
}
