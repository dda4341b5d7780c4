package report

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// spare are the columns that a narrow terminal can do without, the first to go first.
var spare = []string{"SERVICE P50", "SERVICE P99", "P99.9", "REPLIES", "CONDITION", "TIMEOUTS", "OTHER", "ERRORS", "P50", "CAP"}

// sentenceIndent is where the text of a sentence begins.
const sentenceIndent = 10

// fit leaves columns out until the table is no wider than columns (0: no limit): those of nothing but zeros, whose absence
// says the same, and then the spare ones, which it adds to gone.
func (g *grid) fit(columns int, gone map[string]bool) {
	if columns <= 0 {
		return
	}
	for i := len(g.head) - 1; i > 0 && g.width() > columns; i-- {
		if !slices.ContainsFunc(g.rows, func(row []string) bool { return row[i] != "0" && row[i] != "" }) {
			gone[g.head[i]] = true
			g.drop(i)
		}
	}
	for _, name := range spare {
		if i := slices.Index(g.head, name); i >= 0 && g.width() > columns {
			gone[name] = true
			g.drop(i)
		}
	}
}

func (g *grid) drop(i int) {
	g.head = slices.Delete(slices.Clone(g.head), i, i+1)
	for n := range g.rows {
		g.rows[n] = slices.Delete(g.rows[n], i, i+1)
	}
}

// width is how many columns of a terminal the table takes.
func (g *grid) width() int {
	const gap = 2
	total := -gap
	for i, name := range g.head {
		w := utf8.RuneCountInString(name)
		for _, row := range g.rows {
			w = max(w, utf8.RuneCountInString(row[i]))
		}
		total += w + gap
	}
	return total
}

// writeWrapped writes a line, broken between words at a width (0: not at all), what follows indented.
func writeWrapped(b *strings.Builder, line string, indent, columns int) {
	used := 0
	for i, word := range strings.Split(line, " ") { // several spaces in a row stay
		w := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case columns > 0 && used+1+w > columns && used > indent:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			used = indent
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += w
	}
	b.WriteByte('\n')
}
