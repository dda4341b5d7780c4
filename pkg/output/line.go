package output

import (
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A liner writes each event as one line for people: local time, node, name, what happened, and other headers as far as there
// is room. It remembers how wide nodes and names are. It is not safe for concurrent use.
type liner struct {
	o     *Options
	plans map[string]*plan
	room  int // for roles of theirs
	node  int // the widest seen, in columns
	event int

	values []string // of a plan's slots
	rest   []shown  // what may follow the headline
	last   []shown  // and what follows that in a wide line
	parts  []part
}

// A shown header stands behind the headline.
type shown struct {
	role  *role
	value string
}

// mostNameWidth is how wide the columns of nodes and events become, or a fifth of the line if that is less; longer names push
// the rest to the right.
const mostNameWidth = 24

func newLiner(o *Options) *liner {
	return &liner{o: o, plans: make(map[string]*plan), room: mostAllRoles}
}

// append appends an event or a gap.
func (l *liner) append(dst []byte, ev *ami.Event) []byte {
	w := lineWriter{dst: dst, from: len(dst), width: l.o.Width, color: l.o.Color}
	if l.o.Wide {
		w.width = 0
	}
	if !ev.Received.IsZero() {
		var b [len("00:00:00.000")]byte
		clock := appendClock(b[:0], ev.Received)
		if w.width > 0 && w.width < roomy {
			clock = clock[:len("00:00:00")]
		}
		w.text("2", view(clock))
		w.gap(columnGap)
	}
	if l.o.Nodes && ev.Node != "" {
		node := Safe(ev.Node)
		if w.width > 0 {
			node = CutMiddle(node, max(narrowest, w.width/4))
		}
		w.text(nodeColor(ev.Node), node)
		w.gap(columnGap + w.grow(&l.node, Width(node)))
	}
	switch {
	case ev.Gap != nil:
		w.text("31", gapText(ev.Gap))
	case ev.Kind() != wire.Event:
		w.text("33", "(packet)")
		w.gap(1)
		w.text("", string(appendQuoted(nil, strings.TrimSpace(ev.Text()))))
	default:
		l.happened(&w, ev)
	}
	return w.line()
}

// roomy is the width from which on the clock has milliseconds.
const roomy = 100

// grow keeps the widest of a column, and returns by how much this one is narrower.
func (w *lineWriter) grow(widest *int, width int) int {
	most := mostNameWidth
	if w.width > 0 {
		most = min(most, max(narrowest, w.width/5))
	}
	*widest = min(max(*widest, width), most)
	return max(*widest-width, 0)
}

// happened writes the name of an event and what it says.
func (l *liner) happened(w *lineWriter, ev *ami.Event) {
	name := ev.Name()
	p := l.plans[name]
	if p == nil {
		if len(l.plans) < mostPlans && len(name) <= mostName {
			p = newPlan(name, &l.room)
			l.plans[strings.Clone(name)] = p
		} else {
			p = newPlan(name, new(int))
		}
	}
	l.read(p, name, &ev.Message)
	l.make(p, ev)
	name = Safe(name)
	w.text(l.nameColor(p), name)
	if pad := w.grow(&l.event, Width(name)); len(l.parts)+len(l.rest) > 0 {
		w.gap(pad + columnGap)
	}
	indent := w.used
	cut := w.fit(l.parts)
	for i := range cut {
		w.gap(cut[i].gap)
		w.text(cut[i].color, cut[i].text)
	}
	if w.left = w.left || len(cut) < len(l.parts); !w.left {
		l.behind(w, indent)
	}
}

// nameColor is bold, and that of the worst that happened.
func (l *liner) nameColor(p *plan) string {
	worst := p.tone
	for i := range l.parts {
		worst = max(worst, l.parts[i].tone)
	}
	return [...]string{Neutral: "1", Good: "1", Doubtful: "1;35", Bad: "1;31"}[worst]
}

// read sorts the headers of an event into those that its headline takes and those that may follow.
func (l *liner) read(p *plan, event string, m *wire.Message) {
	for len(l.values) < len(p.slots) {
		l.values = append(l.values, "")
	}
	clear(l.values)
	l.rest, l.last = l.rest[:0], l.last[:0]
	packet := inside.Of(m)
	for i := range m.Len() {
		name, value, _ := packet.Parts(i)
		if value == "" || value == unknown || value == event && wire.EqualFold(name, "Event") {
			continue
		}
		r := p.role(event, i, name)
		if r.slot >= 0 && l.values[r.slot] == "" {
			l.values[r.slot] = value
		}
		switch r.show {
		case asRest:
			l.rest = append(l.rest, shown{r, value})
		case asWorthLittle:
			l.last = append(l.last, shown{r, value})
		}
	}
}

// make makes the parts of the headline.
func (l *liner) make(p *plan, ev *ami.Event) {
	l.parts = l.parts[:0]
	call := ""
	if l.o.Color && l.values[slotLinkedid] != "" {
		call = callColor(l.values[slotLinkedid], l.o.Palette)
	}
	for _, word := range p.head {
		begin, holds := len(l.parts), false
		for i := range word {
			w := &word[i]
			before := len(l.parts)
			switch {
			case w.lifetime:
				if lived := lifetime(l.values[slotUniqueid], l.values[slotTimestamp], ev.Received); lived != "" {
					l.parts = append(l.parts, part{text: lived, least: len(lived)})
				}
			case w.slot >= 0 && l.values[w.slot] != "":
				l.value(w, call)
			case w.slot < 0:
				text := w.text
				if before == begin { // what stands before it is not there
					text = strings.TrimLeft(text, " ")
				}
				l.parts = append(l.parts, part{text: text, literal: true, least: len(text)})
				continue
			}
			holds = holds || len(l.parts) > before
		}
		if !holds {
			l.parts = l.parts[:begin]
			continue
		}
		if begin > 0 {
			l.parts[begin].gap = columnGap
		}
		if last := len(l.parts) - 1; l.parts[last].text == " " {
			l.parts = l.parts[:last]
		}
	}
}

// value adds the value in a slot, with its meaning beside it.
func (l *liner) value(w *planPart, call string) {
	value := Safe(l.values[w.slot])
	made := part{text: value, identity: w.identity, least: w.least}
	if w.identity {
		made.color = call
	}
	if w.coding == nil {
		l.parts = append(l.parts, made)
		return
	}
	known := w.coding[l.values[w.slot]]
	words := known.Words
	if w.meaning >= 0 && l.values[w.meaning] != "" {
		words = Safe(l.values[w.meaning])
	}
	made.tone = Tone(known.Outcome)
	if made.tone != Neutral && l.o.Color {
		made.color = toneColors[made.tone]
	}
	l.parts = append(l.parts, made)
	if words != "" {
		made.text, made.gap = words, 1
		l.parts = append(l.parts, made)
	}
}

// behind writes the headers that the headline leaves: as many as fit in whole, or in a wide line all of them, in as many
// lines as they take.
func (l *liner) behind(w *lineWriter, indent int) {
	if l.o.Wide {
		l.rest = append(l.rest, l.last...)
	}
	gap := columnGap
	if len(l.parts) == 0 {
		gap = 0
	}
	for i := range l.rest {
		from, used := len(w.dst), w.used
		l.field(w, gap, &l.rest[i])
		switch {
		case l.o.Wide && l.o.Width > 0 && w.used > l.o.Width && used > indent:
			w.dst, w.used = append(w.dst[:from], '\n'), 0
			l.field(w, min(indent, l.o.Width/2), &l.rest[i])
		case w.width > 0 && (w.used > w.width || w.used+columnGap > w.width && i+1 < len(l.rest)):
			w.dst, w.used, w.left = w.dst[:from], used, true
			if i == 0 && len(l.parts) == 0 { // there is nothing else to see
				w.text("", string(appendQuoted(append([]byte(Safe(l.rest[0].role.name)), '='), l.rest[0].value)))
			}
			return
		}
		gap = 1
	}
}

// field writes a header as Name=value, however much room there is.
func (l *liner) field(w *lineWriter, gap int, s *shown) {
	w.dst = appendSpaces(w.dst, gap)
	w.begin("2")
	from := len(w.dst)
	w.dst = append(appendSafe(w.dst, s.role.name), '=')
	w.end("2", gap+Width(view(w.dst[from:])))
	color := ""
	known := s.role.coding[s.value]
	if tone := Tone(known.Outcome); tone != Neutral {
		color = toneColors[tone]
	}
	w.begin(color)
	from = len(w.dst)
	w.dst = appendQuoted(w.dst, s.value)
	if known.Words != "" {
		w.dst = append(append(w.dst, ' '), known.Words...)
	}
	w.end(color, Width(view(w.dst[from:])))
}

// lifetime is how long a channel has been there that Asterisk gave its Uniqueid (SYSTEMNAME-EPOCH.NUMBER), by the time of the
// event on the server's clock, or when it was received; "" if that cannot be told.
func lifetime(uniqueid, timestamp string, received time.Time) string {
	id := uniqueid[strings.LastIndexByte(uniqueid, '-')+1:]
	seconds, _, ok := strings.Cut(id, ".")
	born, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil {
		return ""
	}
	now := received.Unix()
	if seconds, _, _ := strings.Cut(timestamp, "."); timestamp != "" {
		if n, err := strconv.ParseInt(seconds, 10, 64); err == nil {
			now = n
		}
	} else if received.IsZero() {
		return ""
	}
	lived := now - born
	if lived < 0 || lived > longestLife {
		return ""
	}
	var b [len("000:00:00")]byte
	text := append2(b[:0], int(lived/3600%100))
	if hours := lived / 3600; hours >= 100 {
		text = strconv.AppendInt(b[:0], hours, 10)
	}
	text = append2(append(text, ':'), int(lived/60%60))
	return string(append2(append(text, ':'), int(lived%60)))
}

// longestLife is, in seconds, what is no longer taken for a channel's life: an id may be anything.
const longestLife = 30 * 24 * 3600

// appendClock appends the local time of day with its milliseconds.
func appendClock(dst []byte, t time.Time) []byte {
	hour, minute, second := t.Local().Clock()
	dst = append(append2(dst, hour), ':')
	dst = append(append2(dst, minute), ':')
	dst = append(append2(dst, second), '.')
	ms := t.Nanosecond() / 1e6
	return append2(append(dst, byte('0'+ms/100)), ms%100)
}

func gapText(g *ami.Gap) string {
	if g.Reason == ami.GapOverflow {
		events := " events"
		if g.Dropped == 1 {
			events = " event"
		}
		return "-- gap: " + strconv.FormatUint(g.Dropped, 10) + events + " dropped, this reader was too slow"
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
