package output

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// replyText prints an answer for people: a headline, its headers as a block, its items as tables. With --fields it is tables
// alone. The answers of several nodes to one action are tables too, which Close prints.
func (p *Printer) replyText(r *ami.Reply, origin *Origin) {
	switch lines := wire.EqualFold(origin.Action, "Command"); {
	case p.o.Gather && !lines:
		p.gather(&p.sheets, r, origin)
		return
	case len(p.o.Fields) > 0 && !lines:
		var of sheets
		p.gather(&of, r, origin)
		p.tables(&of)
		return
	}
	if p.spaced {
		p.buf = append(p.buf, '\n')
	}
	p.spaced, p.begun = false, true
	p.buf = append(p.buf, p.headline(r, origin)...)
	p.buf = append(p.buf, '\n')
	p.block(r)
	if wire.EqualFold(origin.Action, "Command") {
		for line := range r.Output() {
			_ = p.Text("", line)
		}
	}
	var items sheets
	for i := range r.Events {
		items.item(p, &r.Events[i])
	}
	p.tables(&items)
}

// block prints the headers of an answer, a line each, and of the event that told how an Originate ended.
func (p *Printer) block(r *ami.Reply) {
	s := sheet{at: make(map[string]int)}
	s.begin()
	s.headers(r.Name(), &r.Message, true, liftCommand)
	if !isList(r) && r.End.Len() > 0 {
		s.headers(r.End.Name(), &r.End, true, liftCommand)
	}
	widest := 0
	for i, c := range s.rows[0] {
		if c.text != "" {
			widest = max(widest, Width(s.columns[i].head))
		}
	}
	for i, c := range s.rows[0] {
		if c.text == "" {
			continue
		}
		line := pad(s.columns[i].head, widest) + "  " + Safe(c.text)
		if p.o.Width > 0 {
			line = Cut(line, p.o.Width)
		}
		p.buf = append(append(p.buf, line...), '\n')
	}
}

func (p *Printer) headline(r *ami.Reply, origin *Origin) string {
	s := r.Name()
	color := "32"
	if !r.Success() {
		color = "31"
	}
	s = Safe(s)
	if p.o.Color {
		s = "\x1b[" + color + "m" + s + "\x1b[0m"
	}
	s += "  " + Safe(origin.Action)
	if p.o.Nodes && r.Node != "" {
		s += "  " + Safe(r.Node)
	}
	if r.RTT > 0 {
		s += "  " + Duration(r.RTT)
	}
	if isList(r) {
		s += "  " + strconv.Itoa(len(r.Events)) + " item"
		if len(r.Events) != 1 {
			s += "s"
		}
	}
	if outcome := r.Outcome(); outcome != ami.OutcomeUnknown {
		s += "  " + outcome.String()
	}
	if m := r.Get("Message"); m != "" {
		s += "  " + Safe(m)
	}
	return s
}

// gather adds an answer to sheets: its items, or if it has none a row of its own.
func (p *Printer) gather(to *sheets, r *ami.Reply, origin *Origin) {
	for i := range r.Events {
		to.item(p, &r.Events[i])
	}
	if len(r.Events) > 0 {
		return
	}
	s := to.of("", "", "event")
	if len(p.o.Fields) > 0 {
		if !isList(r) {
			s.chosen(p.o.Fields, r.End.Name(), &r.End, func(name string) string { return replyColumn(name, r, origin) })
		}
		return
	}
	people := p.o.Format == TableText
	s.begin()
	if p.o.Nodes {
		s.set("node", cell{text: r.Node}).look = Identity
	}
	tone := Good
	if !r.Success() {
		tone = Bad
	}
	s.set("response", cell{text: r.Name(), tone: tone})
	if outcome := r.Outcome(); outcome != ami.OutcomeUnknown {
		if tone = Good; outcome != ami.OutcomeAnswered {
			tone = Bad
		}
		s.set("outcome", cell{text: outcome.String(), tone: tone})
	}
	if people && isList(r) {
		s.set("items", cell{text: "0"})
	}
	if m := r.Get("Message"); m != "" {
		if c := s.set("message", cell{text: m}); !r.Success() && r.Outcome() == ami.OutcomeUnknown {
			c.look = Prose
		} else if c.look == Usual {
			c.look = Minor
		}
	}
	s.headers(r.Name(), &r.Message, people, liftCommand)
	if !isList(r) {
		s.expect(r.End.Name(), false)
		s.headers(r.End.Name(), &r.End, people, liftCommand)
	}
	if people && r.RTT > 0 {
		c := s.set("took", cell{text: Duration(r.RTT)})
		c.look, c.right = Minor, true
	}
}

// item adds an element of a list to the sheet of its kind.
func (s *sheets) item(p *Printer, ev *ami.Event) {
	kind := strings.ToLower(ev.Name())
	of := s.by["\x00"+kind]
	if of == nil {
		of = s.of("", kind, "event")
		of.kind = ev.Name()
	}
	if len(p.o.Fields) > 0 {
		of.chosen(p.o.Fields, ev.Name(), &ev.Message, func(name string) string { return eventColumn(name, ev, "item") })
		return
	}
	of.item(ev, p.o.Gather || p.o.Nodes && p.o.Format == CSV, p.o.Format == TableText)
}

// tables prints sheets as tables, under what they are if they are several.
func (p *Printer) tables(of *sheets) {
	for _, s := range of.all {
		title := s.title
		if title == "" && len(of.all) > 1 && s.kindKey == "event" {
			title = s.kind
		}
		p.sheet(s, title)
	}
}

// sheet prints a table. The columns that --fields names stay, unless none of them holds anything.
func (p *Printer) sheet(s *sheet, title string) {
	t := s.table()
	t.color = p.o.Color
	switch {
	case len(p.o.Fields) == 0:
		t.dropEmpty()
		t.identitiesFirst()
	case !p.fills(s):
		return
	}
	if len(t.columns) == 0 {
		return
	}
	if p.begun {
		p.buf = append(p.buf, '\n')
	}
	if title != "" {
		p.buf = append(append(p.buf, Safe(title)...), '\n')
	}
	var left []string
	p.buf, left = t.Append(p.buf, p.o.tableWidth())
	for _, name := range left {
		if !slices.Contains(p.left, name) {
			p.left = append(p.left, name)
		}
	}
	p.spaced, p.begun = true, true
}

// fills notes which of the columns that --fields names hold something, and reports whether any does.
func (p *Printer) fills(s *sheet) (some bool) {
	if p.filled == nil {
		p.filled = make([]bool, len(p.o.Fields))
	}
	p.rows += len(s.rows)
	for i, name := range p.o.Fields {
		at, known := s.at[name]
		if known && slices.ContainsFunc(s.rows, func(row []cell) bool { return at < len(row) && row[at].text != "" }) {
			p.filled[i], some = true, true
		}
	}
	return some
}
