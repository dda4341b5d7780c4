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

// A span is text of one colour, "" none.
type span struct{ text, color string }

// appendEventLine appends an event as one line: local time, node, name, headers as Name=value.
func appendEventLine(dst []byte, ev *ami.Event, s lineStyle) []byte {
	spans := make([]span, 0, 32)
	if !ev.Received.IsZero() {
		spans = append(spans, span{ev.Received.Local().Format("15:04:05.000") + "  ", "2"})
	}
	if s.Node && ev.Node != "" {
		spans = append(spans, span{pad(Safe(ev.Node), 12) + "  ", nodeColor(ev.Node)})
	}
	if ev.Gap != nil {
		spans = append(spans, span{gapText(ev.Gap), "31"})
		return append(appendSpans(dst, spans, s), '\n')
	}
	spans = append(spans, span{pad(Safe(ev.Name()), 20), "1"})
	named := len(spans)
	for name, value := range pairs(&ev.Message, s.Fields) {
		spans = append(spans, span{" " + Safe(name) + "=", "2"}, span{quoted(value), ""})
	}
	if len(spans) == named { // nothing follows to be aligned
		spans[named-1].text = Safe(ev.Name())
	}
	return append(appendSpans(dst, spans, s), '\n')
}

// appendSpans appends the spans, cut as one text would be.
func appendSpans(dst []byte, spans []span, s lineStyle) []byte {
	total := 0
	for _, p := range spans {
		total += Width(p.text)
	}
	room, cut := total, s.Width > 0 && total > s.Width
	if cut {
		room = s.Width
	}
	for _, p := range spans {
		w := Width(p.text)
		if cut && w >= room { // what is behind it does not fit either
			p.text, w = Cut(p.text+" ", room), room
		}
		if s.Color && p.color != "" && p.text != "" {
			dst = append(append(append(dst, "\x1b["...), p.color...), 'm')
			dst = append(append(dst, p.text...), "\x1b[0m"...)
		} else {
			dst = append(dst, p.text...)
		}
		if room -= w; room <= 0 {
			break
		}
	}
	return dst
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
