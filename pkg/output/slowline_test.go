package output

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Lines for people, made the obvious way: as parts that are cut together.

// A slowSpan is text of one colour, "" none.
type slowSpan struct{ text, color string }

// slowLine appends an event as one line: local time, node, name, headers as Name=value.
func slowLine(dst []byte, ev *ami.Event, s lineStyle) []byte {
	spans := make([]slowSpan, 0, 32)
	if !ev.Received.IsZero() {
		spans = append(spans, slowSpan{ev.Received.Local().Format("15:04:05.000") + "  ", "2"})
	}
	if s.Node && ev.Node != "" {
		spans = append(spans, slowSpan{pad(Safe(ev.Node), 12) + "  ", nodeColor(ev.Node)})
	}
	if ev.Gap != nil {
		spans = append(spans, slowSpan{gapText(ev.Gap), "31"})
		return append(appendSlowSpans(dst, spans, s), '\n')
	}
	spans = append(spans, slowSpan{pad(Safe(ev.Name()), 20), "1"})
	named := len(spans)
	for name, value := range pairs(&ev.Message, s.Fields) {
		spans = append(spans, slowSpan{" " + Safe(name) + "=", "2"}, slowSpan{slowQuoted(value), ""})
	}
	if len(spans) == named { // nothing follows to be aligned
		spans[named-1].text = Safe(ev.Name())
	}
	return append(appendSlowSpans(dst, spans, s), '\n')
}

// appendSpans appends the spans, cut as one text would be.
func appendSlowSpans(dst []byte, spans []slowSpan, s lineStyle) []byte {
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

// slowQuoted returns a value as it can be told apart on a line: in quotes if it is empty or holds a space.
func slowQuoted(s string) string {
	if s == "" || strings.ContainsAny(s, " \"") {
		return `"` + strings.ReplaceAll(Safe(s), `"`, `\"`) + `"`
	}
	return Safe(s)
}

// Lines of every shape are those of the obvious way, for each width and style.
func TestLinesAsTheObviousWay(t *testing.T) {
	for _, s := range shapes.All() {
		for _, ev := range shapeEvents(t, s)[:2] {
			for width := range 200 {
				checkLine(t, &ev, lineStyle{Node: width%2 == 0, Width: width, Color: width%3 == 0})
			}
			checkLine(t, &ev, lineStyle{Width: 60, Fields: []string{"channel", "no such"}})
			checkLine(t, &ev, lineStyle{Width: 20, Fields: []string{"no such"}})
		}
	}
	checkLine(t, &ami.Event{Node: "pbx1", Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 3}}, lineStyle{Node: true, Width: 30, Color: true})
}

func checkLine(t *testing.T, ev *ami.Event, s lineStyle) {
	t.Helper()
	if got, want := string(appendEventLine([]byte("before"), ev, s)), "before"+string(slowLine(nil, ev, s)); got != want {
		t.Fatalf("%+v\ngot  %q\nwant %q", s, got, want)
	}
}

func FuzzLineAsTheObviousWay(f *testing.F) {
	f.Add("A", "X: 1\r\nY: 漢字 \"x\"\r\nbare\r\nPrivilege: a\r\nZ: \r\n", "pbx1", uint8(20), true)
	f.Add("\x1b[31m", "\x9b: \u202e\r\nB\xff: \x01 \r\n", "n\rode", uint8(0), false)
	f.Fuzz(func(t *testing.T, name, headers, node string, width uint8, color bool) {
		m, ok := decoded("Event: "+name+"\r\n"+headers+"\r\n\r\n", wire.Event)
		if !ok || !utf8.ValidString(headers) || strings.ContainsFunc(name+headers+node, func(r rune) bool { return runeWidth(r) == 0 }) {
			return // the obvious way loses a last part that has no width
		}
		checkLine(t, &ami.Event{Message: m, Node: node, Received: noon}, lineStyle{Node: true, Width: int(width), Color: color})
	})
}
