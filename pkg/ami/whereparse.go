package ami

import (
	"fmt"
	"regexp/syntax"
	"strings"

	"github.com/apntalk/amictl/internal/pattern"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// maxWhereDepth bounds the parentheses within each other.
const maxWhereDepth = 100

// ParseWhere parses an expression; see [Where] for the language. The error is a *[WhereError].
func ParseWhere(expr string) (*Where, error) {
	p := whereParser{expr: strings.Clone(expr)}
	root, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.expr) {
		return nil, p.fail(p.pos, "this ) closes nothing; quote a value that holds one")
	}
	return &Where{root: root, warnings: p.warnings}, nil
}

type whereParser struct {
	expr     string
	pos      int
	depth    int // of the groups that are open
	warnings []*WhereError
}

func (p *whereParser) fail(at int, format string, args ...any) error {
	return &WhereError{Expr: p.expr, Offset: at, Want: fmt.Sprintf(format, args...)}
}

func (p *whereParser) warn(at int, format string, args ...any) {
	p.warnings = append(p.warnings, &WhereError{Expr: p.expr, Offset: at, Want: fmt.Sprintf(format, args...)})
}

const whereSpace = " \t\r\n"

func (p *whereParser) skipSpace() {
	for p.pos < len(p.expr) && strings.IndexByte(whereSpace, p.expr[p.pos]) >= 0 {
		p.pos++
	}
}

// at reports whether s stands here.
func (p *whereParser) at(s string) bool { return strings.HasPrefix(p.expr[p.pos:], s) }

// alternatives parses what || joins.
func (p *whereParser) alternatives() (whereNode, error) { return p.joined("||", p.conjunction) }

// conjunction parses what && joins.
func (p *whereParser) conjunction() (whereNode, error) { return p.joined("&&", p.primary) }

func (p *whereParser) joined(operator string, part func() (whereNode, error)) (whereNode, error) {
	n := whereNode{any: operator == "||"}
	for {
		kid, err := part()
		if err != nil {
			return n, err
		}
		n.kids = append(n.kids, kid)
		if !p.at(operator) {
			break
		}
		p.pos += len(operator)
	}
	if len(n.kids) == 1 {
		return n.kids[0], nil
	}
	return n, nil
}

// primary parses a condition, or a group in parentheses, and the space behind it.
func (p *whereParser) primary() (whereNode, error) {
	p.skipSpace()
	if !p.at("(") {
		c, err := p.condition()
		if err != nil {
			return whereNode{}, err
		}
		c.sizes = c.public().Counts()
		return whereNode{cond: c}, p.behind()
	}
	start := p.pos
	if p.depth++; p.depth > maxWhereDepth {
		return whereNode{}, p.fail(start, "more than %d parentheses within each other", maxWhereDepth)
	}
	p.pos++
	n, err := p.alternatives()
	if err != nil {
		return n, err
	}
	if !p.at(")") {
		return n, p.fail(start, "expected a ) that closes this one")
	}
	p.depth--
	p.pos++
	p.skipSpace()
	return n, p.behind()
}

// behind wants an operator, a ) or the end.
func (p *whereParser) behind() error {
	if p.pos == len(p.expr) || p.at("&&") || p.at("||") || p.at(")") {
		return nil
	}
	if m := wordOperator().FindStringSubmatch(p.expr[p.pos:]); m != nil {
		return p.fail(p.pos, "%s", insteadOf(m[1]))
	}
	return p.fail(p.pos, "expected &&, || or the end; a value is quoted as a whole")
}

// wordOperator is a word that stands where an operator has to.
var wordOperator = lazyRegexp(`^(?i:(and|or|not))(?:[\s(]|$)`)

func insteadOf(word string) string {
	switch strings.ToLower(word) {
	case "and":
		return "write && for " + word
	case "or":
		return "write || for " + word
	}
	return "write != or !~ for " + word
}

