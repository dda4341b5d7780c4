package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// repeated makes a result whose repeats had those p99s, in microseconds.
func repeated(p99 ...int64) *bench.Result {
	var runs []*bench.Result
	for _, v := range p99 {
		r := sound()
		r.Total.P99 = v
		r.Decide(nil)
		runs = append(runs, r)
	}
	res, err := Repeats(runs)
	if err != nil {
		panic(err)
	}
	if len(p99) == 1 {
		res.Repeats = nil
	}
	return res
}

func TestCompareUsesTheSpread(t *testing.T) {
	for _, tt := range []struct {
		name      string
		base, new *bench.Result
		fail      string
		want      bench.Verdict
		note      string
	}{
		{"clearly slower", repeated(100, 102, 104), repeated(130, 132, 134), "p99>+10%", bench.Fail, ""},
		{"slower, but not by that much", repeated(100, 102, 104), repeated(108, 109, 110), "p99>+10%", bench.Pass, ""},
		{"within the spread", repeated(100, 150, 200), repeated(140, 180, 190), "p99>+10%", bench.Pass, "within the spread"},
		{"faster", repeated(130, 132, 134), repeated(100, 102, 104), "p99>+10%", bench.Pass, ""},
		{"single runs", repeated(100), repeated(130), "p99>+10%", bench.Fail, "spread is unknown"},
		{"an absolute threshold", repeated(100), repeated(130), "p99>120us", bench.Fail, ""},
		{"nothing asked", repeated(100), repeated(130), "", bench.Measured, ""},
		{"not measured", repeated(100), repeated(130), "p99.99>+1%", bench.Invalid, ""},
		{"an invalid side", func() *bench.Result { r := repeated(100); r.Verdict = bench.Invalid; return r }(), repeated(100), "p99>+10%", bench.Invalid, ""},
	} {
		var texts []string
		if tt.fail != "" {
			texts = []string{tt.fail}
		}
		th, err := bench.ParseThresholds(texts, true)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Compare(tt.base, tt.new, th, false)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if c.Verdict != tt.want {
			t.Errorf("%s: %s, want %s (%v)", tt.name, c.Verdict, tt.want, c.Reasons)
		}
		var b bytes.Buffer
		if err := c.WriteTable(&b, false); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), tt.note) || !strings.Contains(b.String(), "VERDICT   "+string(tt.want)) {
			t.Errorf("%s: want %q in\n%s", tt.name, tt.note, b.String())
		}
	}
}

func TestCompareRefusesDifferentConfigsError(t *testing.T) {
	a, b := repeated(100), repeated(100)
	a.Config.Defaults()
	b.Config.Defaults()
	b.Config.FailIf, b.Config.MaxMemory, b.Config.Every = []string{"p99>1s"}, 1, bench.Duration(time.Minute)
	if _, err := Compare(a, b, nil, false); err != nil {
		t.Errorf("what is judged made them different: %v", err)
	}
	b.Config.Nodes, b.Config.Mix = 9, "ping"
	_, err := Compare(a, b, nil, false)
	var dc *DifferentConfigsError
	if !errors.As(err, &dc) || len(dc.Settings) != 2 || !strings.Contains(err.Error(), "nodes (8, 9)") {
		t.Errorf("error %v, want mix and nodes named", err)
	}
	c, err := Compare(a, b, nil, true)
	if err != nil || len(c.Notes) == 0 || !strings.Contains(c.Notes[0], "nodes (8, 9)") {
		t.Errorf("forced: %v, notes %v", err, c)
	}
}

func TestChangeFromNothing(t *testing.T) {
	ch, ok := change("errors", []float64{0}, []float64{3})
	if !ok || formatPercent(ch.Percent) != "from nothing" {
		t.Errorf("%+v", ch)
	}
	if _, ok := change("errors", nil, []float64{3}); ok {
		t.Error("a change of something that one side did not measure")
	}
}
