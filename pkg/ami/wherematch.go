package ami

import (
	"iter"
	"strings"
	"sync/atomic"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Match reports whether a message of the node meets the condition. It does not allocate and keeps nothing of m: it runs
// in the reader of a subscription's sessions.
func (w *Where) Match(node string, m *wire.Message) bool {
	return w == nil || w.root.match(node, m, false)
}

// MatchPresent is Match, but a condition on a header that m does not have does not hold, whatever its operator. It is for
// the packets around a list, which lack most of the items' headers: Status!=Registered is not true of them.
func (w *Where) MatchPresent(node string, m *wire.Message) bool {
	return w == nil || w.root.match(node, m, true)
}

// MatchFields is Match for anything that is not a message, such as an object of a state: fields iterates over its names
// and values, a name with several values once for each. The field named Event is what `event` asks for. A field that * shall not
// see has a dot before its name (.duration), and how many values a list has comes before these, with a # before the name (#channels).
func (w *Where) MatchFields(node string, fields iter.Seq2[string, string]) bool {
	return w == nil || w.root.matchFields(node, fields)
}

func (n *whereNode) match(node string, m *wire.Message, present bool) bool {
	if n.cond != nil {
		return n.cond.match(node, m, present)
	}
	for i := range n.kids {
		if n.kids[i].match(node, m, present) == n.any {
			return n.any
		}
	}
	return !n.any
}

func (n *whereNode) matchFields(node string, fields iter.Seq2[string, string]) bool {
	if n.cond != nil {
		return n.cond.matchFields(node, fields)
	}
	for i := range n.kids {
		if n.kids[i].matchFields(node, fields) == n.any {
			return n.any
		}
	}
	return !n.any
}

func (c *whereCond) match(node string, m *wire.Message, present bool) bool {
	found, met := false, false
	switch c.kind {
	case fieldNode:
		found, met = true, c.holds(node)
	case fieldEvent:
		found = m.Kind() == wire.Event
		met = found && c.holds(m.Name())
	case fieldAny:
		found = m.Len() > 0
		for i := 0; i < m.Len() && !met; i++ {
			_, value := m.Line(i)
			met = c.holds(value)
		}
	default:
		for i := 0; i < m.Len() && !met; i++ {
			name, value := m.Line(i)
			if len(name) == len(c.field) && wire.EqualFold(name, c.field) {
				found = true
				met = c.holds(value)
			}
		}
	}
	return c.verdict(found, met) && (found || !present)
}

// matchFields is match for an iterator. The two are apart because a loop over an iterator moves what it changes to the
// heap.
func (c *whereCond) matchFields(node string, fields iter.Seq2[string, string]) bool {
	if c.kind == fieldNode {
		return c.verdict(true, c.holds(node))
	}
	found, met := false, false
	for name, value := range fields {
		hidden, size := strings.HasPrefix(name, "."), strings.HasPrefix(name, "#")
		if hidden || size {
			name = name[1:]
		}
		switch {
		case (hidden || size) && c.kind == fieldAny, size && !c.sizes:
		case c.kind == fieldAny, len(name) == len(c.field) && wire.EqualFold(name, c.field):
			found, met = true, c.holds(value)
			if met || size || c.kind == fieldEvent {
				return c.verdict(found, met)
			}
		}
	}
	return c.verdict(found, met)
}

// verdict notes whether the field was there, and negates what was tested as its opposite.
func (c *whereCond) verdict(found, met bool) bool {
	note(&c.looked)
	if found {
		note(&c.found)
	}
	return met != (c.op == opNotEqual || c.op == opNotMatch)
}

// note sets a flag that is set already but for the first time: readers of many sessions only read it then.
func note(flag *atomic.Bool) {
	if !flag.Load() {
		flag.Store(true)
	}
}

// holds tests one value of the field; a negated condition is tested as its opposite.
func (c *whereCond) holds(v string) bool {
	switch c.op {
	case opEqual, opNotEqual:
		return c.equal(&c.values[0], v)
	case opIn:
		for i := range c.values {
			if c.equal(&c.values[i], v) {
				return true
			}
		}
		return false
	case opMatch, opNotMatch:
		return c.re.match(v)
	}
	q, ok := parseQuantity(v)
	if !ok && c.values[0].number.time {
		q, ok = ageOf(v)
	}
	if !ok {
		return false
	}
	switch order := q.compare(c.values[0].number); c.op {
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

func (c *whereCond) equal(want *whereValue, v string) bool {
	if v == want.text || c.kind == fieldEvent && wire.EqualFold(v, want.text) {
		return true
	}
	if !want.plain || !plainQuantity(v) {
		return false
	}
	q, ok := parseQuantity(v)
	return ok && q.compare(want.number) == 0
}
