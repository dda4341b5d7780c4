package output

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// A table is rows of text under a header, aligned in columns. Cells are made safe for a terminal.
type table struct {
	head  []string
	rows  [][]string
	right []bool
	looks []Look
	color bool     // colour the cells that have a tone
	tones [][]Tone // of each row; empty for none
}

// A Look says what happens to a column that does not fit.
type Look uint8

const (
	Usual Look = iota // its cells are cut
	Minor             // it goes before any cell is cut
	Prose             // its text goes on in the next line
)

// A Tone says how good the value of a cell is.
type Tone uint8

const (
	Neutral Tone = iota
	Good
	Doubtful
	Bad
)

// toneColors can be read on light and on dark grounds.
var toneColors = [...]string{Good: "32", Doubtful: "35", Bad: "31"}

// newTable returns a table with these column names. A name that begins with '>' has its cells aligned to the right.
func newTable(columns ...string) *table {
	t := &table{}
	for _, c := range columns {
		name, right := strings.CutPrefix(c, ">")
		t.head = append(t.head, Safe(name))
		t.right = append(t.right, right)
	}
	t.looks = make([]Look, len(t.head))
	return t
}

// Add appends a row; missing cells are empty.
func (t *table) Add(cells ...string) {
	row := make([]string, len(t.head))
	for i := range min(len(cells), len(row)) {
		row[i] = Safe(cells[i])
	}
	t.rows = append(t.rows, row)
	t.tones = append(t.tones, make([]Tone, len(t.head)))
}

// Len returns the number of rows.
func (t *table) Len() int { return len(t.rows) }

// DropEmpty removes the columns that hold nothing.
func (t *table) DropEmpty() {
	for i := len(t.head) - 1; i >= 0 && len(t.rows) > 0; i-- {
		if !slices.ContainsFunc(t.rows, func(row []string) bool { return row[i] != "" }) {
			t.drop(i)
		}
	}
}

// drop removes a column.
func (t *table) drop(i int) {
	t.head, t.right, t.looks = slices.Delete(t.head, i, i+1), slices.Delete(t.right, i, i+1), slices.Delete(t.looks, i, i+1)
	for n := range t.rows {
		t.rows[n], t.tones[n] = slices.Delete(t.rows[n], i, i+1), slices.Delete(t.tones[n], i, i+1)
	}
}

const (
	columnGap   = 2
	narrowest   = 8  // a column is cut to no less before others are left out
	proseWidth  = 30 // as much has a column of prose before minor ones go
	proseLeast  = 16 // and as much before the cells of other columns are cut
	unlimited   = 1 << 30
	cutMark     = "…"
	cutMarkCols = 1
)

// Append appends the table, no line wider than width columns (0: whatever it takes). Minor columns go first, then long
// cells are cut; if that is not enough, the rightmost columns go. It returns the names of the columns that are gone.
func (t *table) Append(dst []byte, width int) (_ []byte, left []string) {
	if width <= 0 {
		width = unlimited
	}
	for i := len(t.head) - 1; i >= 0 && t.natural() > width; i-- {
		if t.looks[i] == Minor {
			left = append(left, t.head[i])
			t.drop(i)
		}
	}
	slices.Reverse(left)
	widths, shown := t.fit(width)
	dst = t.line(dst, t.head, widths, nil)
	for i, row := range t.rows {
		dst = t.row(dst, row, widths, t.tones[i])
	}
	return dst, append(left, t.head[shown:]...)
}

// widest is the width that a column would take.
func (t *table) widest(i int) int {
	w := Width(t.head[i])
	for _, row := range t.rows {
		w = max(w, Width(row[i]))
	}
	return w
}

// natural is the width that the table would take if prose took no more than its due.
func (t *table) natural() int {
	total := columnGap * (len(t.head) - 1)
	for i := range t.head {
		w := t.widest(i)
		if t.looks[i] == Prose {
			w = min(w, proseWidth)
		}
		total += w
	}
	return total
}

// fit returns the widths of the columns that are shown.
func (t *table) fit(width int) (widths []int, shown int) {
	widths = make([]int, len(t.head))
	total := columnGap * (len(t.head) - 1)
	for i := range t.head {
		widths[i] = t.widest(i)
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
	for i := range shown { // prose loses nothing by being narrow
		for t.looks[i] == Prose && total > width && widths[i] > proseLeast {
			widths[i]--
			total--
		}
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

// row appends a row, with as many lines as its prose takes.
func (t *table) row(dst []byte, cells []string, widths []int, tones []Tone) []byte {
	for {
		more := make([]string, len(cells))
		now, again := slices.Clone(cells), false
		for i, w := range widths {
			if t.looks[i] == Prose && Width(cells[i]) > w {
				now[i], more[i] = firstLine(cells[i], w)
				again = again || more[i] != ""
			}
		}
		dst = t.line(dst, now, widths, tones)
		if !again {
			return dst
		}
		cells, tones = more, nil
	}
}

func (t *table) line(dst []byte, cells []string, widths []int, tones []Tone) []byte {
	last := 0 // behind it there is nothing in this line
	for i := range widths {
		if cells[i] != "" {
			last = i
		}
	}
	for i, w := range widths[:last+1] {
		cell := Cut(cells[i], w)
		pad := w - Width(cell)
		if i > 0 {
			dst = appendSpaces(dst, columnGap)
		}
		if t.right[i] {
			dst = appendSpaces(dst, pad)
		}
		if tones != nil && t.color && tones[i] != Neutral {
			dst = append(append(append(append(append(dst, "\x1b["...), toneColors[tones[i]]...), 'm'), cell...), "\x1b[0m"...)
		} else {
			dst = append(dst, cell...)
		}
		if !t.right[i] && i < last {
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

// firstLine takes as much from the beginning of a text as fits into width columns, in whole words unless one is wider.
func firstLine(s string, width int) (line, rest string) {
	if Width(s) <= width {
		return s, ""
	}
	n, space, end := 0, -1, len(s)
	for i, r := range s {
		if r == ' ' {
			space = i
		}
		if n += runeWidth(r); n > width {
			end = i
			break
		}
	}
	if space > 0 {
		return strings.TrimRight(s[:space], " "), strings.TrimLeft(s[space:], " ")
	}
	if end == 0 { // not even one character fits
		_, end = utf8.DecodeRuneInString(s)
	}
	return s[:end], s[end:]
}

// Wrap breaks text between words so that no line is wider than width columns; 0 or less is no limit.
func Wrap(text string, width int) (lines []string) {
	for width > 0 && Width(text) > width {
		line, rest := firstLine(text, width)
		lines, text = append(lines, line), rest
	}
	return append(lines, text)
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

// columns knows how wide a character is. What Unicode calls ambiguous is one column wide whatever the locale, as "…" is that
// stands for what was cut off.
var columns = runewidth.Condition{StrictEmojiNeutral: true}

func runeWidth(r rune) int {
	if r < utf8.RuneSelf { // a tab, too
		return 1
	}
	return columns.RuneWidth(r)
}
