package ami

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"regexp/syntax"
	"slices"
	"sort"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/apntalk/amictl/internal/pattern"
)

// A textMatcher is a regular expression that does not lose its speed to (?i): package regexp finds the literal that
// all matches begin with quickly, but not whatever its case.
//
// Where an expression has such literals it is also compiled with the case of letters taken out: one spelling of each
// stands in its literals, and in its classes. What the expression matches, this one matches in a text whose letters
// are spelled so. The converse holds if the whole expression was regardless of case (exact); else plain decides.
type textMatcher struct {
	plain  *regexp.Regexp
	folded *regexp.Regexp // nil: there is nothing to gain
	exact  bool
	cases  *letterCases

	prefix  []byte // what each match of folded begins with
	literal bool   // and ends with: there is no more to it
}

// caseLimit is the rune up to which letters have their case taken out: Latin, Greek, Cyrillic, Armenian.
const caseLimit = 0x600

// letterCases knows the letters below caseLimit.
type letterCases struct {
	one [caseLimit]rune // the spelling that stands for a letter; an ASCII letter's is the lower case
	// Letters with a case on the other side of the limit, or of ASCII, such as the Kelvin sign and the long s. A text
	// that has one is for the plain expression: they count for \b and \w as what they are, not as what they fold to.
	strange []rune
}

var loadCases = sync.OnceValue(func() *letterCases {
	c := new(letterCases)
	for r := range rune(caseLimit) {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
			if next >= caseLimit || r >= utf8.RuneSelf && next < utf8.RuneSelf {
				c.strange = append(c.strange, max(r, next))
			}
		}
		if 'A' <= least && least <= 'Z' {
			least = asciiLower(least)
		}
		c.one[r] = least
	}
	slices.Sort(c.strange)
	c.strange = slices.Compact(c.strange)
	return c
})

func newTextMatcher(expr string) (*textMatcher, error) {
	tree, err := pattern.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	plain, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	m := &textMatcher{plain: plain, exact: true}
	if !foldsLiteral(tree) {
		return m, nil
	}
	m.cases = loadCases()
	m.fold(tree)
	if m.folded, err = regexp.Compile(tree.String()); err != nil {
		return nil, err
	}
	prefix, _ := m.folded.LiteralPrefix()
	m.prefix = []byte(prefix)
	m.literal = m.exact && tree.Op == syntax.OpLiteral && string(tree.Rune) == prefix
	return m, nil
}

// foldsLiteral reports whether a letter is searched for whatever its case.
func foldsLiteral(tree *syntax.Regexp) bool {
	letter := func(r rune) bool { return r < caseLimit && unicode.SimpleFold(r) != r }
	return tree.Op == syntax.OpLiteral && tree.Flags&syntax.FoldCase != 0 && slices.ContainsFunc(tree.Rune, letter) ||
		slices.ContainsFunc(tree.Sub, foldsLiteral)
}

// fold takes the case of letters out of the tree, and notes where that made it match more.
func (m *textMatcher) fold(tree *syntax.Regexp) {
	switch tree.Op {
	case syntax.OpLiteral:
		m.foldLiteral(tree)
	case syntax.OpCharClass:
		m.foldClass(tree)
	}
	for _, sub := range tree.Sub {
		m.fold(sub)
	}
}

