package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Want is an expected value: a number, a range of numbers ("3..5", ">=3", "<=5") or text. Durations such as "2s" are
// numbers of nanoseconds.
type Want struct {
	min, max float64
	text     string
	isText   bool
	source   string
}

// UnmarshalTOML reads a number or a string.
func (w *Want) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case int64:
		*w = Want{min: float64(v), max: float64(v), source: strconv.FormatInt(v, 10)}
		return nil
	case bool:
		*w = Want{isText: true, text: strconv.FormatBool(v), source: strconv.FormatBool(v)}
		return nil
	case string:
		return w.parse(v)
	}
	return fmt.Errorf("%v is neither a number nor text", v)
}

func (w *Want) parse(s string) error {
	*w = Want{min: math.Inf(-1), max: math.Inf(1), source: strconv.Quote(s)}
	low, high, isRange := strings.Cut(s, "..")
	var okLow, okHigh bool
	switch {
	case strings.HasPrefix(s, ">="):
		if w.min, okLow = number(s[2:]); okLow {
			return nil
		}
	case strings.HasPrefix(s, "<="):
		if w.max, okHigh = number(s[2:]); okHigh {
			return nil
		}
	case isRange:
		w.min, okLow = number(low)
		w.max, okHigh = number(high)
		if okLow && okHigh && w.min <= w.max {
			return nil
		}
	default:
		if n, ok := number(s); ok {
			w.min, w.max = n, n
			return nil
		}
		w.isText, w.text = true, s
		return nil
	}
	return fmt.Errorf("%q is not a range: write 3..5, >=3 or <=5, with a number or a duration", s)
}

func number(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(n) {
		return n, true
	}
	d, err := time.ParseDuration(s)
	return float64(d), err == nil
}

// met reports whether got, a number or text, is what was wanted.
func (w *Want) met(got any) bool {
	if s, ok := got.(string); ok {
		if w.isText {
			return s == w.text
		}
		n, ok := number(s)
		return ok && n >= w.min && n <= w.max
	}
	n, ok := toFloat(got)
	return ok && !w.isText && n >= w.min && n <= w.max
}

// holds reports whether the text that was wanted is a part of got.
func (w *Want) holds(got string) bool {
	return w.isText && w.text != "" && strings.Contains(got, w.text) || w.met(got)
}

// filled returns the expectation with placeholders replaced in its text.
func (w *Want) filled(r *strings.Replacer) *Want {
	if !w.isText {
		return w
	}
	own := *w
	own.text = r.Replace(w.text)
	own.source = strconv.Quote(own.text)
	return &own
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	case time.Duration:
		return float64(v), true
	}
	return 0, false
}

// String returns the expectation as it was written.
func (w *Want) String() string { return w.source }

// A Span is a duration, written with its unit.
type Span time.Duration

// UnmarshalText reads a duration such as 20ms.
func (s *Span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a time such as 500ms or 10s", b)
	}
	*s = Span(d)
	return nil
}

// D returns the duration.
func (s Span) D() time.Duration { return time.Duration(s) }
