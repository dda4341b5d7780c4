package tomlfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A node is a value of a document.
type node struct {
	kind   kind
	at     int              // byte where it stands; of what is within an array or an inline table: where that stands
	scalar any              // string, int64, float64, bool or time.Time
	text   string           // the scalar as text
	list   []*node          // of an array, or an array of tables
	keys   []string         // of a table, in their order
	table  map[string]*node // of a table
	made   making           // of a table
}

// kind is what a node is.
type kind uint8

const (
	aString kind = iota
	anInteger
	aFloat
	aBool
	aTime
	anArray
	aTable
	tables // an array of tables
)

var kindNames = [...]string{"string", "integer", "float", "boolean", "time", "array", "table", "array of tables"}

// making is how a table came to be, which decides what may still be added to it.
type making uint8

const (
	implied  making = iota // by the header of a table within it
	headed                 // by a header of its own
	dotted                 // by a dotted key
	inlined                // by {}, and then it is complete
	repeated               // by [[]]: an element, complete but for what follows its header
)

// A document is put together from the expressions of a text: the parser knows TOML's syntax, and here is which tables they mean
// and which of them go together.
type document struct {
	parser unstable.Parser
	root   *node
	open   *node // the table of the current header
}

func newTable(at int, made making) *node {
	return &node{kind: aTable, at: at, made: made, table: make(map[string]*node)}
}

