package manager

import (
	"cmp"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/apntalk/amictl/internal/pattern"
)

// A Filter is one event filter of a session.
type Filter struct {
	exclude bool
	event   string // only events of this name, "" for all
	header  string // match this header's value, "" for the whole text
	method  string
	text    string
	re      *regexp.Regexp
}

// Passes says whether filters let an encoded event through: an exclusion that
// matches wins; with any inclusion set, one must match (match_filter in manager.c).
func Passes(filters []Filter, ev string) bool {
	includes, included := false, false
	for i := range filters {
		f := &filters[i]
		if !f.exclude {
			includes = true
		}
		if !f.matches(ev) {
			continue
		}
		if f.exclude {
			return false
		}
		included = true
	}
	return included || !includes
}

func (f *Filter) matches(ev string) bool {
	if f.event != "" {
		if name, _ := eventHeader(ev, "Event"); !strings.EqualFold(f.event, name) {
			return false
		}
	}
	target := ev
	if f.header != "" {
		var ok bool
		if target, ok = eventHeader(ev, f.header); !ok {
			return false
		}
	}
	switch f.method {
	case "none":
		return true
	case "exact":
		return target == f.text
	case "starts_with":
		return strings.HasPrefix(target, f.text)
	case "ends_with":
		return strings.HasSuffix(target, f.text)
	case "contains":
		return strings.Contains(target, f.text)
	}
	return f.re.MatchString(target)
}

// eventHeader returns the value of the first header of that name in an encoded
// event.
func eventHeader(ev, name string) (value string, ok bool) {
	for line := range strings.SplitSeq(ev, "\r\n") {
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(line[:len(name)], name) {
			return strings.TrimLeft(line[len(name)+1:], Blanks), true
		}
	}
	return "", false
}

const (
	filterBad     = "Filter was formatted incorrectly.  Check the syntax of the filter given."
	filterNoRegex = "Filter did not compile.  Check the syntax of the filter given."
)

// ParseFilter reads a filter in the legacy form, or with criteria in the advanced
// one, which series before 18.26 ignore. The refusal is what the server answers to
// one that it does not take.
func ParseFilter(criteria, text string, advanced bool) (f Filter, refusal string) {
	if criteria == "" || !advanced {
		f.exclude = strings.HasPrefix(text, "!")
		f.text, f.method = strings.TrimPrefix(text, "!"), "regex"
		if f.text == "" && advanced {
			return f, filterBad
		}
	} else if !f.criteria(criteria) || (f.method == "none") != (text == "") {
		return f, filterBad
	} else {
		f.text = text
	}
	if f.method == "regex" {
		var err error
		if f.re, err = Regexp(f.text); err != nil {
			return f, filterNoRegex
		}
	}
	return f, ""
}

// criteria reads action(…),name(…),header(…),method(…).
func (f *Filter) criteria(s string) bool {
	f.method = ""
	for s != "" {
		key, rest, ok := strings.Cut(s, "(")
		if !ok {
			return false
		}
		value, rest, ok := strings.Cut(rest, ")")
		if !ok || value == "" {
			return false
		}
		s = strings.TrimPrefix(rest, ",")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "action":
			if value != "include" && value != "exclude" {
				return false
			}
			f.exclude = value == "exclude"
		case "name":
			f.event = value
		case "header":
			f.header = strings.TrimSuffix(value, ":")
		case "method":
			switch value {
			case "regex", "exact", "starts_with", "ends_with", "contains", "none":
				f.method = value
			default:
				return false
			}
		default:
			return false
		}
	}
	f.method = cmp.Or(f.method, "none")
	return true
}

// Regexp compiles an extended regular expression as regcomp does with REG_EXTENDED alone: to it a text is one line, whose
// line ends are bytes as others. One that repeats too much is refused.
func Regexp(expr string) (*regexp.Regexp, error) {
	parsed, err := pattern.Parse(expr, syntax.OneLine|syntax.DotNL)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(parsed.String())
}
