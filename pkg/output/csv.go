package output

import (
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// appendCSV appends one record (RFC 4180, LF line ends).
func appendCSV(dst []byte, cells []string) []byte {
	if len(cells) == 1 && cells[0] == "" { // readers pass over an empty line
		return append(dst, "\"\"\n"...)
	}
	for i, c := range cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c == "" || !strings.ContainsAny(c, ",\"\r\n") && c[0] != ' ' && c[len(c)-1] != ' ' {
			dst = append(dst, c...)
			continue
		}
		dst = append(dst, '"')
		dst = append(dst, strings.ReplaceAll(c, `"`, `""`)...)
		dst = append(dst, '"')
	}
	return append(dst, '\n')
}

// eventColumn returns what --fields means by a name: one of the keys node, event, time, ts, type in lower case, else the
// header of that name, whatever its case.
func eventColumn(name string, ev *ami.Event, typ string) string {
	switch name {
	case "type":
		return typ
	case "node":
		return ev.Node
	case "event":
		if ev.Kind() == wire.Event {
			return ev.Name()
		}
		return ""
	case "time", "ts":
		if ev.Received.IsZero() {
			return ""
		}
		if name == "time" {
			return strings.Trim(string(appendTimestamp(nil, ev.Received)), `"`)
		}
		return epoch(ev.Received)
	}
	v, _ := joined(&ev.Message, name)
	return v
}

// joined returns the value of a header, those of one that repeats with a comma between, and whether there is one.
func joined(m *wire.Message, name string) (text string, found bool) {
	for v := range m.Values(name) {
		if !found {
			text, found = v, true
			continue
		}
		text += ", " + v
	}
	return text, found
}

// replyColumn is eventColumn for a reply that is no list.
func replyColumn(name string, r *ami.Reply, origin *Origin) string {
	switch name {
	case "action":
		return origin.Action
	case "id":
		return origin.ID
	case "line":
		return lineNumber(origin.Line)
	case "response":
		return r.Name()
	case "message":
		return r.Get("Message")
	case "outcome":
		return r.Outcome().String()
	}
	if v, ok := joined(&r.Message, name); ok {
		return v
	}
	if v, ok := joined(&r.End, name); ok {
		return v
	}
	ev := ami.Event{Node: r.Node, Received: r.Received}
	return eventColumn(name, &ev, "reply")
}

// merge prints sheets as one CSV table with all their columns, and of which kind a row is if they are of several.
func (p *Printer) merge(of *sheets) {
	var keys []string
	at := make(map[string]int)
	add := func(key string) {
		if _, known := at[key]; !known {
			at[key] = len(keys)
			keys = append(keys, key)
		}
	}
	if p.o.Nodes {
		add("node")
	}
	several := len(of.all) > 1
	for _, s := range of.all {
		if several {
			add(s.kindKey)
		}
		for i, key := range s.keys {
			if s.used[i] {
				add(key)
			}
		}
	}
	if len(keys) == 0 {
		return
	}
	p.buf = appendCSV(p.buf, keys)
	for _, s := range of.all {
		for _, row := range s.rows {
			cells := make([]string, len(keys))
			if several {
				cells[at[s.kindKey]] = s.kind
			}
			for i, c := range row {
				if s.used[i] {
					cells[at[s.keys[i]]] = c.text
				}
			}
			p.csvRow(cells)
		}
	}
}
