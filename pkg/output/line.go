package output

import (
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A LineStyle says how an event becomes one line of text for people.
type LineStyle struct {
	Node   bool     // name the node
	Width  int      // columns; longer lines are cut. 0: no limit
	Color  bool     // ANSI colours
	Fields []string // the headers to show; empty: all that hold something
}

// Colours of the sixteen that are readable on light and on dark grounds; a node keeps its own.
var nodeColors = [...]string{"36", "35", "34", "33", "32", "31"}

// AppendEventLine appends an event as one line: local time, node, name, headers as Name=value.
func AppendEventLine(dst []byte, ev *ami.Event, s LineStyle) []byte {
	plain := make([]byte, 0, 256)
	used := 0
	put := func(text, color string) {
		if s.Width > 0 {
			text = Cut(text, max(s.Width-used, 0))
		}
		used += Width(text)
		if s.Color && color != "" {
			plain = append(append(append(plain, "\x1b["...), color...), 'm')
			plain = append(append(plain, text...), "\x1b[0m"...)
			return
		}
		plain = append(plain, text...)
	}
	if !ev.Received.IsZero() {
		put(ev.Received.Local().Format("15:04:05.000")+"  ", "2")
	}
	if s.Node && ev.Node != "" {
		put(pad(Safe(ev.Node), 12)+"  ", nodeColor(ev.Node))
	}
	if ev.Gap != nil {
		put(gapText(ev.Gap), "31")
		return append(append(dst, plain...), '\n')
	}
	put(pad(Safe(ev.Name()), 20), "1")
	for name, value := range pairs(&ev.Message, s.Fields) {
		if s.Width > 0 && used >= s.Width {
			break
		}
		put(" "+Safe(name)+"=", "2")
		put(quoted(value), "")
	}
	return append(append(dst, plain...), '\n')
}

func nodeColor(node string) string {
	h := uint32(2166136261)
	for i := range len(node) {
		h = (h ^ uint32(node[i])) * 16777619
	}
	return nodeColors[h%uint32(len(nodeColors))]
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

// quoted returns a value as it can be told apart on a line: in quotes if it is empty or holds a space.
func quoted(s string) string {
	if s == "" || strings.ContainsAny(s, " \"") {
		return `"` + strings.ReplaceAll(Safe(s), `"`, `\"`) + `"`
	}
	return Safe(s)
}

func pad(s string, width int) string {
	if n := width - Width(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// Duration formats d for people, with three digits or fewer that matter and a unit.
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

// pairs yields the headers of an event that a line shows: those named, else all that are not empty, without Event
// and Privilege.
func pairs(m *wire.Message, only []string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for i := range m.Len() {
			name, value := m.Line(i)
			if len(only) > 0 && !contains(only, name) {
				continue
			}
			if len(only) == 0 && (i == 0 && m.Kind() == wire.Event || value == "" || wire.EqualFold(name, "Privilege")) {
				continue
			}
			if !yield(name, value) {
				return
			}
		}
	}
}
