package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apntalk/amictl/internal/bench"
)

func TestReportsSayWhatMatters(t *testing.T) {
	r := sample(t, 1, true)
	var table, markdown bytes.Buffer
	if err := Table(&table, r, 0, false); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&markdown, r); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"table": table.String(), "markdown": markdown.String()} {
		for _, want := range []string{"PASS", "not above 50 ms", "ok", "sim04", "stalled", "exact", "jain", "16000", "pending", "lag"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s does not say %q:\n%s", name, want, text)
			}
		}
	}
	for line := range strings.Lines(table.String()) {
		if strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
			t.Errorf("blanks at the end of %q", line)
		}
	}
}

func TestTableListsFewNodes(t *testing.T) {
	r := sample(t, 1, false)
	for range 6 {
		r.Nodes = append(r.Nodes, r.Nodes...)
	}
	var b bytes.Buffer
	if err := Table(&b, r, 0, false); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n > 50 || !strings.Contains(b.String(), "and 500 more") {
		t.Errorf("%d lines:\n%s", n, b.String())
	}
}

func TestMarkdownEscapesNames(t *testing.T) {
	r := sample(t, 1, false)
	r.Nodes[0].Node = "a|b<img src=x>"
	r.Fairness.Worst = nil
	var b bytes.Buffer
	if err := Markdown(&b, r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "<img") || strings.Contains(b.String(), "a|b") {
		t.Error("a node's name became markup")
	}
}

func TestHTMLIsOneSafePage(t *testing.T) {
	for _, open := range []bool{false, true} {
		r := sample(t, 1, open)
		r.Nodes[0].Node = `<script>alert(1)</script>`
		r.Queues[0].Node = `"><script>alert(1)</script>`
		var b bytes.Buffer
		if err := HTML(&b, r); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		for _, bad := range []string{"<script", "http://", "https://", "@import", "url(", "NaN", "Inf", "%!"} {
			if strings.Contains(page, bad) {
				t.Errorf("the page has %q", bad)
			}
		}
		for _, want := range []string{
			"Latency over time", "Percentile curve", "Share of each node", "p99 of each node",
			"Queue depth over time", "High-water marks", "Memory over time", "prefers-color-scheme: dark",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the page has no %q", want)
			}
		}
		for i, p := range (view{r}).plots() {
			if err := wellFormed("<x>" + string(p.SVG) + "</x>"); err != nil {
				t.Errorf("plot %d, %s: %v", i, p.Title, err)
			}
		}
	}
}

func wellFormed(s string) error {
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func TestHTMLOfAnEmptyRun(t *testing.T) {
	r := &bench.Result{Schema: bench.Schema, Partial: true, Ended: "interrupted"}
	r.Decide(nil)
	for name, write := range map[string]func(io.Writer, *bench.Result) error{
		"html": HTML, "markdown": Markdown,
		"table": func(w io.Writer, r *bench.Result) error { return Table(w, r, 0, false) },
	} {
		var b bytes.Buffer
		if err := write(&b, r); err != nil || !strings.Contains(b.String(), "PARTIAL") {
			t.Errorf("%s: %v, or it does not say that the run was partial", name, err)
		}
	}
}

func TestScales(t *testing.T) {
	for _, top := range []float64{0, 0.7, 1, 3, 9.9, 10, 101, 12345, 5e8} {
		s, ticks := linear(top)
		if s.max < top || len(ticks) < 2 || len(ticks) > 8 || ticks[len(ticks)-1] != s.max {
			t.Errorf("linear(%g): to %g, ticks %v", top, s.max, ticks)
		}
	}
	for _, r := range [][2]float64{{0, 0}, {1, 1}, {10, 10}, {3, 700}, {1, 3.6e9}} {
		s, ticks := logarithmic(r[0], r[1])
		if s.min > max(1, r[0]) || s.max < r[1] || len(ticks) < 2 || len(ticks) > 12 {
			t.Errorf("logarithmic(%v): %g to %g, ticks %v", r, s.min, s.max, ticks)
		}
	}
}

// A narrow terminal gets a table that fits it, and the names of what it does not show.
func TestTableFitsTheTerminal(t *testing.T) {
	for _, columns := range []int{80, 100, 132} {
		r := sample(t, 1, true)
		var b bytes.Buffer
		if err := Table(&b, r, columns, false); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
				t.Errorf("%d columns at %d: %s", n, columns, line)
			}
		}
		for _, want := range []string{"P99", "MAX", "STARVED", "stalled", "fairness  jain", "VERDICT"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("at %d columns there is no %q:\n%s", columns, want, b.String())
			}
		}
		if whole := strings.Count(b.String(), "SERVICE P50") == 2 && strings.Count(b.String(), "TIMEOUTS") == 2; whole == strings.Contains(b.String(), "left out  to fit") {
			t.Errorf("at %d columns what is left out is not named:\n%s", columns, b.String())
		}
	}
}
