package ami

import (
	"regexp"
	"strings"
	"sync"
)

const (
	fieldPattern = `[A-Za-z*][\w.-]*(?:\([^()]*\))?` // of a field in what may be a condition
	opPattern    = `\s*(?:[=<>~]|![=~]|\s(?i:in)\s*\()`
)

var (
	// conditionAhead is the start of a condition.
	conditionAhead = lazyRegexp(`^[\s(]*` + fieldPattern + opPattern)
	// wordAmid is and, or, with a condition behind it.
	wordAmid = lazyRegexp(`\s(?i:(and|or))[\s(]+` + fieldPattern + opPattern)
	// secondOperator is what looks like a second condition behind something that does not separate two. In a regular
	// expression | and & are its own.
	secondOperator        = lazyRegexp(`(?:[|&]\s*|[,;]\s+|\s)` + fieldPattern + opPattern + `|[,;]` + fieldPattern + `\s*[!<>=]+[=~]`)
	secondOperatorRegular = lazyRegexp(`\s` + fieldPattern + opPattern)
	// globbed is the beginning of a name with any end, as a shell has it. A code that is dialled, such as 9*, has no letter.
	globbed = lazyRegexp(`^[^*?]*[A-Za-z][^*?]*\*$`)
	// numberList and wordList are several values where one belongs.
	numberList = lazyRegexp(`^-?\d+(?:\s*[,|]\s*-?\d+)+$`)
	wordList   = lazyRegexp(`^[A-Za-z_][\w-]*(?:\s*[,|]\s*[A-Za-z_][\w-]*)+$`)
)

// lazyRegexp compiles an expression when it is first asked for: a program that has no condition starts without it.
func lazyRegexp(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// listFields are headers whose value is a list itself.
var listFields = []string{"Privilege", "Events", "AppData", "ApplicationData", "Codecs"}

// lookForMistakes looks at a value that is not quoted, which stands at that place: it refuses what cannot be meant and
// warns of what may not be.
func (p *whereParser) lookForMistakes(c *whereCond, at int) error {
	v := c.values[0].text
	if m := wordAmid().FindStringSubmatchIndex(v); m != nil {
		return p.fail(at+m[2], "%s, or quote the value if it is a part of it", insteadOf(v[m[2]:m[3]]))
	}
	second := secondOperator
	if c.op == opMatch || c.op == opNotMatch {
		second = secondOperatorRegular
	}
	if m := second().FindStringIndex(v); m != nil {
		p.warn(at+m[0], "the value %s holds a second operator; write && or || with spaces between two conditions, or quote the value", quoteValue(v))
		return nil
	}
	if (c.op == opEqual || c.op == opNotEqual) && globbed().MatchString(v) {
		p.warn(at, "this compares with the text %s; for whatever begins so, write %s", quoteValue(v), c.begins(strings.TrimSuffix(v, "*")))
		return nil
	}
	if c.op != opEqual && c.op != opNotEqual || containsFold(listFields, c.field) || !numberList().MatchString(v) && !wordList().MatchString(v) {
		return nil
	}
	p.warn(at, "this compares with the text %s; to compare with each, write %s", quoteValue(v), c.each(v))
	return nil
}

// begins is the condition that a value begins so, or does not.
func (c *whereCond) begins(v string) string {
	op := whereOps[opMatch]
	if c.op == opNotEqual {
		op = whereOps[opNotMatch]
	}
	pattern := "^" + regexp.QuoteMeta(v)
	if regexp.QuoteMeta(v) != v || strings.ContainsAny(v, whereSpace+"&") {
		pattern = quoteValue(pattern)
	}
	return c.field + op + pattern
}

// each is the condition that a list of values stands for.
func (c *whereCond) each(v string) string {
	values := strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == '|' || r == ' ' || r == '\t' })
	if c.op == opEqual {
		return c.field + " IN (" + strings.Join(values, ",") + ")"
	}
	for i := range values {
		values[i] = c.field + "!=" + values[i]
	}
	return strings.Join(values, " && ")
}

func quoteValue(v string) string { return string(appendValue(nil, v)) }
