package output

import (
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// A stream is a table of events that come one after the other, with the columns of --fields. Its columns are as wide as the
// rows that have been seen.
type stream struct {
	fields  []string
	traits  map[string][]catalog.Trait // of the fields, by event
	looks   []Look                     // of the fields, by what the events that were seen have in them
	rows    [][]cell                   // to be printed
	columns []column                   // that are shown; nil: no row was printed yet
	shown   []int                      // which of the fields they are
	widths  []int
}

// mostRows is how many rows wait to be aligned, at most.
const mostRows = 256

// add adds a row.
func (s *stream) add(ev *ami.Event, typ string) {
	event := ev.Name()
	traits := s.traits[event]
	if traits == nil {
		for _, name := range s.fields {
			traits = append(traits, catalog.TraitOf(event, name))
		}
		if s.traits == nil {
			s.traits = make(map[string][]catalog.Trait)
		}
		if len(s.traits) < mostPlans && len(event) <= mostName {
			s.traits[strings.Clone(event)] = traits
		}
	}
	if s.looks == nil {
		s.looks = make([]Look, len(s.fields))
	}
	row := make([]cell, len(s.fields))
	for i, name := range s.fields {
		if name == "time" && !ev.Received.IsZero() {
			row[i].text = string(appendClock(nil, ev.Received))
			continue
		}
		if traits[i].Weight == catalog.Identifying {
			s.looks[i] = Identity
		}
		c := column{coding: traits[i].Coding, words: traits[i].Words}
		text, tone := c.meaning(eventColumn(name, ev, typ), &ev.Message)
		row[i] = cell{strings.Clone(Safe(text)), tone}
	}
	s.rows = append(s.rows, row)
}

// append appends the rows that wait: under a header if they are the first. It returns the names of the columns that are
// not shown for want of room.
func (s *stream) append(dst []byte, o *Options) (_ []byte, left []string) {
	if len(s.rows) == 0 {
		return dst, nil
	}
	width := o.tableWidth()
	if width == 0 {
		width = unlimited
	}
	t := &table{columns: s.columns, color: o.Color}
	if first := s.columns == nil; first {
		t.rows = append(t.rows, make([]cell, len(s.fields)))
		for i, name := range s.fields {
			t.columns = append(t.columns, column{head: Safe(name), look: s.looks[i]})
			t.rows[0][i].text = t.columns[i].head
			s.shown = append(s.shown, i)
		}
	}
	for _, row := range s.rows {
		t.rows = append(t.rows, pick(row, s.shown))
	}
	left, widths := t.fit(width, s.widths)
	if s.columns == nil {
		s.shown = s.shown[:0]
		for i, name := range s.fields {
			if len(s.shown) < len(t.columns) && t.columns[len(s.shown)].head == Safe(name) {
				s.shown = append(s.shown, i)
			}
		}
	}
	for i := range t.columns {
		t.columns[i].look = Identity // a column that has begun goes on
	}
	s.columns, s.widths, s.rows = t.columns, widths, s.rows[:0]
	for _, row := range t.rows {
		dst = t.row(dst, row, widths)
	}
	return dst, left
}