// condition parses FIELD OP VALUE and the space behind it.
func (p *whereParser) condition() (*whereCond, error) {
	start := p.pos
	c := new(whereCond)
	if m := wordOperator().FindStringSubmatch(p.expr[p.pos:]); m != nil {
		return nil, p.fail(start, "expected the name of a field; %s", insteadOf(m[1]))
	}
	isIn, err := p.field(c)
	if err != nil {
		return nil, err
	}
	if isIn {
		c.op = opIn
		return c, p.list(c)
	}
	if c.op, err = p.op(c.field); err != nil {
		return nil, err
	}
	p.skipSpace()
	at := p.pos
	text, quoted, err := p.value(c.op)
	if err != nil {
		return nil, err
	}
	c.values = []whereValue{newWhereValue(c.kind, text)}
	if !quoted {
		if err := p.lookForMistakes(c, at); err != nil {
			return nil, err
		}
	}
	return c, p.compile(c, at)
}

// compile checks and prepares the value, which stands at that place.
func (p *whereParser) compile(c *whereCond, at int) (err error) {
	v := &c.values[0]
	switch {
	case c.op == opMatch || c.op == opNotMatch:
		if _, err = pattern.Parse(v.text, syntax.Perl); err == nil { // by itself, so that the error shows what was written
			expr := v.text
			if c.kind == fieldEvent {
				expr = "(?i:" + expr + ")"
			}
			c.re, err = newTextMatcher(expr)
		}
		if err != nil {
			return p.fail(at, "%v", err)
		}
	case c.op >= opLess && c.op <= opGreaterEqual:
		var ok bool
		if v.number, ok = parseQuantity(v.text); !ok {
			return p.fail(at, "expected a number or a time after %s, such as 10, -1.5, 00:01:30 or 10m", whereOps[c.op])
		}
	}
	return nil
}

func newWhereValue(kind fieldKind, text string) whereValue {
	v := whereValue{text: text}
	if kind == fieldHeader || kind == fieldAny {
		v.number, v.plain = parseQuantity(text)
		v.plain = v.plain && plainQuantity(text)
	}
	return v
}

// field parses FIELD, and reports whether IN and a list stand behind it.
func (p *whereParser) field(c *whereCond) (isIn bool, err error) {
	start, depth := p.pos, 0
scan:
	for ; p.pos < len(p.expr); p.pos++ {
		switch b := p.expr[p.pos]; {
		case b == '(':
			if depth == 0 && inWord().MatchString(p.expr[start:p.pos]) {
				isIn = true
				break scan
			}
			depth++
		case b == ')' && depth == 0, strings.IndexByte(`=!~<>&|"`, b) >= 0:
			break scan
		case b == ')':
			depth--
		}
	}
	c.field = strings.TrimRight(p.expr[start:p.pos], whereSpace)
	if isIn {
		c.field = strings.TrimRight(c.field[:len(c.field)-len("IN")], whereSpace)
	}
	switch {
	case c.field == "":
		return isIn, p.fail(start, "expected the name of a field")
	case c.field == "*":
		c.kind = fieldAny
	case strings.Contains(c.field, "*"):
		return isIn, p.fail(start, "expected the name of a field; * alone is any field, and a part of a name cannot be asked for")
	case depth > 0:
		return isIn, p.fail(start, "expected the name of a field; %q has a ( without its )", c.field)
	case wire.EqualFold(c.field, "node"):
		c.kind = fieldNode
	case wire.EqualFold(c.field, "event"):
		c.kind = fieldEvent
	}
	if isIn {
		if name, not := strings.CutSuffix(strings.ToLower(c.field), " not"); not {
			return isIn, p.fail(start, "there is no NOT IN; write %[1]s!=A && %[1]s!=B", strings.TrimRight(c.field[:len(name)], whereSpace))
		}
	}
	return isIn, nil
}

// inWord is what stands before the ( of a list.
var inWord = lazyRegexp(`(?:^|\s)(?i:in)\s*$`)

func (p *whereParser) op(field string) (whereOp, error) {
	op, length := -1, 0
	for i, s := range whereOps[:opIn] {
		if len(s) > length && p.at(s) {
			op, length = i, len(s)
		}
	}
	if op < 0 && p.at("~") {
		op, length = int(opMatch), 1
	}
	if op < 0 {
		return 0, p.fail(p.pos, "expected one of = != =~ !~ < <= > >= IN after the field %q", field)
	}
	p.pos += length
	return whereOp(op), nil
}

