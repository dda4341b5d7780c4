package report

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// htmlRows is how many nodes the page's table lists.
const htmlRows = 200

// HTML writes a result as one page that needs nothing else: no script, no font, no request.
func HTML(w io.Writer, res *bench.Result) error {
	res = safe(res)
	r := view{res}
	var p page
	p.add(pageHead, string(r.Verdict))
	p.WriteString(pageStyle)
	p.head(r)
	p.cards(r.cards())
	p.thresholds(r.Thresholds)
	p.WriteString("<div class=\"plots\">\n")
	for _, plot := range r.plots() {
		p.add("<figure><h2>%s</h2><figcaption>%s</figcaption>", plot.Title, plot.About)
		if plot.SVG != "" {
			p.WriteString(string(plot.SVG))
		} else {
			p.add("<p>%s</p>", plot.Empty)
		}
		p.WriteString("</figure>\n")
	}
	p.WriteString("</div>\n")
	for _, g := range r.grids(htmlRows) {
		p.grid(g)
	}
	p.add("<section><h2>Findings</h2><pre>%s\n</pre></section>\n</main></body></html>\n", strings.Join(r.sentences(), "\n"))
	if _, err := w.Write(p.Bytes()); err != nil {
		return fmt.Errorf("bench: html: %w", err)
	}
	return nil
}

// A page is written in pieces.
type page struct{ bytes.Buffer }

// add writes markup with values in it, as text of an element or between the quotes of an attribute.
func (p *page) add(markup string, values ...string) {
	escaped := make([]any, len(values))
	for i, v := range values {
		escaped[i] = html.EscapeString(v)
	}
	fmt.Fprintf(p, markup, escaped...)
}

// head writes what was run, where, and how it ended.
func (p *page) head(r view) {
	verdict := string(r.Verdict)
	p.add("<h1>amictl bench <span class=\"verdict %s\">%s</span></h1>\n", verdict, verdict)
	p.add("<div>%s%s</div>\n<div class=\"soft\">%s</div>\n", verdict, verdictWords(r.Verdict), r.headline())
	m := &r.Machine
	p.add("<div class=\"soft\">%s · amictl %s · seed %s · %s processors", r.Started.UTC().Format(time.RFC3339), r.Version, fmt.Sprint(r.Seed), fmt.Sprint(m.CPUs))
	if m.CPU != "" {
		p.add(" (%s)", m.CPU)
	}
	p.add(" · %s/%s", m.OS, m.Arch)
	if m.Go != "" {
		p.add(" · %s", m.Go)
	}
	p.WriteString("</div>\n")
	if len(r.Reasons) > 0 {
		p.WriteString("<ul>")
		for _, reason := range r.Reasons {
			p.add("<li class=\"bad\">%s</li>", reason)
		}
		p.WriteString("</ul>\n")
	}
}

// A card is a figure that is seen from afar.
type card struct{ name, value, about string }

// cards are those of a result.
func (r view) cards() []card {
	t, f := &r.Total, &r.Fairness
	memory := card{"resident", "unknown", "not measured"}
	if m := r.Memory; m != nil {
		memory = card{"resident", m.PeakRSS.String(), m.PerNode.String() + " a node"}
	}
	ledger := "exact"
	if len(r.Ledger.Differences) > 0 {
		ledger = "DIFFERS"
	}
	return []card{
		{"answered", fmt.Sprintf("%.0f/s", t.Rate), fmt.Sprintf("%d actions", t.Answered())},
		latency("response p50", t.P50, t.ServiceP50),
		latency("response p99", t.P99, t.ServiceP99),
		{"failed", fmt.Sprint(t.Ended.Failed()), fmt.Sprintf("of %d sent", t.Sent)},
		{"jain", fmt.Sprintf("%.4f", f.Jain), fmt.Sprintf("%d healthy of %d %s", f.Healthy, f.Nodes, plural(f.Nodes, "node"))},
		{"starvation", orZero(f.Starvation), "longest, a healthy node"},
		memory,
		{"ledger", ledger, fmt.Sprintf("%d accepted", r.Ledger.Engine.Accepted)},
	}
}

func (p *page) cards(all []card) {
	p.WriteString("<div class=\"cards\">")
	for _, c := range all {
		p.add("<div class=\"card\"><span>%s</span><b>%s</b><span>%s</span></div>", c.name, c.value, c.about)
	}
	p.WriteString("</div>\n")
}

func (p *page) thresholds(all []bench.Judgement) {
	if len(all) == 0 {
		return
	}
	p.WriteString("<section style=\"margin:0 0 14px\"><h2>Thresholds</h2><table><tr><th></th><th>measured</th><th>fail if</th></tr>\n")
	for _, j := range all {
		class := "good"
		if j.Failed || j.Absent {
			class = "bad"
		}
		line := judged(j)
		p.add("<tr><td class=\"%s\">%s</td><td>%s</td><td><code>%s</code></td></tr>", class, line.Mark, line.Text, j.Threshold)
	}
	p.WriteString("</table></section>\n")
}

func (p *page) grid(g grid) {
	p.add("<section><h2>%s</h2><table><tr>", g.title)
	for _, name := range g.head {
		p.add("<th>%s</th>", name)
	}
	for _, row := range g.rows {
		p.WriteString("</tr>\n<tr>")
		for _, cell := range row {
			p.add("<td>%s</td>", cell)
		}
	}
	p.WriteString("</tr>\n</table></section>\n")
}

