package output

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A sheet gathers rows of one kind, whose keys need not all be the same, until they are shown together.
type sheet struct {
	title   string // stands above its table; "" for none
	kind    string // an event's name, or a record's type
	kindKey string // what the kind is called in CSV

	keys    []string
	at      map[string]int // of keys
	columns []column       // of keys
	used    []bool         // there was such a key
	rows    [][]cell       // may be shorter than keys

	numbers map[string]string // headers with the meaning of a number, and which header has the number
}

// sheets are those of a printer or a reply, in the order of their first rows.
type sheets struct {
	all []*sheet
	by  map[string]*sheet
}

// of returns the sheet of a kind under a title.
func (s *sheets) of(title, kind, kindKey string) *sheet {
	key := title + "\x00" + kind
	if s.by == nil {
		s.by = make(map[string]*sheet)
	}
	if s.by[key] == nil {
		s.by[key] = &sheet{title: title, kind: kind, kindKey: kindKey, at: make(map[string]int)}
		s.all = append(s.all, s.by[key])
	}
	return s.by[key]
}

// column returns the index of a key's column, and whether it is new.
func (s *sheet) column(key string) (i int, added bool) {
	i, known := s.at[key]
	if !known {
		i = len(s.keys)
		s.at[key] = i
		s.keys, s.columns, s.used = append(s.keys, key), append(s.columns, column{head: Safe(key)}), append(s.used, false)
	}
	return i, !known
}

// begin begins a row.
func (s *sheet) begin() { s.rows = append(s.rows, make([]cell, len(s.keys))) }

// set fills a cell of the last row.
func (s *sheet) set(key string, c cell) *column {
	i, _ := s.column(key)
	row := &s.rows[len(s.rows)-1]
	for len(*row) <= i {
		*row = append(*row, cell{})
	}
	(*row)[i] = c
	s.used[i] = true
	return &s.columns[i]
}

// add is set for what may come again: the values stand with a comma between.
func (s *sheet) add(key, text string, tone Tone) {
	i, _ := s.column(key)
	if row := s.rows[len(s.rows)-1]; i < len(row) && row[i].text != "" {
		text = row[i].text + ", " + text
	}
	s.set(key, cell{text, tone})
}

// byNode orders the rows by the names of their nodes, and leaves those of a node as they are.
func (s *sheet) byNode() {
	at, known := s.at["node"]
	if !known {
		return
	}
	slices.SortStableFunc(s.rows, func(a, b []cell) int {
		if at >= len(a) || at >= len(b) {
			return cmp.Compare(len(a), len(b))
		}
		return CompareNames(a[at].text, b[at].text)
	})
}

// table makes a table of what was gathered.
func (s *sheet) table() *table {
	t := &table{columns: slices.Clone(s.columns)}
	for _, row := range s.rows {
		t.Add(row...)
	}
	return t
}

// item adds an element of a list: for people, or for programs as it came.
func (s *sheet) item(ev *ami.Event, node, people bool) {
	if len(s.rows) == 0 {
		s.expect(ev.Name(), node)
	}
	s.begin()
	if node {
		s.set("node", cell{text: ev.Node})
	}
	s.headers(ev.Name(), &ev.Message, people, liftOwnNumber)
}

// expect makes the columns of an event that has a headline, in its order; the others follow, as minor ones, when they come.
func (s *sheet) expect(event string, node bool) {
	if node {
		i, _ := s.column("node")
		s.columns[i].look = Identity
	}
	for _, header := range catalog.HeadlineOf(event).Headers() {
		s.header(event, header, Usual)
	}
}

// header returns the column of a header of an event. Its look is what is known of the header, else what is given.
func (s *sheet) header(event, header string, look Look) *column {
	i, added := s.column(header)
	c := &s.columns[i]
	if !added {
		return c
	}
	trait := catalog.TraitOf(event, header)
	switch {
	case trait.Weight == catalog.Identifying:
		look = Identity
	case trait.Weight == catalog.Low:
		look = Minor
	}
	c.look, c.coding, c.words = look, trait.Coding, trait.Words
	if c.words != "" {
		if s.numbers == nil {
			s.numbers = make(map[string]string)
		}
		s.numbers[c.words] = header
	}
	return c
}

