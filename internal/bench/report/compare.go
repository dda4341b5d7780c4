package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/apntalk/amictl/internal/bench"
)

// DifferentConfigsError says that two results do not measure the same thing.
type DifferentConfigsError struct{ Settings []string }

func (e *DifferentConfigsError) Error() string {
	return "bench: the configurations differ: " + strings.Join(e.Settings, ", ")
}

// differences names the settings in which two runs' loads differ, each with both values. Thresholds, limits and what
// a run reports do not count.
func differences(one, other *bench.Config) []string {
	a, b := settings(one), settings(other)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if string(a[k]) != string(b[k]) {
			out = append(out, fmt.Sprintf("%s (%s, %s)", k, orNone(a[k]), orNone(b[k])))
		}
		delete(b, k)
	}
	for _, k := range slices.Sorted(maps.Keys(b)) {
		out = append(out, fmt.Sprintf("%s (none, %s)", k, orNone(b[k])))
	}
	return out
}

func orNone(b json.RawMessage) string {
	if len(b) == 0 {
		return "none"
	}
	return string(b)
}

func settings(c *bench.Config) map[string]json.RawMessage {
	b, err := json.Marshal(c)
	if err != nil { // a Config holds nothing that cannot be written
		panic("bench: config: " + err.Error())
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		panic("bench: config: " + err.Error())
	}
	for _, k := range []string{"fail_if", "abort_if", "abort_on_fail", "max_memory", "max_lag", "every", "target"} {
		delete(m, k)
	}
	return m
}

// A Change is one metric of two results.
type Change struct {
	Metric  string  `json:"metric"`
	Base    float64 `json:"base"` // median of the repeats
	New     float64 `json:"new"`
	Percent float64 `json:"percent"` // change of New against Base; +Inf is written as a very large number
	// Spread is how far apart the repeats of the same code were, in percent of Base, the larger of both sides. 0
	// with Runs below 2 means unknown.
	Spread float64 `json:"spread_percent"`
	Runs   int     `json:"runs"` // repeats of the side that has fewer
	// Clear: no repeat of one side is within the range of the other's.
	Clear bool `json:"clear"`
}

// A Comparison is what became of a result.
type Comparison struct {
	Verdict    bench.Verdict     `json:"verdict"`
	Reasons    []string          `json:"reasons,omitempty"`
	Thresholds []bench.Judgement `json:"thresholds,omitempty"`
	Changes    []Change          `json:"changes"`
	Notes      []string          `json:"notes,omitempty"`
}

// Compare holds a new result against a base. A relative threshold fails only by a change that is clear: with repeats
// on both sides no repeat of one side may lie within the other's range, otherwise it is within the spread and noted.
// Without repeats the plain difference decides, and that is noted too. Absolute thresholds are of the new result.
// Results of different configurations are refused with *DifferentConfigsError unless force is given.
func Compare(base, next *bench.Result, thresholds []bench.Threshold, force bool) (*Comparison, error) {
	c := &Comparison{Verdict: bench.Measured}
	if len(thresholds) > 0 {
		c.Verdict = bench.Pass
	}
	if d := differences(&base.Config, &next.Config); len(d) > 0 {
		if !force {
			return nil, &DifferentConfigsError{d}
		}
		c.Notes = append(c.Notes, "the configurations differ: "+strings.Join(d, ", "))
	}
	if a, b := base.Machine, next.Machine; a.CPU != b.CPU || a.CPUs != b.CPUs || a.Arch != b.Arch {
		c.Notes = append(c.Notes, "the machines differ")
	}
	for i, r := range []*bench.Result{base, next} {
		if r.Verdict == bench.Invalid {
			c.because(bench.Invalid, []string{"BASE", "NEW"}[i]+" is INVALID: "+strings.Join(r.Reasons, "; "))
		}
	}
	for _, name := range bench.MetricNames() {
		if ch, ok := change(name, repeats(base, name), repeats(next, name)); ok {
			c.Changes = append(c.Changes, ch)
		}
	}
	for i := range thresholds {
		c.judge(&thresholds[i], next.Metrics)
	}
	return c, nil
}