// latency is the card of a percentile.
func latency(name string, response, service int64) card {
	if response == 0 {
		return card{name, bench.FormatMicros(response), "too few samples"}
	}
	return card{name, bench.FormatMicros(response), "service " + bench.FormatMicros(service)}
}

// pageHead forbids the page the network, so that a mistake here shows as a missing picture and not as a request.
const pageHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>amictl bench: %s</title>
`

const pageStyle = `<style>
:root { --bg:#f7f8fa; --card:#ffffff; --ink:#1b2430; --soft:#5b6675; --grid:#e3e7ec; --edge:#d5dae1;
  --s1:#1f6fd1; --s2:#c2410c; --s3:#0f766e; --s4:#7c3aed; --s5:#8a93a0; --ok:#15803d; --bad:#b91c1c; --meh:#4b5563; }
@media (prefers-color-scheme: dark) {
  :root { --bg:#12161c; --card:#1a2028; --ink:#e4e9f0; --soft:#9aa6b5; --grid:#2a323d; --edge:#313a46;
    --s1:#62a8ff; --s2:#ff9057; --s3:#3ecfbf; --s4:#b794ff; --s5:#7d8896; --ok:#4ade80; --bad:#ff7b72; --meh:#a9b4c2; }
}
* { box-sizing:border-box }
body { margin:0; background:var(--bg); color:var(--ink); font:15px/1.5 system-ui, sans-serif; }
main { max-width:1500px; margin:0 auto; padding:24px 20px 48px; }
h1 { font-size:24px; margin:0 0 4px; } h2 { font-size:16px; margin:0 0 2px; }
.soft, figcaption { color:var(--soft); } figcaption { font-size:13px; margin-bottom:6px; }
.verdict { display:inline-block; padding:1px 12px; border-radius:999px; color:var(--card); background:var(--meh); font-weight:650; font-size:18px; vertical-align:2px; }
.PASS { background:var(--ok) } .FAIL, .INVALID { background:var(--bad) }
.cards { display:grid; grid-template-columns:repeat(8, 1fr); gap:10px; margin:18px 0; } /* 8 of them: whole rows at any width */
@media (max-width:1300px) { .cards { grid-template-columns:repeat(4, 1fr) } } @media (max-width:640px) { .cards { grid-template-columns:repeat(2, 1fr) } }
.card, figure, section { background:var(--card); border:1px solid var(--edge); border-radius:10px; }
.card { padding:10px 14px; } .card b { display:block; font-size:22px; font-weight:620; line-height:1.25; }
.card span { color:var(--soft); font-size:13px; }
.plots { display:grid; grid-template-columns:repeat(2, 1fr); gap:14px; } .plots figure:last-child:nth-child(odd) { grid-column:1 / -1 }
@media (max-width:1180px) { .plots { grid-template-columns:1fr } }
figure { margin:0; padding:14px 16px 10px; min-width:0; overflow-x:auto; } section { margin-top:14px; padding:14px 16px; overflow-x:auto; }
svg { width:100%; height:auto; display:block; margin:0 auto } .wide { max-width:760px } .narrow { max-width:460px; display:none }
@media (max-width:640px) { .wide { display:none } .narrow { display:block } }
.grid { stroke:var(--grid); stroke-width:1 } .rule { stroke:var(--soft); stroke-width:1; stroke-dasharray:3 3 }
.tick { fill:var(--soft); font:13px system-ui, sans-serif }
.over { paint-order:stroke; stroke:var(--card); stroke-width:4px; stroke-linejoin:round; fill:var(--ink) }
.line { fill:none; stroke-width:1.8; stroke-linejoin:round }
.line.s1 { stroke:var(--s1) } .line.s2 { stroke:var(--s2) } .line.s3 { stroke:var(--s3) } .line.s4 { stroke:var(--s4) } .line.s5 { stroke:var(--s5) }
.dot.s1, .bar.s1 { fill:var(--s1) } .dot.s2, .bar.s2 { fill:var(--s2) } .dot.s3, .bar.s3 { fill:var(--s3) }
.dot.s4, .bar.s4 { fill:var(--s4) } .dot.s5, .bar.s5 { fill:var(--s5) }
.legend { margin:4px 0 0; font-size:13px; color:var(--soft); display:flex; flex-wrap:wrap; gap:2px 18px; }
.key { display:inline-block; width:22px; height:8px; margin-right:6px; vertical-align:1px; }
table { border-collapse:collapse; font-size:13px; font-variant-numeric:tabular-nums; white-space:nowrap; }
th { color:var(--soft); font-weight:600; text-align:right; } td { text-align:right; }
th, td { padding:3px 10px; border-bottom:1px solid var(--grid); } th:first-child, td:first-child { text-align:left; padding-left:0; }
ul { margin:6px 0 0; padding-left:20px; } .bad { color:var(--bad); font-weight:600 } .good { color:var(--ok); font-weight:600 } code { font-size:13px }
pre { white-space:pre-wrap; margin:6px 0 0; font-size:13px; }
</style>
</head>
<body><main>
`
