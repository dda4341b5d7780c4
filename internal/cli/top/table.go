package top

import (
	"cmp"
	"slices"
	"time"

	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// An id tells one thing from all others.
type id struct {
	node string
	kind state.Kind
	key  string
}

func idOf(node string, o state.Object) id { return id{node, o.Kind(), o.Key()} }

// A row is a thing in a table.
type row struct {
	id
	obj   state.Object
	shown bool // it meets the filter
}

// A column says what of a thing is seen, and how things are sorted by it.
type column struct {
	title   string
	width   int // of the terminal's columns; 0: it shares what is left
	right   bool
	several bool // only of interest where there are several nodes
	text    func(m *Model, r *row) (string, Style)
	cmp     func(m *Model, a, b *row) int
}

// A table is a list of things of a kind.
type table struct {
	name    string
	columns []column
	by      int  // the column that it is sorted by
	reverse bool // the largest first

	rows   map[id]*row
	list   []*row // those that are shown, sorted
	sorted bool   // it still is
	only   func(*row) bool
	whole  int // of the rows that the page is about, by only

	where  *ami.Where
	filter string // what was typed
	at     id     // where the cursor is
	top    int    // the first row that is seen
}

func (t *table) put(m *Model, node string, o state.Object) {
	if t.rows == nil {
		t.rows = make(map[id]*row)
	}
	key := idOf(node, o)
	r := t.rows[key]
	if r == nil {
		r = &row{id: key}
		t.rows[key] = r
	}
	r.obj = o
	r.shown = t.meets(m, r)
	t.sorted = false
}

func (t *table) drop(node string, o state.Object) {
	key := idOf(node, o)
	if _, there := t.rows[key]; there {
		delete(t.rows, key)
		t.sorted = false
	}
}

// meets reports whether a thing is to be seen.
func (t *table) meets(m *Model, r *row) bool {
	switch {
	case m.node != "" && !ami.MatchGlob(m.node, r.node), t.only != nil && !t.only(r):
		return false
	case t.where == nil:
		return true
	}
	return held.Meets(t.where, r.node, r.obj, m.now)
}

// sift looks at all rows anew, for another filter or node.
func (t *table) sift(m *Model) {
	for _, r := range t.rows {
		r.shown = t.meets(m, r)
	}
	t.sorted = false
}

// sort makes the list. Things that are equal by the column are in the order of their names, so that none jumps about.
func (t *table) sort(m *Model) {
	if t.sorted {
		return
	}
	t.list, t.whole = t.list[:0], 0
	for _, r := range t.rows {
		if t.only == nil || t.only(r) {
			t.whole++
		}
		if r.shown {
			t.list = append(t.list, r)
		}
	}
	by := t.columns[t.by].cmp
	slices.SortFunc(t.list, func(a, b *row) int {
		n := by(m, a, b)
		if t.reverse {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.node, b.node), cmp.Compare(a.key, b.key))
	})
	t.sorted = true
}

// index is where the cursor is; the first row if what it was on is gone.
func (t *table) index() int {
	return max(0, slices.IndexFunc(t.list, func(r *row) bool { return r.id == t.at }))
}

// current is the row that the cursor is on, nil if there is none.
func (t *table) current(m *Model) *row {
	t.sort(m)
	if len(t.list) == 0 {
		return nil
	}
	return t.list[t.index()]
}

// move moves the cursor by so many rows.
func (t *table) move(m *Model, by int) {
	t.sort(m)
	if n := len(t.list); n > 0 {
		t.at = t.list[min(max(t.index()+by, 0), n-1)].id
	}
}

// widths shares a width among the columns; those that do not fit get none.
func (t *table) widths(m *Model, width int) []int {
	const least = 22 // of a column that shares what is left
	all := make([]int, len(t.columns))
	fixed, open := 0, 0
	for i := range t.columns {
		if t.columns[i].width == 0 {
			open++
		}
	}
	for i := range t.columns {
		c := &t.columns[i]
		if c.width > 0 && (!c.several || !m.single()) && fixed+c.width+1 <= width-least*open {
			all[i] = c.width
			fixed += c.width + 1
		}
	}
	for i := range t.columns {
		if t.columns[i].width == 0 {
			all[i] = max(1, (width-fixed)/open-1)
		}
	}
	return all
}

// draw draws the table's name, its columns and as many rows as there is room for.
func (t *table) draw(m *Model, g *Grid, y, height int, focused bool) {
	t.sort(m)
	t.rule(g, y, focused)
	widths := t.widths(m, g.Width)
	x := 0
	for i := range t.columns {
		if w := widths[i]; w > 0 {
			title := t.columns[i].title
			if t.columns[i].right {
				title = pad(title, w)
			}
			g.text(x, y+1, w, title, Dim)
			x += w + 1
		}
	}
	room := max(0, height-2)
	at := t.index()
	t.top = min(max(t.top, at-room+1), at, max(0, len(t.list)-room))
	t.top = max(t.top, 0)
	for i, r := range t.list[t.top:min(len(t.list), t.top+room)] {
		t.line(m, g, y+2+i, r, widths, focused && t.top+i == at)
	}
	if len(t.list) == 0 && room > 0 {
		g.text(2, y+2, g.Width, t.none(), Dim)
	}
}

// none says why nothing is seen.
func (t *table) none() string {
	switch {
	case t.filter != "":
		return "nothing meets the filter; / changes it"
	case t.whole > 0:
		return "nothing on this node; n chooses another"
	}
	return "none"
}

// rule is the line with the table's name, and what of it is seen.
func (t *table) rule(g *Grid, y int, focused bool) {
	style := Dim
	if focused {
		style = Strong
	}
	for x := range g.Width {
		g.text(x, y, 1, "─", Dim)
	}
	text := " " + t.name + " " + itoa(len(t.list))
	if len(t.list) != t.whole {
		text += " of " + itoa(t.whole)
	}
	order := "↑"
	if t.reverse {
		order = "↓"
	}
	text += " by " + t.columns[t.by].title + order
	if t.filter != "" {
		text += " /" + t.filter
	}
	g.text(1, y, g.Width-2, text+" ", style)
}

// line draws a row.
func (t *table) line(m *Model, g *Grid, y int, r *row, widths []int, chosen bool) {
	if chosen {
		g.fill(y, Cursor)
	}
	x := 0
	for i := range t.columns {
		w := widths[i]
		if w == 0 {
			continue
		}
		text, style := t.columns[i].text(m, r)
		if t.columns[i].right {
			text = pad(text, w)
		}
		if chosen {
			style = Cursor
		} else if style == Plain && m.stale[r.node] {
			style = Dim
		}
		g.text(x, y, w, text, style)
		x += w + 1
	}
}

// byTime compares times, those that are unknown last.
func byTime(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}
