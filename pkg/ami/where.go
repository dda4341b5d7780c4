package ami

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Where is a condition on messages, as in `--where`. It is immutable and safe for concurrent use; nil is met by
// every message.
//
// An expression is one or more conditions FIELD OP VALUE with && between; all have to hold. Spaces around FIELD, OP
// and VALUE do not count.
//
//   - FIELD is a header's name, whatever its case. `node` is the node's name and `event` the event's; headers of these
//     names further down in a message cannot be asked for.
//   - OP is = or != (bytes are equal), =~ or !~ (an unanchored RE2 expression matches), or <, <=, > or >=, which compare
//     decimal numbers of any size exactly: VALUE must be one, and a header that is none does not match. Event names are
//     compared and matched whatever their case.
//   - VALUE is the text up to the next && or the end, or is quoted: "…", in which \" is a quote and \\ a backslash; a
//     backslash before anything else stays, so that "\d" is what it looks like. It may be empty. What begins with =, <
//     or > or holds a " has to be quoted.
//
// An absent field meets != and !~ only. A repeated header meets =, =~, <, <=, > and >= if any of its values does; != and
// !~ are the negation of = and =~: they hold if no header of that name is equal or matches.
type Where struct {
	conds []whereCond
}

// A WhereError says where an expression is wrong.
type WhereError struct {
	Expr   string
	Offset int    // bytes before the place
	Want   string // what was expected there, or what is wrong
}

func (e *WhereError) Error() string {
	return fmt.Sprintf("ami: where: character %d of %q: %s", utf8.RuneCountInString(e.Expr[:e.Offset])+1, e.Expr, e.Want)
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
)

// whereOps is in whereOp's order.
var whereOps = [...]string{"=", "!=", "=~", "!~", "<", "<=", ">", ">="}

type fieldKind uint8

const (
	fieldHeader fieldKind = iota
	fieldNode
	fieldEvent
)

type whereCond struct {
	field  string
	kind   fieldKind
	op     whereOp
	value  string
	re     *regexp.Regexp // opMatch and opNotMatch
	number decimal        // opLess and after
}

// ParseWhere parses an expression; see [Where] for the language. The error is a *[WhereError].
func ParseWhere(expr string) (*Where, error) {
	p := whereParser{expr: strings.Clone(expr)}
	w := new(Where)
	for {
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		w.conds = append(w.conds, c)
		if p.pos == len(p.expr) {
			return w, nil
		}
		if !strings.HasPrefix(p.expr[p.pos:], "&&") {
			return nil, p.fail(p.pos, "expected && or the end behind a quoted value")
		}
		p.pos += len("&&")
	}
}

type whereParser struct {
	expr string
	pos  int
}

func (p *whereParser) fail(at int, format string, args ...any) error {
	return &WhereError{Expr: p.expr, Offset: at, Want: fmt.Sprintf(format, args...)}
}

const whereSpace = " \t\r\n"

func (p *whereParser) skipSpace() {
	for p.pos < len(p.expr) && strings.IndexByte(whereSpace, p.expr[p.pos]) >= 0 {
		p.pos++
	}
}

// condition parses FIELD OP VALUE and the space behind it.
func (p *whereParser) condition() (c whereCond, err error) {
	p.skipSpace()
	start := p.pos
	for p.pos < len(p.expr) && strings.IndexByte("=!<>&\"", p.expr[p.pos]) < 0 {
		p.pos++
	}
	c.field = strings.TrimRight(p.expr[start:p.pos], whereSpace)
	if c.field == "" {
		return c, p.fail(start, "expected the name of a field")
	}
	switch {
	case wire.EqualFold(c.field, "node"):
		c.kind = fieldNode
	case wire.EqualFold(c.field, "event"):
		c.kind = fieldEvent
	}
	if c.op, err = p.op(c.field); err != nil {
		return c, err
	}
	p.skipSpace()
	start = p.pos
	if c.value, err = p.value(); err != nil {
		return c, err
	}
	switch {
	case c.op == opMatch || c.op == opNotMatch:
		if c.re, err = regexp.Compile(c.value); err == nil && c.kind == fieldEvent {
			c.re, err = regexp.Compile("(?i)" + c.value)
		}
		if err != nil {
			return c, p.fail(start, "%v", err)
		}
	case c.op >= opLess:
		var ok bool
		if c.number, ok = parseDecimal(c.value); !ok {
			return c, p.fail(start, "expected a number behind %s, such as 10 or -1.5", whereOps[c.op])
		}
	}
	return c, nil
}

func (p *whereParser) op(field string) (whereOp, error) {
	rest := p.expr[p.pos:]
	op := -1
	for i, s := range whereOps {
		if strings.HasPrefix(rest, s) && (op < 0 || len(s) > len(whereOps[op])) {
			op = i
		}
	}
	if op < 0 {
		return 0, p.fail(p.pos, "expected one of %s behind the field %q", strings.Join(whereOps[:], " "), field)
	}
	p.pos += len(whereOps[op])
	return whereOp(op), nil
}