// repeats returns a metric of each repeat, sorted.
func repeats(r *bench.Result, name string) []float64 {
	all := r.Repeats
	if len(all) == 0 {
		all = []bench.Metrics{r.Metrics}
	}
	var out []float64
	for _, m := range all {
		if v, ok := m[name]; ok {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// median takes sorted values.
func median(v []float64) float64 {
	if len(v)%2 == 1 {
		return v[len(v)/2]
	}
	return (v[len(v)/2-1] + v[len(v)/2]) / 2
}

func change(name string, a, b []float64) (Change, bool) {
	if len(a) == 0 || len(b) == 0 {
		return Change{}, false
	}
	c := Change{Metric: name, Base: median(a), New: median(b), Runs: min(len(a), len(b))}
	c.Percent = percentOf(c.New-c.Base, c.Base)
	width := max(a[len(a)-1]-a[0], b[len(b)-1]-b[0])
	c.Spread = math.Abs(percentOf(width, c.Base))
	c.Clear = a[len(a)-1] < b[0] || b[len(b)-1] < a[0]
	return c, true
}

// beyondAll stands for a change from nothing to something, which has no percentage.
const beyondAll = 1e9

func percentOf(part, whole float64) float64 {
	switch {
	case part == 0:
		return 0
	case whole == 0:
		return math.Copysign(beyondAll, part)
	}
	return 100 * part / math.Abs(whole)
}

func (c *Comparison) judge(t *bench.Threshold, m bench.Metrics) {
	if !t.Relative {
		j := t.Judge(m)
		c.Thresholds = append(c.Thresholds, j)
		c.book(j)
		return
	}
	i := slices.IndexFunc(c.Changes, func(ch Change) bool { return ch.Metric == t.Metric })
	if i < 0 {
		j := bench.Judgement{Threshold: t.Text, Value: "absent", Absent: true}
		c.Thresholds = append(c.Thresholds, j)
		c.book(j)
		return
	}
	ch := c.Changes[i]
	j := bench.Judgement{Threshold: t.Text, Value: formatPercent(ch.Percent), Failed: t.Holds(ch.Percent)}
	switch {
	case j.Failed && ch.Runs >= 2 && !ch.Clear:
		j.Failed = false
		j.Value += fmt.Sprintf(", within the spread of the repeats (%.1f%%)", ch.Spread)
	case ch.Runs < 2:
		c.note(t.Metric + ": no repeats on both sides, so its spread is unknown")
	}
	c.Thresholds = append(c.Thresholds, j)
	c.book(j)
}

func (c *Comparison) note(s string) {
	if !slices.Contains(c.Notes, s) {
		c.Notes = append(c.Notes, s)
	}
}

func (c *Comparison) book(j bench.Judgement) {
	switch {
	case j.Failed:
		c.because(bench.Fail, j.Threshold+": "+j.Value)
	case j.Absent:
		c.because(bench.Invalid, j.Threshold+": was not measured in both results")
	}
}

func (c *Comparison) because(v bench.Verdict, why string) {
	if c.Verdict != bench.Invalid {
		c.Verdict = v
	}
	c.Reasons = append(c.Reasons, why)
}

func formatPercent(p float64) string {
	if math.Abs(p) >= beyondAll {
		return "from nothing"
	}
	return fmt.Sprintf("%+.1f%%", p)
}

// WriteTable writes the comparison for people.
func (c *Comparison) WriteTable(w io.Writer, color bool) error {
	c = safe(c)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "METRIC\tBASE\tNEW\tCHANGE\tSPREAD\t")
	for _, ch := range c.Changes {
		spread, mark := "unknown", ""
		if ch.Runs >= 2 {
			spread = fmt.Sprintf("%.1f%%", ch.Spread)
			if ch.Clear {
				mark = "clear"
			}
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", ch.Metric, bench.FormatMetric(ch.Metric, ch.Base),
			bench.FormatMetric(ch.Metric, ch.New), formatPercent(ch.Percent), spread, mark)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("bench: write: %w", err)
	}
	var b strings.Builder
	for _, n := range c.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	writeVerdict(&b, c.Verdict, c.Thresholds, c.Reasons, color)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("bench: write: %w", err)
	}
	return nil
}
