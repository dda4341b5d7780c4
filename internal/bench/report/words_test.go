package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/bench"
)

func TestThresholdsInWords(t *testing.T) {
	for _, tt := range []struct {
		judged     bench.Judgement
		mark, text string
	}{
		{bench.Judgement{Threshold: "p99>50ms", Value: "7.6ms"}, "ok", "p99 7.6 ms, not above 50 ms"},
		{bench.Judgement{Threshold: "p99 > 50ms", Value: "61ms", Failed: true}, "FAILED", "p99 61 ms, above 50 ms"},
		{bench.Judgement{Threshold: "p99>=50ms", Value: "7.6ms"}, "ok", "p99 7.6 ms, below 50 ms"},
		{bench.Judgement{Threshold: "jain<0.95", Value: "0.9012", Failed: true}, "FAILED", "jain 0.9012, below 0.95"},
		{bench.Judgement{Threshold: "rate<=5000/s", Value: "6000.0/s"}, "ok", "rate 6000.0/s, above 5000/s"},
		{bench.Judgement{Threshold: "errors>0.1%", Value: "0.02%"}, "ok", "errors 0.02%, not above 0.1%"},
		{bench.Judgement{Threshold: "rss>256MiB", Value: "300.5MiB", Failed: true}, "FAILED", "rss 300.5 MiB, above 256 MiB"},
		{bench.Judgement{Threshold: "ledger!=0", Value: "0"}, "ok", "ledger 0, exactly 0"},
		{bench.Judgement{Threshold: "p99>+10%", Value: "+3.0%"}, "ok", "p99 +3.0%, not above +10%"},
		{bench.Judgement{Threshold: "calls<1", Value: "absent", Absent: true}, "unknown", "calls was not measured; fail if calls<1"},
		{bench.Judgement{Threshold: "newmetric>1", Value: "2"}, "ok", "newmetric>1: 2"},
	} {
		if got := judged(tt.judged); got != (verdictLine{tt.mark, tt.text}) {
			t.Errorf("%+v: %+v", tt.judged, got)
		}
	}
}

// A report says how many samples its percentiles rest on, and which have too few.
func TestSamplesSentence(t *testing.T) {
	r := view{sample(t, 1, false)}
	for n, want := range map[uint64]string{
		5: "5 answers, too few for p50, which needs 20", 400: "400 answers, too few for p99, which needs 1000",
		9999: "9999 answers, too few for p99.9, which needs 10000", 10000: "10000 answers, enough for p99.9, which needs 10000",
	} {
		r.Total.Ended = bench.Result{}.Total.Ended
		r.Total.Ended.Reply = n
		if got := r.samplesSentence(); !strings.HasPrefix(got, want) {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// Of workers with different parts of a load the one is named that falls short of its own part, or whose tail is long.
func TestTheSlowWorkerIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		workers []bench.WorkerPart
		want    string // "": nobody
	}{
		"parts of a third and a sixth": {[]bench.WorkerPart{{Share: 1. / 6, Rate: 100}, {Share: 1. / 6, Rate: 100}, {Share: 1. / 3, Rate: 200}, {Share: 1. / 3, Rate: 200}}, ""},
		"less than its part":           {[]bench.WorkerPart{{Share: 0.25, Rate: 100}, {Share: 0.25, Rate: 50}, {Share: 0.5, Rate: 200}}, "b: slow; 50% of"},
		"more than its part":           {[]bench.WorkerPart{{Share: 0.5, Rate: 100}, {Share: 0.25, Rate: 60}, {Share: 0.25, Rate: 50}}, ""},
		"a long tail":                  {[]bench.WorkerPart{{Share: 0.5, Rate: 9, P99: 100}, {Share: 0.5, Rate: 9, P99: 900}}, "b: slow; its p99 900µs is 9.0 times"},
		"late":                         {[]bench.WorkerPart{{Share: 0.5, Rate: 9, Lag: 400}, {Share: 0.5, Rate: 9, Lag: 39_000}}, "b: slow; it began actions 39.0ms late (p99), the middle worker 400µs"},
		"a little late":                {[]bench.WorkerPart{{Share: 0.5, Rate: 9, Lag: 40}, {Share: 0.5, Rate: 9, Lag: 900}}, ""},
		"lost":                         {[]bench.WorkerPart{{Share: 0.5, Rate: 9}, {Share: 0.5, Rate: 1, Lost: "it was cut off"}}, "b: it was cut off"},
		"nothing was sent":             {[]bench.WorkerPart{{Share: 0.5}, {Share: 0.5}}, ""},
		"of an older program":          {[]bench.WorkerPart{{Rate: 10}, {Rate: 10}}, ""},
	} {
		r := view{&bench.Result{Workers: tt.workers}}
		for i := range r.Workers {
			r.Workers[i].Name = string(rune('a' + i))
		}
		var named []string
		for _, s := range r.workerSentences() {
			if after, is := strings.CutPrefix(s, "look at   worker "); is {
				named = append(named, after)
			}
		}
		if len(named) != min(1, len(tt.want)) || tt.want != "" && !strings.HasPrefix(named[0], tt.want) {
			t.Errorf("%s: %q, want %q", name, named, tt.want)
		}
	}
}

// A worker that began at the instant of the start has no skew to show, nor has one that did not say.
func TestSkewOfWorkers(t *testing.T) {
	r := &bench.Result{Workers: []bench.WorkerPart{{Name: "a"}, {Name: "b", Skew: 12}, {Name: "c", Skew: -7}}}
	g := view{r}.workerGrid()
	var got []string
	for _, row := range g.rows {
		got = append(got, row[slices.Index(g.head, "SKEW")])
	}
	if want := []string{"-", "+12µs", "-7µs"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
