package ami

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Where is a condition on whatever has headers, as in `--where`: events, items of a list, objects of a state,
// records. It is safe for concurrent use; nil is met by everything.
//
// An expression consists of conditions FIELD OP VALUE, joined by && and || (&& binds tighter) and grouped by parentheses.
// Spaces around FIELD, OP and VALUE do not count.
//
//   - FIELD is a header's name, whatever its case; * is any header. `node` is the node's name and `event` the event's;
//     headers of these names further down in a message cannot be asked for.
//   - OP is = or != (is VALUE), =~ or !~ (an unanchored RE2 expression matches; ~ is =~), or <, <=, > or >=, which compare
//     quantities: VALUE must be one, and a header that is not one does not match. FIELD IN (VALUE,VALUE) is = with one of
//     several. Event names are compared and matched whatever their case.
//   - A quantity is a decimal number of any size, compared exactly, or a time as HH:MM:SS or with units as in 10m or
//     1h30m, compared as seconds. = and != compare text, and quantities where both are written plainly: 0 is 0.000 and
//     600 is 00:10:00, but 100 is neither 0100 nor +100, which are different extensions. Ordered against a time, a moment in
//     RFC 3339 is how long ago it is when it is looked at: of a channel, created>2h is one that is older than two hours.
//   - VALUE ends at && or || with spaces around, at a ) that closes a group, or at the end; && and || without spaces end
//     it where a condition follows. Or it is quoted: "…", in which \" is a quote and \\ a backslash; a backslash before
//     anything else stays, so "\d" means what it looks like. It may be empty. A value that begins with =, !, < or > or
//     contains a " has to be quoted.
//
// An absent field meets != and !~ only. A repeated header meets =, =~, <, <=, >, >= and IN if any of its values does; !=
// and !~ are the negation of = and =~: they hold if no header of that name is equal or matches. A list of an object, such as a call's channels, is compared
// with a whole number, and by <, <=, > and >=, as how many it has; see [Where.MatchFields].
type Where struct {
	root     whereNode
	warnings []*WhereError
}

// A WhereError says where an expression is wrong, or looks like a mistake.
type WhereError struct {
	Expr   string
	Offset int    // bytes before the place
	Want   string // what was expected there, or what is wrong and what to write
}

func (e *WhereError) Error() string {
	return fmt.Sprintf("ami: where: character %d of %q: %s", utf8.RuneCountInString(e.Expr[:e.Offset])+1, e.Expr, e.Want)
}

// A whereNode is a condition, or kids of which all hold, or, if any is set, at least one.
type whereNode struct {
	cond *whereCond // nil: the kids count
	any  bool
	kids []whereNode
}

type whereOp uint8

const (
	opEqual whereOp = iota
	opNotEqual
	opMatch
	opNotMatch
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opIn
)

// whereOps is in whereOp's order, as String writes them.
var whereOps = [...]string{"=", "!=", "=~", "!~", "<", "<=", ">", ">=", " IN "}

type fieldKind uint8

const (
	fieldHeader fieldKind = iota
	fieldNode
	fieldEvent
	fieldAny
)

type whereCond struct {
	field  string
	kind   fieldKind
	op     whereOp
	values []whereValue // one, but for opIn
	re     *textMatcher // opMatch and opNotMatch
	sizes  bool         // what is compared of a list is how many it has

	// Whether the field was looked for, and found: shared by all that And made of this condition.
	looked, found atomic.Bool
}

type whereValue struct {
	text   string
	number quantity
	plain  bool // number is there, and = compares by it
}

// And returns the condition that w and other both hold.
func (w *Where) And(other *Where) *Where {
	switch {
	case w == nil:
		return other
	case other == nil:
		return w
	}
	joined := &Where{warnings: slices.Concat(w.warnings, other.warnings)}
	joined.root.kids = slices.Concat(w.root.all(), other.root.all())
	return joined
}

// all returns the nodes that have to hold together for n to hold.
func (n *whereNode) all() []whereNode {
	if n.cond == nil && !n.any {
		return n.kids
	}
	return []whereNode{*n}
}

