package output

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// replyText prints an answer for people: a headline, its headers as a block, its items as tables.
func (p *Printer) replyText(r *ami.Reply, origin *Origin) {
	if p.spaced {
		p.buf = append(p.buf, '\n')
	}
	p.spaced = false
	p.buf = append(p.buf, p.headline(r, origin)...)
	p.buf = append(p.buf, '\n')
	widest := 0
	for name := range pairs(&r.Message, p.o.Fields) {
		if !hidden(name) {
			widest = max(widest, Width(Safe(name)))
		}
	}
	for name, value := range pairs(&r.Message, p.o.Fields) {
		if hidden(name) {
			continue
		}
		line := pad(Safe(name), widest) + "  " + Safe(value)
		if p.o.Width > 0 {
			line = Cut(line, p.o.Width)
		}
		p.buf = append(append(p.buf, line...), '\n')
	}
	if wire.EqualFold(origin.Action, "Command") {
		for line := range r.Output() {
			_ = p.Text("", line)
		}
	}
	p.itemTables(r)
	if !isList(r) && r.End.Len() > 0 {
		ev := ami.Event{Message: r.End, Node: r.Node, Session: r.Session, Seq: r.Seq, Received: r.Received}
		p.buf = appendEventLine(p.buf, &ev, lineStyle{Width: p.o.Width, Color: p.o.Color, Fields: p.o.Fields})
	}
}

// hidden tells the headers that a headline already shows, or that only serve the protocol.
func hidden(name string) bool { return name == "" || liftCommand.lifts(name) }

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

// itemTables prints a table for each kind of item, ordered by first appearance, without the columns that are empty.
func (p *Printer) itemTables(r *ami.Reply) {
	var kinds []string
	items := make(map[string][]*ami.Event) // by kind
	for i := range r.Events {
		ev := &r.Events[i]
		kind := strings.ToLower(ev.Name())
		if items[kind] == nil {
			kinds = append(kinds, kind)
		}
		items[kind] = append(items[kind], ev)
	}
	for _, kind := range kinds {
		columns := p.o.Fields
		if len(columns) == 0 {
			columns = itemColumns(items[kind])
		}
		t := newTable(columns...)
		filled := false
		for _, ev := range items[kind] {
			cells := make([]string, len(columns))
			for c, name := range columns {
				cells[c] = column(name, ev, "item")
				filled = filled || cells[c] != ""
			}
			t.Add(cells...)
		}
		if !filled && len(columns) > 0 { // --fields names none of this kind's
			continue
		}
		p.buf = append(append(append(p.buf, '\n'), Safe(items[kind][0].Name())...), '\n')
		var left []string
		p.buf, left = t.Append(p.buf, p.o.Width)
		p.left = append(p.left, left...)
		p.spaced = true
	}
}

func itemColumns(items []*ami.Event) (columns []string) {
	seen := make(map[string]bool)
	for _, ev := range items {
		for name, value := range pairs(&ev.Message, nil) {
			if !seen[name] && value != "" && !hidden(name) {
				seen[name] = true
				columns = append(columns, name)
			}
		}
	}
	return columns
}

// tableRow adds a record to the table that Close prints. A record with other keys begins a new one.
func (p *Printer) tableRow(r Record) {
	var shown Record
	var head, cells []string
	for i := range r {
		if r[i].Key == "type" || len(p.o.Fields) > 0 && !contains(p.o.Fields, r[i].Key) {
			continue
		}
		shown = append(shown, r[i])
		head = append(head, heading(&r[i]))
		cells = append(cells, r[i].text())
	}
	if p.table == nil || !slices.Equal(p.columns, head) {
		if p.table != nil {
			p.endTable()
			p.buf = append(p.buf, '\n')
		}
		p.columns = head
		p.table = newTable(head...)
		p.table.color = p.o.Color
		for i := range shown {
			p.table.looks[i] = shown[i].Look
		}
	}
	p.table.Add(cells...)
	for i := range shown {
		p.table.tones[p.table.Len()-1][i] = shown[i].Tone
		switch shown[i].Value.(type) {
		case int, int64, uint64, float64:
			p.table.right[i] = true
		}
	}
}

// endTable prints the table that was gathered.
func (p *Printer) endTable() {
	var left []string
	if p.table.DropEmpty(); len(p.table.head) == 0 { // --fields names nothing that is there
		p.rows, p.filled, p.table = p.rows+p.table.Len(), make([]bool, len(p.o.Fields)), nil
		return
	}
	p.buf, left = p.table.Append(p.buf, p.o.Width)
	p.left = append(p.left, left...)
	p.table = nil
}

// heading is a key as a column's name. The unit in a key such as ping_us is for programs: the cells carry their own.
func heading(p *Pair) string {
	name := strings.TrimSuffix(strings.TrimSuffix(p.Key, "_us"), "_s")
	return strings.ReplaceAll(name, "_", " ")
}
