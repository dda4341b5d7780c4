package ami

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// A textMatcher is a regular expression that does not lose its speed to (?i): package regexp finds the literal that
// all matches begin with quickly, but not whatever its case.
//
// Where an expression has such literals it is also compiled with the case of ASCII letters taken out: the literals in
// lower case, the classes with their letters in both. What the expression matches, this one matches in the text in
// lower case. The converse holds if the whole expression was regardless of case (exact); else plain decides.
type textMatcher struct {
	plain  *regexp.Regexp
	folded *regexp.Regexp // nil: there is nothing to gain
	exact  bool
}

func newTextMatcher(expr string) (*textMatcher, error) {
	plain, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	m := &textMatcher{plain: plain, exact: true}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || !foldsLiteral(tree) {
		return m, err
	}
	m.lower(tree)
	m.folded, err = regexp.Compile(tree.String())
	return m, err
}

// foldsLiteral reports whether an ASCII letter is searched for in both cases.
func foldsLiteral(tree *syntax.Regexp) bool {
	if tree.Op == syntax.OpLiteral && tree.Flags&syntax.FoldCase != 0 && slices.ContainsFunc(tree.Rune, isASCIILetter) {
		return true
	}
	return slices.ContainsFunc(tree.Sub, foldsLiteral)
}

func isASCIILetter(r rune) bool { return asciiLower(r) != asciiUpper(r) }

// lower takes the case of ASCII letters out of the tree, and notes where that made it match more.
func (m *textMatcher) lower(tree *syntax.Regexp) {
	switch tree.Op {
	case syntax.OpLiteral:
		m.lowerLiteral(tree)
	case syntax.OpCharClass:
		m.lowerClass(tree)
	}
	for _, sub := range tree.Sub {
		m.lower(sub)
	}
}

// lowerLiteral splits a literal: other letters stay to be compared whatever their case.
func (m *textMatcher) lowerLiteral(tree *syntax.Regexp) {
	fold := tree.Flags&syntax.FoldCase != 0
	var parts []*syntax.Regexp
	for _, r := range tree.Rune {
		flags := tree.Flags
		if r <= unicode.MaxASCII {
			m.exact = m.exact && (fold || !isASCIILetter(r))
			r, flags = asciiLower(r), flags&^syntax.FoldCase
		}
		if n := len(parts); n > 0 && parts[n-1].Flags == flags {
			parts[n-1].Rune = append(parts[n-1].Rune, r)
			continue
		}
		parts = append(parts, &syntax.Regexp{Op: syntax.OpLiteral, Flags: flags, Rune: []rune{r}})
	}
	if len(parts) == 1 {
		*tree = *parts[0]
		return
	}
	*tree = syntax.Regexp{Op: syntax.OpConcat, Flags: tree.Flags &^ syntax.FoldCase, Sub: parts}
}

// lowerClass leaves a class the lower case of each ASCII letter in it, and all else.
func (m *textMatcher) lowerClass(tree *syntax.Regexp) {
	holds := func(r rune) bool {
		for i := 0; i < len(tree.Rune); i += 2 {
			if tree.Rune[i] <= r && r <= tree.Rune[i+1] {
				return true
			}
		}
		return false
	}
	var ranges []rune
	for r := 'a'; r <= 'z'; r++ {
		small, capital := holds(r), holds(asciiUpper(r))
		m.exact = m.exact && small == capital
		if small != capital && capital {
			ranges = append(ranges, r, r)
		}
	}
	if len(ranges) == 0 {
		return
	}
	tree.Rune = append(slices.Clone(tree.Rune), ranges...)
	tree.Rune = sortedRanges(tree.Rune)
}

// sortedRanges puts the ranges of a class in order, as package syntax wants them. Those here do not overlap.
func sortedRanges(runes []rune) []rune {
	pairs := make([][2]rune, 0, len(runes)/2)
	for i := 0; i < len(runes); i += 2 {
		pairs = append(pairs, [2]rune{runes[i], runes[i+1]})
	}
	slices.SortFunc(pairs, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	runes = runes[:0]
	for _, p := range pairs {
		runes = append(runes, p[0], p[1])
	}
	return runes
}

// lowered are buffers for text in lower case.
var lowered = sync.Pool{New: func() any { return new([]byte) }}

// maxLowered is the size from which a buffer is not kept.
const maxLowered = 64 << 10

// match reports whether the expression matches somewhere in s.
func (m *textMatcher) match(s string) bool {
	if m.folded == nil {
		return m.plain.MatchString(s)
	}
	first, ascii := 0, true // first: the bytes before the first capital
	for first < len(s) && (s[first] < 'A' || s[first] > 'Z') {
		ascii = ascii && s[first] < 0x80
		first++
	}
	if first == len(s) {
		if !ascii && foldsToASCII(s) {
			return m.plain.MatchString(s)
		}
		return m.folded.MatchString(s) && (m.exact || m.plain.MatchString(s))
	}
	buf := lowered.Get().(*[]byte)
	b := append((*buf)[:0], s...)
	for i := first; i < len(b); i++ {
		c := b[i]
		if c-'A' < 26 {
			b[i] = c + ('a' - 'A')
		}
		ascii = ascii && c < 0x80
	}
	met := false
	if !ascii && foldsToASCII(s) {
		met = m.plain.MatchString(s)
	} else {
		met = m.folded.Match(b) && (m.exact || m.plain.MatchString(s))
	}
	if cap(b) <= maxLowered {
		*buf = b
	}
	lowered.Put(buf)
	return met
}

// foldsToASCII reports whether s holds one of the two letters that are ASCII in another case: the Kelvin sign and the
// long s.
func foldsToASCII(s string) bool {
	return strings.Contains(s, "\u212a") || strings.Contains(s, "\u017f")
}