// Warnings returns the parts that parse but look like a mistake, with what to write instead. A value in quotes is never one.
func (w *Where) Warnings() []*WhereError {
	if w == nil {
		return nil
	}
	return w.warnings
}

// Fields returns the names of the headers that the condition asks for, each once, as they were written.
func (w *Where) Fields() (names []string) {
	for c := range w.conditions() {
		if c.kind == fieldHeader && !containsFold(names, c.field) {
			names = append(names, c.field)
		}
	}
	return names
}

// Missing returns those of Fields that were looked for and never found so far. A field that was never looked for, because
// another condition decided, is not among them.
func (w *Where) Missing() (names []string) {
	for c := range w.conditions() {
		if c.kind == fieldHeader && c.looked.Load() && !c.found.Load() && !containsFold(names, c.field) {
			names = append(names, c.field)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		for c := range w.conditions() {
			if c.found.Load() && wire.EqualFold(c.field, name) {
				return true
			}
		}
		return false
	})
}

func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return wire.EqualFold(n, name) })
}

// A Condition is one FIELD OP VALUE of a [Where].
type Condition struct {
	Field  string
	Op     string   // =, !=, =~, !~, <, <=, >, >= or IN
	Values []string // one, but for IN
}

// Conditions iterates over what && and || join, in the order in which it was written.
func (w *Where) Conditions() iter.Seq[Condition] {
	return func(yield func(Condition) bool) {
		for c := range w.conditions() {
			if !yield(c.public()) {
				return
			}
		}
	}
}

func (c *whereCond) public() Condition {
	one := Condition{Field: c.field, Op: strings.TrimSpace(whereOps[c.op])}
	for i := range c.values {
		one.Values = append(one.Values, c.values[i].text)
	}
	return one
}

// Counts reports whether a list is compared as how many it has.
func (c Condition) Counts() bool {
	switch c.Op {
	case "<", "<=", ">", ">=":
		return true
	case "=", "!=", "IN":
		return !slices.ContainsFunc(c.Values, func(v string) bool { return v == "" || strings.Trim(v, "0123456789") != "" })
	}
	return false
}

// conditions iterates over all conditions in the order in which they were written.
func (w *Where) conditions() iter.Seq[*whereCond] {
	return func(yield func(*whereCond) bool) {
		if w != nil {
			w.root.walk(yield)
		}
	}
}

func (n *whereNode) walk(yield func(*whereCond) bool) bool {
	if n.cond != nil {
		return yield(n.cond)
	}
	for i := range n.kids {
		if !n.kids[i].walk(yield) {
			return false
		}
	}
	return true
}

// String returns an expression that parses to w again; "" for nil.
func (w *Where) String() string {
	if w == nil {
		return ""
	}
	return string(w.root.append(nil))
}

func (n *whereNode) append(dst []byte) []byte {
	if n.cond != nil {
		return n.cond.append(dst)
	}
	for i := range n.kids {
		kid := &n.kids[i]
		if i > 0 && n.any {
			dst = append(dst, " || "...)
		} else if i > 0 {
			dst = append(dst, " && "...)
		}
		if kid.any && !n.any {
			dst = append(kid.append(append(dst, '(')), ')')
		} else {
			dst = kid.append(dst)
		}
	}
	return dst
}

func (c *whereCond) append(dst []byte) []byte {
	dst = append(append(dst, c.field...), whereOps[c.op]...)
	if c.op != opIn {
		return appendValue(dst, c.values[0].text)
	}
	dst = append(dst, '(')
	for i := range c.values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, c.values[i].text)
	}
	return append(dst, ')')
}

var whereQuoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// appendValue writes a value, in quotes unless it is readable without.
func appendValue(dst []byte, v string) []byte {
	plain := v != ""
	for i := 0; i < len(v) && plain; i++ {
		c := v[i] | 0x20
		plain = c >= 'a' && c <= 'z' || v[i] >= '-' && v[i] <= ':' || v[i] == '_' || v[i] == '@'
	}
	if plain {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	dst = append(dst, whereQuoter.Replace(v)...)
	return append(dst, '"')
}
