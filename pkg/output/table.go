package output

import (
	"slices"

	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// A table is rows of text under a header, aligned in columns. Cells are made safe for a terminal.
type table struct {
	columns []column
	rows    [][]cell
	color   bool // colour the cells that have a tone
}

type column struct {
	head  string
	look  Look
	right bool // its cells are aligned to the right
	whole bool // they are numbers or times: cut, they would be others
	least int  // the width that it has before others go

	coding catalog.Coding // what its numbers mean, nil: it has none
	words  string         // the header that says so
}

type cell struct {
	text string
	tone Tone
}

// A Look says what happens to a column that does not fit.
type Look uint8

const (
	Usual    Look = iota // its cells are cut
	Minor                // it goes before any cell is cut
	Prose                // its text goes on in the next line
	Identity             // it never goes, and its cells are cut as far as they can still be told apart
)

// A Tone says how good the value of a cell is.
type Tone uint8

const (
	Neutral  = Tone(catalog.Neutral)
	Good     = Tone(catalog.Good)
	Doubtful = Tone(catalog.Doubtful)
	Bad      = Tone(catalog.Bad)
)

// toneColors can be read on light and on dark grounds.
var toneColors = [...]string{Good: "32", Doubtful: "35", Bad: "31"}

// Colored returns text in the colour of a tone.
func Colored(tone Tone, text string) string {
	if tone == Neutral {
		return text
	}
	return "\x1b[" + toneColors[tone] + "m" + text + "\x1b[0m"
}

// Add appends a row; missing cells are empty.
func (t *table) Add(cells ...cell) {
	row := make([]cell, len(t.columns))
	for i := range min(len(cells), len(row)) {
		row[i] = cell{Safe(cells[i].text), cells[i].tone}
	}
	t.rows = append(t.rows, row)
}

// dropEmpty removes the columns that hold nothing.
func (t *table) dropEmpty() {
	for i := len(t.columns) - 1; i >= 0 && len(t.rows) > 0; i-- {
		if !slices.ContainsFunc(t.rows, func(row []cell) bool { return row[i].text != "" }) {
			t.drop(i)
		}
	}
}

// identitiesFirst moves the columns that identify to the left.
func (t *table) identitiesFirst() {
	var order []int
	for _, first := range []bool{true, false} {
		for i := range t.columns {
			if (t.columns[i].look == Identity) == first {
				order = append(order, i)
			}
		}
	}
	t.columns = pick(t.columns, order)
	for n := range t.rows {
		t.rows[n] = pick(t.rows[n], order)
	}
}

func pick[T any](from []T, order []int) []T {
	picked := make([]T, 0, len(order))
	for _, i := range order {
		picked = append(picked, from[i])
	}
	return picked
}

// drop removes a column.
func (t *table) drop(i int) {
	t.columns = slices.Delete(t.columns, i, i+1)
	for n := range t.rows {
		t.rows[n] = slices.Delete(t.rows[n], i, i+1)
	}
}

const (
	columnGap   = 2
	narrowest   = 8  // a column is cut to no less before others are left out
	proseWidth  = 30 // as much has a column of prose before minor ones go
	proseLeast  = 16 // and as much before the cells of other columns are cut
	codedLeast  = 20 // and one of numbers and their meaning, before others go
	unlimited   = 1 << 30
	cutMark     = "…"
	cutMarkCols = 1

	identityLeast = 21 // Local/900@def…000074;1
)

// Append appends the table, no line wider than width columns (0: whatever it takes) unless the columns that identify take
// more. It returns the names of the columns that are gone: see fit.
func (t *table) Append(dst []byte, width int) (_ []byte, left []string) {
	if width <= 0 {
		width = unlimited
	}
	left, widths := t.fit(width, nil)
	head := make([]cell, len(t.columns))
	for i := range head {
		head[i].text = t.columns[i].head
	}
	dst = t.line(dst, head, widths)
	for _, row := range t.rows {
		dst = t.row(dst, row, widths)
	}
	return dst, left
}

// row appends a row, with as many lines as its prose takes.
func (t *table) row(dst []byte, cells []cell, widths []int) []byte {
	for {
		more := make([]cell, len(cells))
		now, again := slices.Clone(cells), false
		for i, w := range widths {
			if t.columns[i].look == Prose && Width(cells[i].text) > w {
				now[i].text, more[i].text = firstLine(cells[i].text, w)
				again = again || more[i].text != ""
			}
		}
		dst = t.line(dst, now, widths)
		if !again {
			return dst
		}
		cells = more
	}
}

func (t *table) line(dst []byte, cells []cell, widths []int) []byte {
	last := 0 // behind it there is nothing in this line
	for i := range widths {
		if cells[i].text != "" {
			last = i
		}
	}
	for i, w := range widths[:last+1] {
		text := cutCell(cells[i].text, w)
		pad := w - Width(text)
		if i > 0 {
			dst = appendSpaces(dst, columnGap)
		}
		if t.columns[i].right {
			dst = appendSpaces(dst, pad)
		}
		if t.color && text != "" {
			text = Colored(cells[i].tone, text)
		}
		dst = append(dst, text...)
		if !t.columns[i].right && i < last {
			dst = appendSpaces(dst, pad)
		}
	}
	for len(dst) > 0 && dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '\n')
}

func appendSpaces(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}