// value parses a VALUE, quoted or not, and the space behind it.
func (p *whereParser) value() (string, error) {
	if p.pos < len(p.expr) && p.expr[p.pos] == '"' {
		return p.quoted()
	}
	start := p.pos
	end := strings.Index(p.expr[start:], "&&")
	if end < 0 {
		end = len(p.expr) - start
	}
	p.pos = start + end
	v := strings.TrimRight(p.expr[start:p.pos], whereSpace)
	if v != "" && strings.IndexByte("=<>", v[0]) >= 0 {
		return "", p.fail(start, "expected a value; one that begins with %c has to be quoted", v[0])
	}
	if i := strings.IndexByte(v, '"'); i >= 0 {
		return "", p.fail(start+i, `expected no " in here; quote the whole value and write it as \"`)
	}
	return v, nil
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

// And returns the condition that both w and other hold.
func (w *Where) And(other *Where) *Where {
	switch {
	case w == nil:
		return other
	case other == nil:
		return w
	}
	conds := make([]whereCond, 0, len(w.conds)+len(other.conds))
	return &Where{conds: append(append(conds, w.conds...), other.conds...)}
}

// String returns an expression that parses to w again; "" for nil.
func (w *Where) String() string {
	if w == nil {
		return ""
	}
	var b strings.Builder
	for i, c := range w.conds {
		if i > 0 {
			b.WriteString(" && ")
		}
		b.WriteString(c.field)
		b.WriteString(whereOps[c.op])
		if plainValue(c.value) {
			b.WriteString(c.value)
			continue
		}
		b.WriteByte('"')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.value))
		b.WriteByte('"')
	}
	return b.String()
}

// plainValue reports whether a value is readable without quotes.
func plainValue(v string) bool {
	for i := range len(v) {
		if c := v[i] | 0x20; (c < 'a' || c > 'z') && (v[i] < '-' || v[i] > ':') && v[i] != '_' && v[i] != '@' {
			return false
		}
	}
	return v != ""
}

// Match reports whether a message of the node meets the condition. It does not allocate and keeps nothing of m.
func (w *Where) Match(node string, m *wire.Message) bool {
	if w == nil {
		return true
	}
	for i := range w.conds {
		if !w.conds[i].match(node, m) {
			return false
		}
	}
	return true
}

func (c *whereCond) match(node string, m *wire.Message) bool {
	met := false
	switch c.kind {
	case fieldNode:
		met = c.holds(node)
	case fieldEvent:
		met = m.Kind() == wire.Event && c.holds(m.Name())
	default:
		for i := 0; i < m.Len() && !met; i++ {
			name, value := m.Line(i)
			met = len(name) == len(c.field) && wire.EqualFold(name, c.field) && c.holds(value)
		}
	}
	return met != (c.op == opNotEqual || c.op == opNotMatch)
}

// holds tests one value of the field; a negated condition is tested as its opposite.
func (c *whereCond) holds(v string) bool {
	switch c.op {
	case opEqual, opNotEqual:
		return v == c.value || c.kind == fieldEvent && wire.EqualFold(v, c.value)
	case opMatch, opNotMatch:
		return c.re.MatchString(v)
	}
	d, ok := parseDecimal(v)
	if !ok {
		return false
	}
	switch order := d.compare(c.number); c.op {
	case opLess:
		return order < 0
	case opLessEqual:
		return order <= 0
	case opGreater:
		return order > 0
	default:
		return order >= 0
	}
}

// A decimal is a number as written: slices of its text, so that it compares exactly (byte counters are over a
// float64's 53 bits, and a Uniqueid has 16 digits) and needs no memory.
type decimal struct {
	negative        bool
	whole, fraction string // without leading and without trailing zeros
}

// parseDecimal reads [+-]DIGITS[.DIGITS], either DIGITS may be missing but not both, with spaces around.
func parseDecimal(s string) (d decimal, ok bool) {
	s = strings.Trim(s, " \t")
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative = s[0] == '-'
		s = s[1:]
	}
	point := -1
	for i := range len(s) {
		switch {
		case s[i] == '.' && point < 0:
			point = i
		case s[i] < '0' || s[i] > '9':
			return decimal{}, false
		}
	}
	if point < 0 {
		point = len(s)
	} else {
		d.fraction = strings.TrimRight(s[point+1:], "0")
	}
	if s == "" || s == "." {
		return decimal{}, false
	}
	d.whole = strings.TrimLeft(s[:point], "0")
	if d.whole == "" && d.fraction == "" {
		d.negative = false // -0
	}
	return d, true
}

// compare returns -1, 0 or +1.
func (d decimal) compare(e decimal) int {
	if d.negative != e.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	order := len(d.whole) - len(e.whole)
	if order == 0 {
		order = strings.Compare(d.whole, e.whole)
	}
	if order == 0 {
		order = strings.Compare(d.fraction, e.fraction)
	}
	if d.negative {
		order = -order
	}
	return min(max(order, -1), 1)
}
