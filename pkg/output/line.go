package output

import (
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A lineStyle says how an event becomes one line of text for people.
type lineStyle struct {
	Node   bool     // name the node
	Width  int      // columns; longer lines are cut. 0: no limit
	Color  bool     // ANSI colours
	Fields []string // the headers to show; empty: all that hold something
}

// Of the eight colours those that can be read on light and on dark grounds: blue is lost on black and yellow on white, and
// red says that something is wrong. A node keeps its own.
var nodeColors = [...]string{"36", "35", "32"}

// AppendEventLine appends an event as one line: local time, node, name, headers as Name=value.
func appendEventLine(dst []byte, ev *ami.Event, s lineStyle) []byte {
	l := lineWriter{dst: dst, style: s}
	if !ev.Received.IsZero() {
		l.begin("2")
		l.dst = append(appendClock(l.dst, ev.Received), "  "...)
		l.end()
	}
	if s.Node && ev.Node != "" {
		l.begin(nodeColor(ev.Node))
		l.dst = appendSafe(l.dst, ev.Node)
		l.dst = appendSpaces(l.dst, max(12-Width(l.written()), 0)+2)
		l.end()
	}
	if ev.Gap != nil {
		l.begin("31")
		l.dst = append(l.dst, gapText(ev.Gap)...)
		l.end()
		return append(l.dst, '\n')
	}
	if ev.Kind() != wire.Event {
		l.begin("33")
		l.dst = append(l.dst, "(packet) "...)
		l.end()
		l.begin("")
		l.dst = appendQuoted(l.dst, strings.TrimSpace(ev.Text()))
		l.end()
		return append(l.dst, '\n')
	}
	l.begin("1")
	l.dst = appendSafe(l.dst, ev.Name())
	padding := max(20-Width(l.written()), 0) // unless nothing follows to be aligned
	for name, value := range pairs(&ev.Message, s.Fields) {
		if l.full {
			break
		}
		if padding >= 0 {
			l.dst = appendSpaces(l.dst, padding)
			l.end()
			padding = -1
		}
		l.begin("2")
		l.dst = append(appendSafe(append(l.dst, ' '), name), '=')
		l.end()
		l.begin("")
		l.dst = appendQuoted(l.dst, value)
		l.end()
	}
	if padding >= 0 {
		l.end()
	}
	return append(l.dst, '\n')
}

// A lineWriter writes parts of one colour each, and cuts the line where it is full.
type lineWriter struct {
	dst   []byte
	style lineStyle
	used  int  // columns
	full  bool // the line is cut: no part follows

	// The part being written, and once it is the last one.
	from  int // where it begins
	start int // where its text begins
	stop  int // where it ends
	room  int // columns that there were for it
	color string
}

// begin begins a part, in a colour or "" for none.
func (l *lineWriter) begin(color string) {
	if l.full {
		return
	}
	if l.style.Width > 0 && l.used == l.style.Width {
		l.cut() // the part before: something follows
		return
	}
	if l.color, l.from = color, len(l.dst); !l.style.Color {
		l.color = ""
	}
	if l.color != "" {
		l.dst = append(append(append(l.dst, "\x1b["...), l.color...), 'm')
	}
	l.start, l.stop, l.room = len(l.dst), -1, l.style.Width-l.used
}

// written returns the text of the part being written.
func (l *lineWriter) written() string { return view(l.dst[l.start:]) }

// end ends a part.
func (l *lineWriter) end() {
	switch {
	case l.full:
		l.dst = l.dst[:l.stop] // what did not fit
		return
	case len(l.dst) == l.start: // there is nothing to colour
		l.dst, l.stop, l.start, l.color = l.dst[:l.from], l.from, l.from, ""
		return
	case l.style.Width > 0:
		if l.used += Width(l.written()); l.used > l.style.Width {
			l.stop = len(l.dst)
			l.cut()
			return
		}
	}
	l.stop = len(l.dst)
	l.endColor()
}

// cut shortens the last part as one text would be of which more follows.
func (l *lineWriter) cut() {
	text := Cut(string(l.dst[l.start:l.stop])+" ", l.room)
	l.dst = append(l.dst[:l.start], text...)
	l.endColor()
	l.full, l.stop = true, len(l.dst)
}

func (l *lineWriter) endColor() {
	if l.color != "" {
		l.dst = append(l.dst, "\x1b[0m"...)
	}
}

// appendClock appends the local time of day with its milliseconds.
func appendClock(dst []byte, t time.Time) []byte {
	hour, minute, second := t.Local().Clock()
	dst = append(append2(dst, hour), ':')
	dst = append(append2(dst, minute), ':')
	dst = append(append2(dst, second), '.')
	ms := t.Nanosecond() / 1e6
	return append2(append(dst, byte('0'+ms/100)), ms%100)
}

// nodeColor takes the sum of the name's bytes, so that neighbours (pbx1, pbx2, pbx3) differ.
func nodeColor(node string) string {
	sum := 0
	for i := range len(node) {
		sum += int(node[i])
	}
	return nodeColors[sum%len(nodeColors)]
}

func gapText(g *ami.Gap) string {
	if g.Reason == ami.GapOverflow {
		return "-- gap: " + strconv.FormatUint(g.Dropped, 10) + " events dropped, this reader was too slow"
	}
	if g.Until.IsZero() {
		return "-- gap: the connection was lost; events until it is back are missing"
	}
	return "-- gap: events of " + Duration(g.Until.Sub(g.Since)) + " are missing, the connection was lost"
}

// appendQuoted appends a value as it can be told apart on a line: in quotes if it is empty or holds a space.
func appendQuoted(dst []byte, s string) []byte {
	switch {
	case s != "" && plainWord(s):
		return append(dst, s...)
	case s == "" || strings.ContainsAny(s, " \""):
		dst = append(dst, '"')
		for {
			before, after, found := strings.Cut(s, `"`)
			dst = appendSafe(dst, before)
			if !found {
				return append(dst, '"')
			}
			dst, s = append(dst, '\\', '"'), after
		}
	}
	return AppendSafe(dst, s)
}

func pad(s string, width int) string {
	if n := width - Width(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// Duration formats d for people, with at most three significant digits and a unit.
func Duration(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return d.String()
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// pairs yields the headers of an event that a line shows: those named, else all that are not empty, without Event,
// Privilege and ActionID.
func pairs(m *wire.Message, only []string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for i := range m.Len() {
			name, value := m.Line(i)
			if len(only) > 0 && !contains(only, name) {
				continue
			}
			if len(only) == 0 && (i == 0 && m.Kind() == wire.Event || value == "" || wire.EqualFold(name, "Privilege") || wire.EqualFold(name, "ActionID")) {
				continue
			}
			if !yield(name, value) {
				return
			}
		}
	}
}