// headers fills the last row with the headers of an event. People get numbers with their meaning, and not what only serves
// the protocol or says that something is unknown. What is lifted has another place.
func (s *sheet) headers(event string, m *wire.Message, people bool, lift lifting) {
	rest := Usual
	if catalog.HeadlineOf(event) != nil {
		rest = Minor
	}
	for i := range m.Len() {
		name, value := m.Line(i)
		if name == "" || lift.lifts(name) || i == 0 && m.Kind() == wire.Event || wire.EqualFold(name, "Privilege") {
			continue
		}
		c := s.header(event, name, rest)
		var tone Tone
		if people {
			if value == "" || value == unknown || s.numbers[name] != "" && m.Get(s.numbers[name]) != "" {
				continue
			}
			value, tone = c.meaning(value, m)
		}
		s.add(name, value, tone)
	}
}

// unknown is how Asterisk writes that a caller's number or name is none.
const unknown = "<unknown>"

// meaning is a value with what it means beside it, if it is coded, and how good that is.
func (c *column) meaning(value string, m *wire.Message) (string, Tone) {
	if c.coding == nil {
		return value, Neutral
	}
	known := c.coding[value]
	words := known.Words
	if c.words != "" {
		if theirs := m.Get(c.words); theirs != "" {
			words = theirs
		}
	}
	if words != "" {
		value += " " + words
	}
	return value, Tone(known.Outcome)
}

// chosen adds a row of the columns that --fields names. They are wanted, so that none of them is a minor one.
func (s *sheet) chosen(fields []string, event string, m *wire.Message, value func(name string) string) {
	s.begin()
	for _, name := range fields {
		c := s.header(event, name, Usual)
		if c.look == Minor {
			c.look = Usual
		}
		text, tone := c.meaning(value(name), m)
		s.set(name, cell{text, tone})
	}
}

// record adds a record, or of it the keys that --fields names, in that order: for people, or for programs.
func (s *sheet) record(r Record, fields []string, people bool) {
	s.begin()
	if len(fields) == 0 {
		for i := range r {
			words := i > 0 && people && r[i].Key == r[i-1].Key+textSuffix && r[i-1].Value != nil // beside the number
			if r[i].Key != "type" && !words {
				c := s.pair(r[i].Key, &r[i], people)
				if i+1 < len(r) && people && r[i+1].Key == r[i].Key+textSuffix {
					s.explain(c, r[i].Key, &r[i+1])
				}
			}
		}
		return
	}
	for _, name := range fields {
		i := slices.IndexFunc(r, func(p Pair) bool { return wire.EqualFold(p.Key, name) })
		if i < 0 {
			s.set(name, cell{})
			continue
		}
		if c := s.pair(name, &r[i], people); c.look == Minor {
			c.look = Usual
		}
	}
}

// textSuffix ends the key that has in words what the key before it has as a number.
const textSuffix = "_text"

// explain puts words beside the number in a cell of the last row.
func (s *sheet) explain(c *column, key string, words *Pair) {
	cell := &s.rows[len(s.rows)-1][s.at[key]]
	if text := words.text(); text != "" && cell.text != "" {
		cell.text += " " + text
		c.right, c.whole = false, false
	}
}

// pair fills a cell of the last row with what a record has under a key.
func (s *sheet) pair(name string, p *Pair, people bool) *column {
	if !people {
		return s.set(name, cell{text: p.value()})
	}
	c := s.set(name, cell{text: p.text(), tone: p.Tone})
	c.head, c.look = Safe(heading(p.Key)), p.Look
	if p.Key == "node" && p.Look == Usual {
		c.look = Identity
	}
	switch p.Value.(type) {
	case int, int64, uint64, float64:
		c.right, c.whole = true, true
	case time.Time:
		c.whole = true
	}
	return c
}

// heading is a key as a column's name. The unit in a key such as ping_us is for programs: the cells carry their own.
func heading(key string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(key, "_us"), "_s")
	return strings.ReplaceAll(name, "_", " ")
}
