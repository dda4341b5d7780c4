package ami

import (
	"fmt"
	"strings"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// MatchGlob reports whether name matches pattern: `*` stands for any bytes, none included, `?` for exactly one byte,
// everything else for itself. The case of ASCII letters does not matter, as Asterisk compares event names. It does not
// allocate, and its time is at most len(pattern)·len(name).
func MatchGlob(pattern, name string) bool {
	p, n := 0, 0
	star, resume := -1, 0 // the last `*` seen, and where its match is to be tried to end next
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || wire.EqualFold(pattern[p:p+1], name[n:n+1])):
			p++
			n++
		case star >= 0:
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// A nameSet holds the event names and globs of a subscription. It is immutable; nil matches every name.
type nameSet struct {
	exact [][]string // names without wildcards, by their length: most events are turned away by it alone
	globs []string
	all   bool
}

// compileNames makes a set of names and globs. None at all is the set of all names. An empty name, one over
// [wire.MaxLine] bytes and one with a control character, which no event can have, are errors.
func compileNames(patterns []string) (*nameSet, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	s := new(nameSet)
	for _, p := range patterns {
		switch {
		case p == "":
			return nil, fmt.Errorf("ami: event name: it is empty; use * for all events")
		case len(p) > wire.MaxLine:
			return nil, fmt.Errorf("ami: event name: %d bytes, over %d", len(p), wire.MaxLine)
		case strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return nil, fmt.Errorf("ami: event name %q: it holds a control character", p)
		case strings.Trim(p, "*") == "":
			s.all = true
		case strings.ContainsAny(p, "*?"):
			s.globs = append(s.globs, p)
		default:
			for len(s.exact) <= len(p) {
				s.exact = append(s.exact, nil)
			}
			s.exact[len(p)] = append(s.exact[len(p)], p)
		}
	}
	return s, nil
}

// match reports whether name is in the set. It does not allocate.
func (s *nameSet) match(name string) bool {
	if s == nil || s.all {
		return true
	}
	if len(name) < len(s.exact) {
		for _, e := range s.exact[len(name)] {
			if wire.EqualFold(e, name) {
				return true
			}
		}
	}
	for _, g := range s.globs {
		if MatchGlob(g, name) {
			return true
		}
	}
	return false
}
