package ami

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// globMarks are the characters that make a name a pattern.
const globMarks = `*?[\`

// IsGlob reports whether a name is a pattern for MatchGlob, and may match more than one name.
func IsGlob(name string) bool { return strings.ContainsAny(name, globMarks) }

// MatchGlob reports whether name matches pattern, in the one dialect for names of nodes, events and actions:
//
//   - any text, none included
//     ?        one character
//     [a-c_]   one of the characters; [!a-c] or [^a-c] one that is none of them
//     \x       the character x, whatever it is
//
// Everything else stands for itself, and so does a [ without its ]. The case of ASCII letters does not matter, as Asterisk
// compares event names. A pattern also matches the name that is spelled exactly like it: "[::1]:5038" is a name too. No
// pattern is an error. MatchGlob does not allocate; its time is at most len(pattern)·len(name).
func MatchGlob(pattern, name string) bool {
	p, n := 0, 0
	star, resume := -1, 0 // the last * seen, and where its match is to be tried to end next
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, resume = p, n
			p++
			continue
		}
		if one, size := globOne(pattern[p:], name[n:]); one > 0 {
			p += one
			n += size
			continue
		}
		if star < 0 {
			return wire.EqualFold(pattern, name)
		}
		_, size := utf8.DecodeRuneInString(name[resume:])
		resume += size
		p, n = star+1, resume
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern) || wire.EqualFold(pattern, name)
}

// globOne matches what stands at the front of a pattern, which is no *, with the front of a name that is not empty. It
// returns the bytes of each that belong together, 0 if they do not match.
func globOne(pattern, name string) (one, size int) {
	if pattern == "" {
		return 0, 0
	}
	switch pattern[0] {
	case '?':
		_, size = utf8.DecodeRuneInString(name)
		return 1, size
	case '[':
		if end := classEnd(pattern); end > 0 {
			r, size := utf8.DecodeRuneInString(name)
			if inClass(pattern[1:end], r) {
				return end + 1, size
			}
			return 0, 0
		}
	case '\\':
		if len(pattern) > 1 {
			if wire.EqualFold(pattern[1:2], name[:1]) {
				return 2, 1
			}
			return 0, 0
		}
	}
	if wire.EqualFold(pattern[:1], name[:1]) {
		return 1, 1
	}
	return 0, 0
}

// classEnd returns where the ] stands that ends the class at the front of pattern, or 0. One right behind the opening
// is a member.
func classEnd(pattern string) int {
	i := 1
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		i++
	}
	for first := i; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\':
			i++
		case pattern[i] == ']' && i > first:
			return i
		}
	}
	return 0
}

// inClass reports whether r is in the class, which is what stands between [ and ].
func inClass(class string, r rune) bool {
	negated := class[0] == '!' || class[0] == '^'
	if negated {
		class = class[1:]
	}
	for class != "" {
		low, rest := classRune(class)
		high := low
		if len(rest) > 1 && rest[0] == '-' {
			high, rest = classRune(rest[1:])
		}
		if low <= r && r <= high || low <= asciiLower(r) && asciiLower(r) <= high || low <= asciiUpper(r) && asciiUpper(r) <= high {
			return !negated
		}
		class = rest
	}
	return negated
}

func classRune(class string) (rune, string) {
	if class[0] == '\\' && len(class) > 1 {
		class = class[1:]
	}
	r, size := utf8.DecodeRuneInString(class)
	return r, class[size:]
}

func asciiLower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

func asciiUpper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		r -= 'a' - 'A'
	}
	return r
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
		case strings.ContainsAny(p, globMarks):
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
