package report

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/apntalk/amictl/internal/bench"
)

// A verdictLine is what a threshold says, for people: whether it is ok, and the measured figure against the limit.
type verdictLine struct {
	Mark string // "ok", "FAILED" or "unknown"
	Text string
}

// bounds are the limits in words: of a condition that means failure, when it is met and when it is not.
var bounds = map[string][2]string{
	">": {"above", "not above"}, ">=": {"not below", "below"}, "<": {"below", "not below"}, "<=": {"not above", "above"},
	"=": {"exactly", "not"}, "!=": {"not", "exactly"},
}

// judged puts a judgement into words: "p99 7.6 ms, not above 50 ms".
func judged(j bench.Judgement) verdictLine {
	all, err := bench.ParseThresholds([]string{j.Threshold}, true)
	if err != nil { // of a newer amictl
		return verdictLine{outcome(j), j.Threshold + ": " + j.Value}
	}
	t := &all[0]
	if j.Absent {
		return verdictLine{outcome(j), t.Metric + " was not measured; fail if " + t.Text}
	}
	limit := strings.TrimSpace(strings.TrimLeft(t.Text[len(t.Metric):], " <>=!"))
	words := bounds[t.Op][1]
	if j.Failed {
		words = bounds[t.Op][0]
	}
	return verdictLine{outcome(j), fmt.Sprintf("%s %s, %s %s", t.Metric, spaced(j.Value), words, spaced(limit))}
}

// spaced puts a space between a number and its unit, but for percent and what is a second.
func spaced(value string) string {
	i := strings.LastIndexFunc(value, unicode.IsDigit) + 1
	if unit := value[i:]; unit == "" || unit[0] == '%' || unit[0] == '/' || strings.ContainsAny(value, " ") {
		return value
	}
	return value[:i] + " " + value[i:]
}

// needs are how many samples a percentile needs to have ten beyond it, the fewest first.
var needs = []struct {
	name  string
	count uint64
}{{"p50", 20}, {"p99", 1000}, {"p99.9", 10_000}}

// samplesSentence says how many samples the percentiles rest on, and which have too few, in all and of an action.
func (r view) samplesSentence() string {
	text := fmt.Sprintf("%d answers, enough for p99.9, which needs %d", r.Total.Answered(), needs[len(needs)-1].count)
	short := tooFew(r.Total.Answered())
	if short != "" {
		text = fmt.Sprintf("%d answers, %s", r.Total.Answered(), short)
	}
	for i := range r.Actions {
		if a := &r.Actions[i]; tooFew(a.Answered()) != short {
			text += fmt.Sprintf("; %d of %s, %s", a.Answered(), a.Name, tooFew(a.Answered()))
		}
	}
	return text
}

// tooFew says which percentiles need more than n samples, "" if none does.
func tooFew(n uint64) string {
	for _, p := range needs {
		if n < p.count {
			return fmt.Sprintf("too few for %s, which needs %d", p.name, p.count)
		}
	}
	return ""
}

// pausesSentence says what a closed loop hides, and shows it: nothing is sent while a caller waits, so that a pause of a server
// is one slow answer, however long.
func (r view) pausesSentence() string {
	var worst *bench.Interval
	for i := range r.Intervals {
		if v := &r.Intervals[i]; !v.WarmUp && (worst == nil || v.Max > worst.Max) {
			worst = v
		}
	}
	s := "callers wait for their answers, so that a pause counts as one slow answer and the percentiles hide it; an open loop (--rate) counts what it delays"
	if worst != nil && worst.Max > 0 {
		s += fmt.Sprintf("; the longest was %s, by %.1f s, and starvation %s", bench.FormatMicros(worst.Max), worst.At, orZero(r.Fairness.Starvation))
	}
	return s
}

// full is how full a queue was at most, in percent.
func full(percent float64) string {
	if percent > 0 && percent < 0.1 {
		return "<0.1%"
	}
	return fmt.Sprintf("%.1f%%", percent)
}

// unit is what a queue holds, as so many as were in it at most.
func unit(q *bench.Queue) string {
	if q.High == 1 {
		return strings.TrimSuffix(q.Unit, "s")
	}
	return q.Unit
}
