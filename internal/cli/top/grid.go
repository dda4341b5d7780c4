package top

import (
	"strings"

	"github.com/apntalk/amictl/pkg/output"
)

// A Style is how a cell looks; the terminal decides what that is there.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Dim
	Strong
	Bar    // the first line, and the tabs
	Cursor // the chosen row
	Good
	Warn
	Bad
)

// A Cell is one place of a grid. The place behind a wide character has no rune.
type Cell struct {
	Rune  rune
	Style Style
}

// A Grid is a screen: what stands where.
type Grid struct {
	Width, Height int
	cells         []Cell
	// CursorX and CursorY are where text is typed; CursorX is negative if none is.
	CursorX, CursorY int
}

func newGrid(width, height int) *Grid {
	g := &Grid{Width: max(width, 0), Height: max(height, 0), CursorX: -1}
	g.cells = make([]Cell, g.Width*g.Height)
	for i := range g.cells {
		g.cells[i].Rune = ' '
	}
	return g
}

// At returns a cell.
func (g *Grid) At(x, y int) Cell { return g.cells[y*g.Width+x] }

// text writes a line from a place on, cut at a width, which it returns the rest of.
func (g *Grid) text(x, y, width int, s string, style Style) (used int) {
	if y < 0 || y >= g.Height || x >= g.Width {
		return 0
	}
	width = min(width, g.Width-x)
	for _, r := range output.Cut(output.Safe(s), width) {
		w := output.Width(string(r))
		if w == 0 || used+w > width {
			continue
		}
		g.cells[y*g.Width+x+used] = Cell{r, style}
		for i := 1; i < w; i++ {
			g.cells[y*g.Width+x+used+i] = Cell{0, style}
		}
		used += w
	}
	return used
}

// fill gives a whole line a style.
func (g *Grid) fill(y int, style Style) {
	if y < 0 || y >= g.Height {
		return
	}
	for i := y * g.Width; i < (y+1)*g.Width; i++ {
		g.cells[i].Style = style
	}
}

// String is the grid as text, without styles and what is blank at the ends of lines.
func (g *Grid) String() string {
	var b strings.Builder
	for y := range g.Height {
		var line strings.Builder
		for x := range g.Width {
			if r := g.At(x, y).Rune; r != 0 {
				line.WriteRune(r)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
