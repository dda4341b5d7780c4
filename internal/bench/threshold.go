package bench

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A metricUnit is how a metric's values are written.
type metricUnit uint8

// Units of metrics.
const (
	unitMicros metricUnit = iota // durations, kept in microseconds
	unitCount                    // plain numbers; with "%" in a threshold, of all actions that ended or were never sent
	unitBytes
	unitRatio // plain numbers, usually about 1
	unitRate  // a second
	unitPercent
)

// metricUnits are the names that a threshold may use.
var metricUnits = sync.OnceValue(func() map[string]metricUnit {
	return map[string]metricUnit{
		"p50": unitMicros, "p90": unitMicros, "p95": unitMicros, "p99": unitMicros, "p99.9": unitMicros,
		"p99.99": unitMicros, "max": unitMicros, "mean": unitMicros,
		"service.p50": unitMicros, "service.p90": unitMicros, "service.p95": unitMicros, "service.p99": unitMicros,
		"service.p99.9": unitMicros, "service.p99.99": unitMicros, "service.max": unitMicros, "service.mean": unitMicros,
		"errors": unitCount, "replies": unitCount, "timeouts": unitCount, "disconnects": unitCount,
		"rejected": unitCount, "cancelled": unitCount, "sent": unitCount, "ended": unitCount, "dropped": unitCount,
		"drops": unitCount, "drops_all": unitCount, "gaps": unitCount, "reconnects": unitCount,
		"rate": unitRate,
		"jain": unitRatio, "jain_all": unitRatio, "min_share": unitRatio, "max_share": unitRatio, "p99_ratio": unitRatio,
		"node_p99": unitMicros, "starvation": unitMicros, "event_starvation": unitMicros, "lag": unitMicros,
		"events.p50": unitMicros, "events.p99": unitMicros, "events.p99.9": unitMicros, "events.max": unitMicros,
		"events": unitCount, "event_rate": unitRate,
		"calls": unitCount, "calls_left": unitCount, "channels": unitCount,
		"hangup.p50": unitMicros, "hangup.p99": unitMicros, "hangup.max": unitMicros,
		"rss": unitBytes, "rss_growth": unitBytes, "heap": unitBytes, "goroutines": unitCount, "per_node": unitBytes,
		"queue":  unitPercent, // the fullest queue's high-water mark against its cap
		"ledger": unitCount,   // differences
	}
})

