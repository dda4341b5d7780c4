package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// table is the verdict in Markdown.
func (v *verdict) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "`scripts/restarts -n %d -away %v -seed %d`, Asterisk %s:\n\n", v.o.rounds, v.o.away, v.o.seed, v.o.version)
	b.WriteString("| the end | number | away, p50 and max |")
	for _, name := range names {
		fmt.Fprintf(&b, " `%s` p50, max |", name)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(names)) + "\n")
	for _, kind := range append(slices.Clone(kinds), "") {
		v.row(&b, kind)
	}
	fmt.Fprintf(&b, "\nWrong words: %d. %d lines of `send -`: %d answered, %d refused by a server that was stopping, %d cut off in flight, %d in a write that failed, so not sent. "+
		"`tail` saw %d of their events. `health` looked %d times.\n",
		len(v.wrong), v.replied+v.refused+v.cut+v.unsent, v.replied, v.refused, v.cut, v.unsent, v.events, v.looks)
	if v.unseen > 0 {
		fmt.Fprintf(&b, "The witness on the wire missed %d lines.\n", v.unseen)
	}
	return b.String()
}

// row writes the row of a kind, or of all.
func (v *verdict) row(b *strings.Builder, kind string) {
	var away []time.Duration
	late := make(map[string][]time.Duration)
	for i := range v.rounds {
		r := &v.rounds[i]
		if kind != "" && r.kind != kind {
			continue
		}
		away = append(away, r.back.Sub(r.gone))
		for _, name := range names {
			if d, ok := v.late(r, name); ok {
				late[name] = append(late[name], d)
			}
		}
	}
	if len(away) == 0 {
		return
	}
	if kind == "" {
		kind = "all"
	} else {
		kind = "`" + kind + "`"
	}
	fmt.Fprintf(b, "| %s | %d | %s |", kind, len(away), span(away))
	for _, name := range names {
		fmt.Fprintf(b, " %s |", span(late[name]))
	}
	b.WriteByte('\n')
}

// span is the median and the longest of some times.
func span(all []time.Duration) string {
	if len(all) == 0 {
		return "-"
	}
	slices.Sort(all)
	return fmt.Sprintf("%.2f s, %.2f s", all[(len(all)-1)/2].Seconds(), all[len(all)-1].Seconds())
}
