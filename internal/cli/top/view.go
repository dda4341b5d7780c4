package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/output"
)

// View draws the screen.
func (m *Model) View() *Grid {
	g := newGrid(m.width, m.height)
	if g.Width < 20 || g.Height < 6 {
		g.text(0, 0, g.Width, "too small", Plain)
		return g
	}
	m.bar(g)
	m.tabs(g)
	switch {
	case m.help:
		m.helpPage(g)
	case m.page == pageCall:
		m.storyPage(g)
	default:
		m.panels(g)
	}
	m.foot(g)
	return g
}

// bar is the first line: how much there is of everything.
func (m *Model) bar(g *Grid) {
	g.fill(0, Bar)
	nodes := plural(m.names, "node")
	if m.single() {
		for _, r := range m.nodes.rows {
			nodes = r.node
		}
	}
	words := []string{"amictl top " + m.now.Format(time.TimeOnly), nodes}
	if n := m.unready(); n > 0 {
		words = append(words, fmt.Sprintf("%d NOT READY", n))
	}
	words = append(words,
		plural(len(m.calls.rows), "call")+fmt.Sprintf(", %d talking", m.talking), fmt.Sprintf("%d waiting", m.waiting()),
		fmt.Sprintf("%d down", len(m.down.rows)), fmt.Sprintf("%.0f ev/s", m.rate()))
	if m.frozen {
		words[0] = "FROZEN (space resumes)"
	}
	g.text(0, 0, g.Width, strings.Join(words, "  "), Bar)
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// tabs are the pages.
func (m *Model) tabs(g *Grid) {
	at := m.page
	if at >= pageQueue {
		at = m.before
	}
	x := 0
	for p, name := range []string{"all", "calls", "queues", "down", "conferences", "nodes"} {
		style := Dim
		if page(p) == at {
			style = Strong
		}
		x += g.text(x, 1, g.Width-x, fmt.Sprintf("%d %s  ", p, name), style)
	}
	if m.node != "" {
		g.text(x, 1, g.Width-x, "on "+m.node, Warn)
	}
}

// panels shares the screen among the tables of the page: small ones get what they need, and the calls the rest.
func (m *Model) panels(g *Grid) {
	all := m.shown()
	y, room := 2, g.Height-3
	if m.page >= pageQueue {
		g.text(0, y, g.Width, m.title, Strong)
		y, room = y+1, room-1
	}
	for i, height := range m.heights(all, room) {
		if height >= 2 {
			all[i].draw(m, g, y, height, i == min(m.focus, len(all)-1))
		}
		y += height
	}
}

// heights are those of the tables, their two head lines among them: in turns each gets another line that it has use for, and
// the largest has the rest, five rows at least.
func (m *Model) heights(all []*table, room int) []int {
	heights := make([]int, len(all))
	needs := make([]int, len(all))
	large := 0
	for i, t := range all {
		t.sort(m)
		if needs[i], heights[i] = 2+max(len(t.list), 1), 3; t == m.calls || t == m.members || len(all) == 1 {
			large = i
		}
		room -= heights[i]
	}
	for rest, given := room-4, true; given && rest > 0; {
		given = false
		for i := range all {
			if i != large && heights[i] < needs[i] && rest > 0 {
				heights[i]++
				rest--
				room--
				given = true
			}
		}
	}
	heights[large] = max(heights[large]+room, 0)
	return heights
}

// storyPage is one call's events, the last of them below.
func (m *Model) storyPage(g *Grid) {
	title := m.title
	if m.story.over {
		title += "  (ended)"
	}
	g.text(0, 2, g.Width, title, Strong)
	room := g.Height - 4
	last := len(m.story.lines) - m.story.up
	for i, line := range m.story.lines[max(0, last-room):max(0, last)] {
		g.text(0, 3+i, g.Width, line, Plain)
	}
	if len(m.story.lines) == 0 {
		g.text(2, 3, g.Width, "nothing has happened since you opened it", Dim)
	}
}

// foot is the last line: what is typed or asked, how something ended, or what the keys are.
func (m *Model) foot(g *Grid) {
	y := g.Height - 1
	switch {
	case m.prompt != nil:
		text := m.prompt.label + string(m.prompt.text)
		if m.message != "" {
			g.text(0, y-1, g.Width, strings.Repeat(" ", g.Width), Plain)
			g.text(0, y-1, g.Width, m.message, Bad)
		}
		for over := output.Width(text) - (g.Width - 1); over > 0 && text != ""; over = output.Width(text) - (g.Width - 1) {
			text = string([]rune(text)[1:])
		}
		g.CursorX, g.CursorY = g.text(0, y, g.Width, text, Strong), y
	case m.ask != nil:
		g.text(0, y, g.Width, m.ask.text, Warn)
	case m.message != "":
		style := Good
		if m.failed {
			style = Bad
		}
		g.text(0, y, g.Width, m.message, style)
	case m.page == pageCall:
		g.text(0, y, g.Width, "↑↓ scroll  Esc back  x hang up  ? help  q quit", Dim)
	case m.page == pageQueue:
		g.text(0, y, g.Width, "↑↓ Tab callers  p pause  x hang up a caller  Esc back  ? help  q quit", Dim)
	case m.page == pageConference:
		g.text(0, y, g.Width, "↑↓ choose  K kick  x hang up  Esc back  ? help  q quit", Dim)
	default:
		g.text(0, y, g.Width, "↑↓ Enter open  Tab next  s sort  / filter  n node  x hang up  ? help  q quit", Dim)
	}
}

// helpText is what ? shows.
var helpText = strings.Split(`↑ ↓ PgUp PgDn Home End   choose (so do j k g G)
Enter                    a call's events, a queue's members, a conference's parties; on a node: that node alone
Esc                      back; clears the filter, and the choice of a node
0 1 2 3 4 5              all, calls, queues, what is down, conferences, nodes
Tab                      the next table of the page
s S                      sort by the next column; the other way round
/                        filter: a condition (state=talking && caller.number=20) or a text
n                        choose nodes by name; * and ? are wildcards
x                        hang up: a call, a caller in a queue, somebody in a conference
p                        pause or unpause a member of a queue
K                        kick out of a conference
space                    freeze the screen, or resume
Ctrl-L                   draw anew
q Ctrl-C                 quit

Changes ask first, and are refused in a protected context unless top was started with --yes.
Dim rows belong to a node whose connection is lost: they show what it held then.`, "\n")

func (m *Model) helpPage(g *Grid) {
	y := 3
	for _, line := range helpText {
		for _, part := range output.Wrap(line, g.Width-2) {
			g.text(1, y, g.Width-1, part, Plain)
			y++
		}
	}
}
