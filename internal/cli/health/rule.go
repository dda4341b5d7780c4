package health

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/pkg/output"
)

// figures are what a --warn or --crit may ask about: how it reads of a checkup, and whether it is a time. A
// figure that is not known (nobody may ask, or the node is down) is NaN and meets no rule.
var figures = map[string]struct {
	value func(h *checkup) float64
	time  bool
}{
	"ping":     {func(h *checkup) float64 { return seconds(h.ping, h.ping > 0) }, true},
	"login":    {func(h *checkup) float64 { return seconds(h.login, h.login > 0) }, true},
	"uptime":   {func(h *checkup) float64 { return seconds(h.uptime, h.uptime >= 0) }, true},
	"calls":    {func(h *checkup) float64 { return figure(h.calls) }, false},
	"channels": {func(h *checkup) float64 { return figure(h.channels) }, false},
}

// figureNames are the names of the figures, sorted.
func figureNames() []string { return slices.Sorted(maps.Keys(figures)) }

func seconds(d time.Duration, known bool) float64 {
	if !known {
		return math.NaN()
	}
	return d.Seconds()
}

func figure(n int) float64 {
	if n < 0 {
		return math.NaN()
	}
	return float64(n)
}

// A rule is a condition such as ping>50ms that makes a node degraded, or critical.
type rule struct {
	text   string
	metric string
	op     string
	limit  float64 // seconds, or a number
}

// operators are tried in this order: the longer ones first.
var operators = []string{">=", "<=", "!=", ">", "<", "="}

func parseRule(s string) (rule, error) {
	const hint = "such as ping>50ms, login>1s, calls>200, channels>=400 or uptime<5m"
	at := strings.IndexAny(s, "<>=!")
	r := rule{text: s}
	for _, op := range operators {
		if at > 0 && strings.HasPrefix(s[at:], op) {
			r.op = op
			break
		}
	}
	if r.op == "" {
		return r, fail.Usage(hint, "the condition %q is not METRIC(>|>=|<|<=|=|!=)VALUE", s)
	}
	r.metric = strings.ToLower(strings.TrimSpace(s[:at]))
	value := strings.TrimSpace(s[at+len(r.op):])
	m, ok := figures[r.metric]
	if !ok {
		return r, fail.Usage(hint, "the condition %q: %q is not a metric", s, r.metric)
	}
	if m.time {
		d, err := flags.ParseDuration(value)
		if err != nil {
			return r, fail.Usage(hint, "the condition %q: %q %v", s, value, err)
		}
		r.limit = d.Seconds()
		return r, nil
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(n) {
		return r, fail.Usage(hint, "the condition %q: %q is not a number", s, value)
	}
	r.limit = n
	return r, nil
}

func parseRules(texts []string) (rules []rule, err error) {
	for _, s := range texts {
		r, err := parseRule(s)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// known reports whether the node has the figure.
func (r *rule) known(h *checkup) bool { return !math.IsNaN(figures[r.metric].value(h)) }

// met reports whether a node meets the condition, and how it says so.
func (r *rule) met(h *checkup) (string, bool) {
	m := figures[r.metric]
	v := m.value(h)
	if !compare(v, r.op, r.limit) {
		return "", false
	}
	shown := strconv.FormatFloat(v, 'g', -1, 64)
	if m.time {
		shown = output.Duration(time.Duration(v * float64(time.Second)))
	}
	return fmt.Sprintf("%s is %s (%s)", r.metric, shown, r.text), true
}

// compare is false for a NaN, whatever the operator.
func compare(v float64, op string, limit float64) bool {
	switch op {
	case ">":
		return v > limit
	case ">=":
		return v >= limit
	case "<":
		return v < limit
	case "<=":
		return v <= limit
	case "=":
		return v == limit
	}
	return !math.IsNaN(v) && v != limit
}

// parseMinReady reads --min-ready: a number of nodes, or a share of them such as 95%, rounded up.
func parseMinReady(s string, nodes int) (int, error) {
	if s == "" {
		return 0, nil
	}
	text, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || n != n || n <= 0 || percent && n > 100:
		return 0, fail.Usage("such as 38 or 95%", "--min-ready %q is neither a number nor a share", s)
	case percent:
		return int(math.Ceil(n*float64(nodes)/100 - 1e-9)), nil
	case n != math.Trunc(n):
		return 0, fail.Usage("such as 38 or 95%", "--min-ready %q is not a whole number", s)
	case n > float64(nodes):
		return 0, fail.Usage("a share such as 95% fits any number", "--min-ready %s is more than the %s selected", s, fail.Count(nodes, "node"))
	}
	return int(n), nil
}
