package check

import (
	"cmp"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
)

// Thresholds are the conditions of a part of a profile; nil is one that is not there.
type thresholds struct{ warn, crit *ami.Where }

// thresholds reads the keys warn and crit, which may ask for the figures of those names, and for the keys of things, if there are any.
func (t table) thresholds(figures []string, of ...*objects.Part) thresholds {
	return thresholds{warn: t.condition("warn", figures, of...), crit: t.condition("crit", figures, of...)}
}

// condition reads a condition about figures of those names, and about things. It is nil if there is none.
func (t table) condition(key string, figures []string, of ...*objects.Part) *ami.Where {
	text := t.Text(key)
	if text == "" {
		return nil
	}
	w, err := ami.ParseWhere(text)
	if err != nil {
		t.Wrong(key, "a condition is FIELD OP VALUE, such as callers>5", "%s", strings.TrimPrefix(err.Error(), "ami: where: "))
		return nil
	}
	for _, warning := range w.Warnings() {
		*t.notes = append(*t.notes, t.At(key)+": "+strings.TrimPrefix(warning.Error(), "ami: where: "))
	}
	if m := objects.Wrong(w, of, figures...); m != nil {
		hint, what := m.Instead, m.What
		if m.Key != "" {
			what = "there is no figure " + m.Key + " here"
		}
		t.Wrong(key, cmp.Or(hint, fail.NearHint(m.Key, m.Keys, "there are "+strings.Join(m.Keys, ", "))), "%s", what)
	}
	return w
}

func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// asks reports whether there is a condition.
func (t thresholds) asks() bool { return t.warn != nil || t.crit != nil }

// names reports whether a condition asks for one of those figures.
func (t thresholds) names(figures ...string) bool {
	return slices.ContainsFunc(slices.Concat(t.warn.Fields(), t.crit.Fields()), func(f string) bool { return contains(figures, f) })
}

// judge says how fields are, and which condition says so. One that asks for a figure that is not known, and is not met by what
// is, leaves it open: a warning that is met would not say that it is no worse.
func (t thresholds) judge(node string, fields iter.Seq2[string, string], unknown []string) (status, string) {
	for _, level := range []struct {
		where *ami.Where
		name  string
		is    status
	}{{t.crit, "crit", failed}, {t.warn, "warn", warned}} {
		why := level.name + " " + level.where.String()
		switch {
		case level.where == nil:
		case level.where.MatchFields(node, fields):
			return level.is, why
		case slices.ContainsFunc(level.where.Fields(), func(f string) bool { return contains(unknown, f) }):
			return undecided, why
		}
	}
	return passed, ""
}

// simple is a condition that a range of the plugin guidelines can say.
var simple = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([\w.-]+)(<=|>=|!=|<|>|=)("?)([^"]+)("?)$`)
})

// bound is a condition on one figure as a range of the plugin guidelines, for performance data: those who draw it show it. It
// is "" if there is none that is so simple.
func bound(w *ami.Where, figure string) string {
	for alternative := range strings.SplitSeq(w.String(), " || ") {
		m := simple().FindStringSubmatch(alternative)
		if m == nil || !strings.EqualFold(m[1], figure) || m[3] != m[5] {
			continue
		}
		value, ok := amount(m[4])
		if ok {
			return nagios.Range(m[2], value)
		}
	}
	return ""
}

// amount reads a quantity of a condition: a number, or a time in seconds.
func amount(s string) (float64, bool) {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return n, true
	}
	if d, err := time.ParseDuration(s); err == nil {
		return d.Seconds(), true
	}
	total := 0.0
	parts := strings.Split(s, ":")
	for _, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil || len(parts) != 3 {
			return 0, false
		}
		total = total*60 + float64(n)
	}
	return total, true
}
