package amitest

import (
	"bytes"
	"regexp"
	"strings"
)

// filter is one event filter of a session.
type filter struct {
	exclude bool
	event   string // only events of this name, "" for all
	header  string // match this header's value, "" for the whole text
	method  string
	text    string
	re      *regexp.Regexp
}

// passes says whether filters let an encoded event through: an exclusion that
// matches wins; with any inclusion set, one must match (match_filter in manager.c).
func passes(filters []filter, ev []byte) bool {
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

func (f *filter) matches(ev []byte) bool {
	if f.event != "" && !strings.EqualFold(f.event, string(eventHeader(ev, "Event"))) {
		return false
	}
	target := ev
	if f.header != "" {
		if target = eventHeader(ev, f.header); target == nil {
			return false
		}
	}
	switch f.method {
	case "none":
		return true
	case "exact":
		return string(target) == f.text
	case "starts_with":
		return bytes.HasPrefix(target, []byte(f.text))
	case "ends_with":
		return bytes.HasSuffix(target, []byte(f.text))
	case "contains":
		return bytes.Contains(target, []byte(f.text))
	}
	return f.re.Match(target)
}

// eventHeader returns the value of the first header of that name in an encoded
// event, nil if there is none.
func eventHeader(ev []byte, name string) []byte {
	for len(ev) > 0 {
		line, rest, _ := bytes.Cut(ev, []byte("\r\n"))
		if v, ok := headerValue(line, name); ok {
			if v == nil {
				v = []byte{}
			}
			return v
		}
		ev = rest
	}
	return nil
}

const (
	filterBad     = "Filter was formatted incorrectly.  Check the syntax of the filter given."
	filterNoRegex = "Filter did not compile.  Check the syntax of the filter given."
)

// filterAction is action_filter. Filters are never removed.
func filterAction(r *Request, w *ResponseWriter) {
	if !strings.EqualFold(r.Get("Operation"), "Add") {
		w.Error("Unknown operation")
		return
	}
	f, refusal := parseFilter(r.Get("MatchCriteria"), r.Get("Filter"), w.sess.srv.cfg.version)
	if refusal != "" {
		w.Error(refusal)
		return
	}
	w.sess.mu.Lock()
	w.sess.filters = append(w.sess.filters[:len(w.sess.filters):len(w.sess.filters)], f)
	w.sess.mu.Unlock()
	w.Ack("Success")
}

// parseFilter reads a filter in the legacy form, or with criteria in the advanced
// one, which series before 18.26 ignore.
func parseFilter(criteria, text string, v Version) (f filter, refusal string) {
	advanced := v.Major >= 18
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
		if f.re, err = posixRegexp(f.text); err != nil {
			return f, filterNoRegex
		}
	}
	return f, ""
}

// criteria reads action(…),name(…),header(…),method(…).
func (f *filter) criteria(s string) bool {
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
	f.method = orElse(f.method, "none")
	return true
}
