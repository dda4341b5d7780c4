package output

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Table is rows of text under a header, aligned in columns. Cells are made safe for a terminal.
type Table struct {
	head  []string
	rows  [][]string
	right []bool
}

// NewTable returns a table with these column names. A name that begins with '>' has its cells aligned to the right.
func NewTable(columns ...string) *Table {
	t := &Table{}
	for _, c := range columns {
		name, right := strings.CutPrefix(c, ">")
		t.head = append(t.head, Safe(name))
		t.right = append(t.right, right)
	}
	return t
}

// Add appends a row; missing cells are empty.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(t.head))
	for i := range min(len(cells), len(row)) {
		row[i] = Safe(cells[i])
	}
	t.rows = append(t.rows, row)
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// DropEmpty removes the columns that hold nothing.
func (t *Table) DropEmpty() {
	kept := 0
	for i := range t.head {
		empty := true
		for _, row := range t.rows {
			empty = empty && row[i] == ""
		}
		if empty && len(t.rows) > 0 {
			continue
		}
		t.head[kept], t.right[kept] = t.head[i], t.right[i]
		for _, row := range t.rows {
			row[kept] = row[i]
		}
		kept++
	}
	t.head, t.right = t.head[:kept], t.right[:kept]
}

const (
	columnGap   = 2
	narrowest   = 8 // a column is cut to no less before others are left out
	unlimited   = 1 << 30
	cutMark     = "…"
	cutMarkCols = 1
)

// Append appends the table, no line wider than width columns (0: whatever it takes). Long cells are cut first; if
// that is not enough, the rightmost columns go and their names are returned.
func (t *Table) Append(dst []byte, width int) (_ []byte, left []string) {
	if width <= 0 {
		width = unlimited
	}
	widths, shown := t.fit(width)
	dst = t.line(dst, t.head, widths)
	for _, row := range t.rows {
		dst = t.line(dst, row, widths)
	}
	return dst, t.head[shown:]
}

// fit returns the widths of the columns that are shown.
func (t *Table) fit(width int) (widths []int, shown int) {
	widths = make([]int, len(t.head))
	total := columnGap * (len(t.head) - 1)
	for i, name := range t.head {
		widths[i] = Width(name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], Width(row[i]))
		}
		total += widths[i]
	}
	least := func(i int) int { return min(widths[i], max(narrowest, Width(t.head[i]))) }
	shown = len(widths)
	for { // leave columns out until the rest fits when cut to the least
		need := columnGap * (shown - 1)
		for i := range shown {
			need += least(i)
		}
		if need <= width || shown == 1 {
			break
		}
		shown--
		total -= widths[shown] + columnGap
	}
	floor := make([]int, shown)
	for i := range floor {
		floor[i] = least(i)
	}
	for total > width {
		widest := -1
		for i := range shown {
			if widths[i] > floor[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
		total--
	}
	if shown == 1 {
		widths[0] = min(widths[0], width)
	}
	return widths[:shown], shown
}

func (t *Table) line(dst []byte, cells []string, widths []int) []byte {
	for i, w := range widths {
		cell := Cut(cells[i], w)
		pad := w - Width(cell)
		if i > 0 {
			dst = appendSpaces(dst, columnGap)
		}
		if t.right[i] {
			dst = appendSpaces(dst, pad)
		}
		dst = append(dst, cell...)
		if !t.right[i] && i < len(widths)-1 {
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

// Cut returns s cut to a width in terminal columns; what was cut ends in "…".
func Cut(s string, width int) string {
	if len(s) <= width || Width(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	n := 0
	for i, r := range s {
		w := runeWidth(r)
		if n+w > width-cutMarkCols {
			return s[:i] + cutMark
		}
		n += w
	}
	return s
}

// Width returns how many columns of a terminal a string takes that is safe to print.
func Width(s string) int {
	if len(s) == 0 || plainASCII(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// wide are the blocks whose characters take two columns (Unicode's East Asian Width, by block).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1},
		{Lo: 0x2e80, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}

func runeWidth(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}