// list parses (VALUE,VALUE…) and the space behind it.
func (p *whereParser) list(c *whereCond) error {
	open := p.pos
	for p.pos < len(p.expr) && (p.pos == open || p.expr[p.pos] == ',') {
		p.pos++
		p.skipSpace()
		at := p.pos
		var text string
		var err error
		if quoted := p.at(`"`); quoted {
			text, err = p.quoted()
		} else {
			end := strings.IndexAny(p.expr[at:], ",()")
			if end < 0 {
				break
			}
			p.pos += end
			text, err = p.plain(at)
			if err == nil && text == "" {
				err = p.fail(at, `expected a value; an empty one is ""`)
			}
		}
		if err != nil {
			return err
		}
		c.values = append(c.values, newWhereValue(c.kind, text))
	}
	if !p.at(")") {
		return p.fail(open, "expected a list such as (16,17), closed by a ); quote what holds a comma or a parenthesis")
	}
	p.pos++
	p.skipSpace()
	return nil
}

// value parses a VALUE, quoted or not, and the space behind it.
func (p *whereParser) value(op whereOp) (text string, quoted bool, err error) {
	if p.at(`"`) {
		text, err = p.quoted()
		return text, true, err
	}
	start := p.pos
	regular := op == opMatch || op == opNotMatch
	end, balanced := p.valueEnd(start, regular, true)
	if !balanced {
		end, _ = p.valueEnd(start, regular, false)
	}
	p.pos = end
	text, err = p.plain(start)
	return text, false, err
}

// plain returns the value from start to here, which is not quoted.
func (p *whereParser) plain(start int) (string, error) {
	v := strings.TrimRight(p.expr[start:p.pos], whereSpace)
	for begin, instead := range map[string]string{
		"=": "= is written once", "<": "at most is <=", ">": "at least is >=", "!": "a ! stands before the = or ~, as in != and !~",
	} {
		if strings.HasPrefix(v, begin) {
			return "", p.fail(start, "expected a value; one that begins with %s has to be quoted, and %s", begin, instead)
		}
	}
	if i := strings.IndexByte(v, '"'); i >= 0 {
		return "", p.fail(start+i, `expected no " in here; quote the whole value and write it as \"`)
	}
	return v, nil
}

// valueEnd finds where a value ends that is not quoted. Parentheses in it hide what they hold, if they are balanced: it
// reports that. In a regular expression one behind a backslash or in a class is a letter.
func (p *whereParser) valueEnd(start int, regular, nested bool) (end int, balanced bool) {
	depth, class := 0, false
	for i := start; i < len(p.expr); i++ {
		switch b := p.expr[i]; {
		case regular && b == '\\':
			i++
		case class:
			class = b != ']'
		case regular && b == '[' && nested:
			class = true
		case b == '(':
			depth++
		case b == ')' && depth == 0:
			return i, true
		case b == ')':
			depth--
		case (depth == 0 || !nested) && (b == '&' || b == '|') && p.separates(start, i):
			return i, true
		}
	}
	return len(p.expr), depth == 0 && !class
}

// separates reports whether && or || stands at i and ends the value from start: it has a space on both sides, or a
// condition follows, or nothing.
func (p *whereParser) separates(start, i int) bool {
	rest := p.expr[i:]
	if len(rest) < 2 || rest[1] != rest[0] {
		return false
	}
	rest = rest[2:]
	behind := strings.TrimLeft(rest, whereSpace)
	before := i == start || strings.IndexByte(whereSpace, p.expr[i-1]) >= 0
	return behind == "" || before && len(behind) < len(rest) || conditionAhead().MatchString(behind)
}

func (p *whereParser) quoted() (string, error) {
	start := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.expr); p.pos++ {
		switch c := p.expr[p.pos]; {
		case c == '"':
			p.pos++
			p.skipSpace()
			return b.String(), nil
		case c == '\\' && p.pos+1 < len(p.expr) && (p.expr[p.pos+1] == '"' || p.expr[p.pos+1] == '\\'):
			p.pos++
			b.WriteByte(p.expr[p.pos])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(start, `expected a " that closes the one here`)
}