// parse reads a text. Its error is a mistakeError.
func parse(text string) (*node, error) {
	d := &document{root: newTable(0, headed)}
	d.open = d.root
	d.parser.Reset([]byte(text))
	for d.parser.NextExpression() {
		e := d.parser.Expression()
		var err error
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			err = d.header(e)
		default:
			err = d.keyValue(d.open, e, -1)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := d.parser.Error(); err != nil {
		return nil, d.refusal(err)
	}
	return d.root, nil
}

// refusal is an error of the parser with its place.
func (d *document) refusal(err error) error {
	m := &mistakeError{what: err.Error()}
	if e, ok := err.(*unstable.ParserError); ok { //nolint:errorlint // the parser wraps none
		m.at = int(d.parser.Range(e.Highlight).Offset)
	}
	return m
}

// header begins the table that the next keys belong to.
func (d *document) header(e *unstable.Node) error {
	parts := e.Key()
	parts.Next()
	at := d.before(parts.Node(), '[')
	t := d.root
	for ; !parts.IsLast(); parts.Next() {
		name := string(parts.Node().Data)
		next := t.table[name]
		switch {
		case next == nil:
			next = t.add(name, newTable(at, implied))
		case next.kind == tables:
			next = next.list[len(next.list)-1]
		case next.kind != aTable || next.made == inlined:
			return mistake(at, "%s is defined already, and is no table that could be added to", quoted(name))
		}
		t = next
	}
	name := string(parts.Node().Data)
	was := t.table[name]
	switch {
	case e.Kind == unstable.ArrayTable && was == nil:
		was = t.add(name, &node{kind: tables, at: at})
		fallthrough
	case e.Kind == unstable.ArrayTable && was.kind == tables:
		d.open = newTable(at, repeated)
		was.list = append(was.list, d.open)
	case was == nil:
		d.open = t.add(name, newTable(at, headed))
	case e.Kind == unstable.Table && was.kind == aTable && was.made == implied:
		was.made, was.at, d.open = headed, at, was
	default:
		return mistake(at, "%s is defined already", quoted(name))
	}
	return nil
}

// before returns where the opening before a key begins.
func (d *document) before(key *unstable.Node, opening byte) int {
	text, at := d.parser.Data(), int(key.Raw.Offset)
	for at > 0 && (text[at-1] == ' ' || text[at-1] == '\t') {
		at--
	}
	for at > 0 && text[at-1] == opening {
		at--
	}
	return at
}

// keyValue adds a key with its value to a table. What is within a value stands at its place, at; -1 is a value of its own.
func (d *document) keyValue(t *node, e *unstable.Node, at int) error {
	parts := e.Key()
	parts.Next()
	key := at
	if at < 0 {
		key = int(parts.Node().Raw.Offset)
	}
	for ; !parts.IsLast(); parts.Next() {
		name := string(parts.Node().Data)
		next := t.table[name]
		switch {
		case next == nil:
			next = t.add(name, newTable(key, dotted))
		case next.kind != aTable || next.made != dotted:
			return mistake(key, "%s is defined already", quoted(name))
		}
		t = next
	}
	last := parts.Node()
	name := string(last.Data)
	if t.table[name] != nil {
		return mistake(key, "%s is defined already", quoted(name))
	}
	if at < 0 {
		at = d.behind(last)
	}
	v, err := d.value(e.Value(), at)
	if err != nil {
		return err
	}
	t.add(name, v)
	return nil
}

// behind returns where the value behind a key begins.
func (d *document) behind(key *unstable.Node) int {
	text, at := d.parser.Data(), int(key.Raw.Offset+key.Raw.Length)
	for text[at] == ' ' || text[at] == '\t' || text[at] == '=' {
		at++
	}
	return at
}

func (t *node) add(name string, n *node) *node {
	t.keys = append(t.keys, name)
	t.table[name] = n
	return n
}

// value makes a node of a value.
func (d *document) value(v *unstable.Node, at int) (*node, error) {
	n := &node{at: at}
	parts := v.Children()
	switch v.Kind {
	case unstable.Array:
		n.kind = anArray
		for parts.Next() {
			element, err := d.value(parts.Node(), at)
			if err != nil {
				return nil, err
			}
			n.list = append(n.list, element)
		}
		return n, nil
	case unstable.InlineTable:
		n = newTable(at, inlined)
		for parts.Next() {
			if err := d.keyValue(n, parts.Node(), at); err != nil {
				return nil, err
			}
		}
		return n, nil
	}
	n.text = string(v.Data)
	switch read := n.read(v.Kind); {
	case !read && n.kind == aTime:
		return nil, mistake(at, "there is no time %s", n.text)
	case !read:
		return nil, mistake(at, "%s is out of range", n.text)
	}
	return n, nil
}

// read reads a scalar, of which the parser has checked how it is written.
func (n *node) read(kind unstable.Kind) bool {
	var err error
	switch kind {
	case unstable.String:
		n.kind, n.scalar = aString, n.text
	case unstable.Bool:
		n.kind, n.scalar = aBool, n.text == "true"
	case unstable.Integer:
		n.kind = anInteger
		n.scalar, err = strconv.ParseInt(n.text, 0, 64)
	case unstable.Float:
		n.kind = aFloat
		if strings.HasSuffix(n.text, "nan") { // which strconv takes no sign of
			n.scalar = math.NaN()
			break
		}
		n.scalar, err = strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
	default:
		n.kind = aTime
		n.scalar, err = parseTime(n.text)
	}
	return err == nil
}

// parseTime reads a time as RFC 3339 writes it, or a part of one; seconds may be absent.
func parseTime(text string) (t time.Time, err error) {
	text = strings.ToUpper(text)
	if colon := strings.IndexByte(text, ':'); colon >= 0 && colon != len("15") && colon != len("2006-01-02T15") { // time.Parse takes one digit, too
		return t, errors.New("an hour has two digits")
	}
	if len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == ' ' {
		text = text[:len(time.DateOnly)] + "T" + text[len(time.DateOnly)+1:]
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", "15:04:05", "15:04"} {
		if t, err = time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return t, err
}

// plain is a value as a map[string]any, []map[string]any, []any, or what a scalar is.
func (n *node) plain() any {
	switch n.kind {
	case aTable:
		m := make(map[string]any, len(n.table))
		for name, v := range n.table {
			m[name] = v.plain()
		}
		return m
	case tables:
		all := make([]map[string]any, len(n.list))
		for i, v := range n.list {
			all[i] = v.plain().(map[string]any)
		}
		return all
	case anArray:
		all := make([]any, len(n.list))
		for i, v := range n.list {
			all[i] = v.plain()
		}
		return all
	}
	return n.scalar
}

// A mistakeError is what is wrong in a text.
type mistakeError struct {
	at    int // byte
	place Place
	what  string
}

func (m *mistakeError) Error() string { return fmt.Sprintf("%v: %s", m.place, m.what) }

func mistake(at int, format string, args ...any) *mistakeError {
	return &mistakeError{at: at, what: fmt.Sprintf(format, args...)}
}