// MetricNames returns the names that a threshold may use, sorted.
func MetricNames() []string {
	names := make([]string, 0, len(metricUnits()))
	for n := range metricUnits() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// A Threshold is a condition under which a run, or a comparison of two, has failed.
type Threshold struct {
	Text   string
	Metric string
	Op     string  // > >= < <= = !=
	Value  float64 // in the metric's unit
	// Share: the metric, a count, is taken in percent of the actions that ended.
	Share bool
	// Relative: the value is a change against another result, in percent.
	Relative bool
}

// ThresholdError says why a threshold cannot be read.
type ThresholdError struct {
	Text string
	Why  string
	Hint string // "" or what may stand there
}

func (e *ThresholdError) Error() string {
	s := fmt.Sprintf("bench: threshold %q: %s", e.Text, e.Why)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// parseThreshold reads METRIC OP VALUE, such as "p99>50ms", "errors>0.1%", "jain<0.95" or "rss>256MiB". A value with
// a sign and a percent mark, as in "p99>+10%", is a change and only means something to a comparison. Errors are
// *ThresholdError.
func parseThreshold(text string) (Threshold, error) {
	t := Threshold{Text: strings.TrimSpace(text)}
	at := strings.IndexAny(t.Text, "<>=!")
	if at < 0 {
		return t, &ThresholdError{text, "has no operator", "write METRIC>VALUE, as in p99>50ms"}
	}
	t.Metric = strings.TrimSpace(t.Text[:at])
	rest := t.Text[at:]
	for _, op := range []string{">=", "<=", "!=", "==", ">", "<", "="} {
		if strings.HasPrefix(rest, op) {
			t.Op, rest = op, strings.TrimSpace(rest[len(op):])
			break
		}
	}
	switch t.Op {
	case "==":
		t.Op = "="
	case "":
		return t, &ThresholdError{text, "has no operator", "known are > >= < <= = !="}
	}
	unit, ok := metricUnits()[t.Metric]
	if !ok {
		return t, &ThresholdError{text, fmt.Sprintf("no metric %q", t.Metric), "known are " + strings.Join(MetricNames(), " ")}
	}
	return t, t.parseValue(rest, unit)
}

// ParseThresholds reads several; relative says whether changes are allowed.
func ParseThresholds(texts []string, relative bool) ([]Threshold, error) {
	var out []Threshold
	for _, s := range texts {
		t, err := parseThreshold(s)
		if err != nil {
			return nil, err
		}
		if t.Relative && !relative {
			return nil, &ThresholdError{s, "is a change, and there is nothing to compare with", "changes are for a comparison"}
		}
		out = append(out, t)
	}
	return out, nil
}

func (t *Threshold) parseValue(s string, unit metricUnit) error {
	if number, ok := strings.CutSuffix(s, "%"); ok {
		v, err := parseNumber(strings.TrimSpace(number))
		if err != nil {
			return &ThresholdError{t.Text, fmt.Sprintf("%q is not a percentage", s), ""}
		}
		t.Value = v
		switch {
		case strings.HasPrefix(number, "+") || strings.HasPrefix(number, "-"):
			t.Relative = true
		case unit == unitPercent:
		case unit == unitCount:
			t.Share = true
		default:
			return &ThresholdError{t.Text, t.Metric + " is not counted in percent", "a change needs a sign, as in +10%"}
		}
		return nil
	}
	var err error
	var hint string
	switch unit {
	case unitMicros:
		var d time.Duration
		d, err = time.ParseDuration(s)
		t.Value, hint = float64(d)/1e3, "it needs a time with a unit, as in 50ms"
		if err == nil && d < 0 {
			err = strconv.ErrRange
		}
	case unitBytes:
		var b Bytes
		b, err = ParseBytes(s)
		t.Value, hint = float64(b), "it needs a size with a unit, as in 256MiB"
	case unitRate:
		t.Value, err = parseNumber(strings.TrimSuffix(s, "/s"))
		hint = "it needs a number a second, as in 5000/s"
	case unitPercent:
		err, hint = strconv.ErrSyntax, "it needs a percentage, as in 80%"
	default:
		t.Value, err = parseNumber(s)
		hint = "it needs a number"
	}
	if err != nil {
		return &ThresholdError{t.Text, fmt.Sprintf("%q is not a value for %s", s, t.Metric), hint}
	}
	return nil
}

func parseNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && (math.IsInf(v, 0) || math.IsNaN(v)) {
		err = strconv.ErrRange
	}
	return v, err
}

// Holds reports whether the condition is met, which means failure.
func (t *Threshold) Holds(v float64) bool {
	switch t.Op {
	case ">":
		return v > t.Value
	case ">=":
		return v >= t.Value
	case "<":
		return v < t.Value
	case "<=":
		return v <= t.Value
	case "=":
		return v == t.Value
	default:
		return v != t.Value
	}
}

// Metrics are a result's figures by metric name. What could not be measured is absent.
type Metrics map[string]float64

// A Judgement is what a threshold said of a result.
type Judgement struct {
	Threshold string `json:"threshold"`
	Value     string `json:"value"` // measured, "absent" when it was not
	Failed    bool   `json:"failed"`
	Absent    bool   `json:"absent,omitempty"`
}

// Judge holds a threshold against figures.
func (t *Threshold) Judge(m Metrics) Judgement {
	v, ok := m[t.Metric]
	if t.Share {
		ended := m["ended"] + m["dropped"]
		v = v * 100 / ended
		ok = ok && ended > 0
	}
	if !ok {
		return Judgement{Threshold: t.Text, Value: "absent", Absent: true}
	}
	j := Judgement{Threshold: t.Text, Value: FormatMetric(t.Metric, v), Failed: t.Holds(v)}
	if t.Share {
		j.Value = strconv.FormatFloat(v, 'g', 4, 64) + "%"
	}
	return j
}

// FormatMetric writes a metric's value with its unit.
func FormatMetric(name string, v float64) string {
	switch metricUnits()[name] {
	case unitMicros:
		if v == 0 {
			return "0"
		}
		return FormatMicros(int64(v))
	case unitBytes:
		if v < 0 {
			return "-" + Bytes(-v).String()
		}
		return Bytes(v).String()
	case unitRatio:
		return strconv.FormatFloat(v, 'f', 4, 64)
	case unitRate:
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	case unitPercent:
		return strconv.FormatFloat(v, 'f', 1, 64) + "%"
	default:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
}