// foldLiteral splits a literal where letters from the limit on stay to be compared whatever their case.
func (m *textMatcher) foldLiteral(tree *syntax.Regexp) {
	anyCase := tree.Flags&syntax.FoldCase != 0
	var parts []*syntax.Regexp
	for _, r := range tree.Rune {
		flags := tree.Flags
		if r < caseLimit {
			m.exact = m.exact && (anyCase || unicode.SimpleFold(r) == r)
			r, flags = m.cases.one[r], flags&^syntax.FoldCase
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

// foldClass adds to a class the spelling that stands for each letter in it.
func (m *textMatcher) foldClass(tree *syntax.Regexp) {
	class := slices.Clone(tree.Rune)
	holds := func(r rune) bool {
		i := sort.Search(len(class)/2, func(i int) bool { return class[2*i+1] >= r })
		return i < len(class)/2 && class[2*i] <= r
	}
	for r := range rune(caseLimit) {
		one := m.cases.one[r]
		if one == r || holds(r) == holds(one) {
			continue
		}
		m.exact = false
		if holds(r) {
			tree.Rune = append(tree.Rune, one, one)
		}
	}
	tree.Rune = sortedClass(tree.Rune)
}

// sortedClass puts the ranges of a class in order and joins those that touch, as package syntax wants them.
func sortedClass(class []rune) (joined []rune) {
	ranges := slices.Collect(slices.Chunk(class, 2))
	slices.SortFunc(ranges, func(a, b []rune) int { return int(a[0] - b[0]) })
	for _, r := range ranges {
		if n := len(joined); n > 0 && r[0] <= joined[n-1]+1 {
			joined[n-1] = max(joined[n-1], r[1])
			continue
		}
		joined = append(joined, r...)
	}
	return joined
}

// foldBuffers hold text whose case is taken out; one of maxFoldBuffer bytes or more is not kept.
var foldBuffers = sync.Pool{New: func() any { return new([]byte) }}

const maxFoldBuffer = 64 << 10

// shortText has room on the stack, where what lacks the literal in front of each match is turned away.
const shortText = 128

// match reports whether the expression matches somewhere in s.
func (m *textMatcher) match(s string) bool {
	if m.folded == nil {
		return m.plain.MatchString(s)
	}
	same := spelledRight(s)
	if same == len(s) {
		return m.folded.MatchString(s) && (m.exact || m.plain.MatchString(s))
	}
	if len(s) <= shortText && len(m.prefix) > 0 {
		var short [shortText]byte
		b, ok := m.cases.append(short[:0], s, same)
		switch {
		case !ok:
			return m.plain.MatchString(s)
		case !bytes.Contains(b, m.prefix):
			return false
		case m.literal:
			return true
		}
	}
	buf := foldBuffers.Get().(*[]byte)
	b, ok := m.cases.append((*buf)[:0], s, same)
	met := ok && m.folded.Match(b)
	if cap(b) < maxFoldBuffer {
		*buf = b
	}
	foldBuffers.Put(buf)
	if !ok || met && !m.exact {
		return m.plain.MatchString(s)
	}
	return met
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// capitals returns the high bit of each of eight ASCII bytes that is a capital letter.
func capitals(eight uint64) uint64 {
	return (eight + (0x80-'A')*everyByte) &^ (eight + (0x80-'Z'-1)*everyByte) & highBits
}

// spelledRight returns how many bytes at the front of s are neither capitals nor beyond ASCII, up to seven too few
// unless it is all.
func spelledRight(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if w := eightBytes(s[i : i+8]); w&highBits != 0 || capitals(w) != 0 {
			return i
		}
	}
	for same := i; ; same++ {
		if same == len(s) {
			return same
		}
		if s[same]-'A' < 26 || s[same] >= utf8.RuneSelf {
			return i
		}
	}
}

func eightBytes(p string) uint64 {
	return uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
		uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
}

// append spells the letters of s behind the first so many bytes. It is not ok if there is a strange one.
func (c *letterCases) append(dst []byte, s string, same int) (_ []byte, ok bool) {
	dst = append(dst, s...)
	i := same
	for ; i+8 <= len(s); i += 8 {
		w := eightBytes(s[i : i+8])
		if w&highBits != 0 {
			return c.appendRunes(dst[:i], s[i:])
		}
		binary.LittleEndian.PutUint64(dst[i:], w|capitals(w)>>2) // 0x20 is what a small letter has more
	}
	return c.appendRunes(dst[:i], s[i:])
}

func (c *letterCases) appendRunes(dst []byte, s string) (_ []byte, ok bool) {
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			if b-'A' < 26 {
				b += 'a' - 'A'
			}
			dst = append(dst, b)
			i++
			continue
		}
		if b >= 0xc2 && b < 0xc0|caseLimit>>6 && i+1 < len(s) && s[i+1]&0xc0 == utf8.RuneSelf { // two bytes, below the limit
			one := c.one[rune(b&0x1f)<<6|rune(s[i+1]&0x3f)]
			if one < utf8.RuneSelf {
				return dst, false
			}
			dst = append(dst, 0xc0|byte(one>>6), utf8.RuneSelf|byte(one)&0x3f)
			i += 2
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if _, strange := slices.BinarySearch(c.strange, r); strange {
			return dst, false
		}
		dst = append(dst, s[i:i+size]...)
		i += size
	}
	return dst, true
}
