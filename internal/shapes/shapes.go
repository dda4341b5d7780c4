// Package shapes makes events of many shapes, so that the benchmarks of what handles events show where its cost has a step.
package shapes

import (
	"fmt"
	"strings"
)

// Plain is the shape that the others are held against.
const Plain = "plain"

// A Shape is events that have something in common.
type Shape struct {
	Name    string
	packets func(i int) string
}

// copies is how many different packets a shape has: values vary, names seldom do.
const copies = 16

// Packets returns the shape's packets as a server sends them.
func (s Shape) Packets() []string {
	all := make([]string, copies)
	for i := range all {
		all[i] = s.packets(i)
	}
	return all
}

// Headers returns how many headers the shape's packets have on the average.
func (s Shape) Headers() float64 {
	n := 0
	for _, p := range s.Packets() {
		n += strings.Count(p, "\r\n") - 1
	}
	return float64(n) / copies
}

// Bytes returns how long the shape's packets are on the average.
func (s Shape) Bytes() float64 {
	n := 0
	for _, p := range s.Packets() {
		n += len(p)
	}
	return float64(n) / copies
}

// Named returns the shape of that name.
func Named(name string) (Shape, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return Shape{}, false
}

// All returns every shape, the plain one first.
func All() []Shape {
	all := []Shape{{Plain, func(i int) string { return snapshot("Newexten", i).end() }}}
	all = append(all, repeating()...)
	all = append(all, distinct()...)
	all = append(all, records()...)
	return append(all, texts()...)
}

// A packet is an event being written.
type packet struct{ strings.Builder }

func event(name string) *packet {
	p := &packet{}
	p.add("Event", name)
	return p
}

func (p *packet) add(name, value string) *packet {
	p.WriteString(name + ": " + value + "\r\n")
	return p
}

func (p *packet) addf(name, format string, args ...any) *packet {
	return p.add(name, fmt.Sprintf(format, args...))
}

func (p *packet) end() string { return p.String() + "\r\n" }

// snapshot begins an event with what Asterisk says about a channel (ast_manager_build_channel_state_string).
func snapshot(name string, i int) *packet {
	return event(name).add("Privilege", "call,all").channel("", i)
}

func (p *packet) channel(prefix string, i int) *packet {
	p.addf(prefix+"Channel", "PJSIP/agent%04d-%08x", i, i*7919)
	p.add(prefix+"ChannelState", "6").add(prefix+"ChannelStateDesc", "Up")
	p.addf(prefix+"CallerIDNum", "1555000%04d", i).addf(prefix+"CallerIDName", "Caller Number %d", i)
	p.add(prefix+"ConnectedLineNum", "<unknown>").add(prefix+"ConnectedLineName", "<unknown>")
	p.add(prefix+"Language", "en").add(prefix+"AccountCode", "").add(prefix+"Context", "from-internal")
	p.add(prefix+"Exten", "200").add(prefix+"Priority", "1")
	return p.addf(prefix+"Uniqueid", "1795435200.%d", i).addf(prefix+"Linkedid", "1795435200.%d", i)
}
