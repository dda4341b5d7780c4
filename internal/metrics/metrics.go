// Package metrics says what the engine's snapshots are as Prometheus metrics: the one table behind the collector of a
// program that embeds the engine, and behind the text that the command line writes without a Prometheus library in it.
package metrics

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Kind is what a metric's value means.
type Kind uint8

const (
	// Counter only grows.
	Counter Kind = iota
	// Gauge goes up and down.
	Gauge
)

// String returns the kind as Prometheus spells it.
func (k Kind) String() string {
	if k == Counter {
		return "counter"
	}
	return "gauge"
}

// A Family is a metric with its samples.
type Family struct {
	Name    string
	Kind    Kind
	Help    string   // one line
	Labels  []string // names
	Samples []Sample
}

// A Sample is one value of a metric.
type Sample struct {
	Labels []string // values, as many as the family has names; valid UTF-8
	Value  float64
}

// Add adds a sample. A byte of a label that is not UTF-8 would cost the whole scrape: it becomes U+FFFD.
func (f *Family) Add(value float64, labels ...string) {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	f.Samples = append(f.Samples, Sample{Labels: labels, Value: value})
}

// Bool returns 1 for true, else 0.
func Bool(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Write writes families in Prometheus' text format, version 0.0.4.
func Write(w io.Writer, families []Family) error {
	b := bufio.NewWriter(w)
	for i := range families {
		f := &families[i]
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", f.Name, f.Help, f.Name, f.Kind)
		for _, s := range f.Samples {
			_, _ = b.WriteString(f.Name)
			for j, name := range f.Labels {
				fmt.Fprintf(b, `%c%s="%s"`, "{,"[min(j, 1)], name, escaper.Replace(s.Labels[j]))
			}
			if len(f.Labels) > 0 {
				_ = b.WriteByte('}')
			}
			fmt.Fprintf(b, " %s\n", strconv.FormatFloat(s.Value, 'f', -1, 64))
		}
	}
	return b.Flush()
}
