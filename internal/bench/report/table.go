package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/pkg/output"
)

// noteHeldUp is from how many microseconds on a report says that the machine held the event consumer up.
const noteHeldUp = 20_000

// maxRows is how many nodes a table lists; the worst are named apart.
const maxRows = 12

// A view is a result that is looked at.
type view struct{ *bench.Result }

// A grid is rows of cells under a head, for a table or for Markdown.
type grid struct {
	title string
	head  []string
	rows  [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// Table writes a result for people at a terminal of so many columns (0: as many as it takes), the verdict last, and coloured
// if color says so.
func Table(w io.Writer, res *bench.Result, columns int, color bool) error {
	r := view{safe(res)}
	var b strings.Builder
	writeWrapped(&b, r.headline(), 0, columns)
	gone := map[string]bool{}
	for _, g := range r.grids(maxRows) {
		b.WriteByte('\n')
		g.fit(columns, gone)
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, strings.Join(g.head, "\t"))
		for _, row := range g.rows {
			fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
		_ = tw.Flush() // into memory
	}
	b.WriteByte('\n')
	for _, line := range r.sentences() {
		writeWrapped(&b, line, sentenceIndent, columns)
	}
	if len(gone) > 0 {
		names := slices.Sorted(maps.Keys(gone))
		writeWrapped(&b, "left out  to fit the terminal: "+strings.Join(names, ", ")+"; a wider one or -o json shows them", sentenceIndent, columns)
	}
	b.WriteByte('\n')
	writeVerdict(&b, r.Verdict, r.Thresholds, r.Reasons, color)
	return writeText(w, trimLines(b.String()))
}

// trimLines removes the blanks that a table leaves at the ends of lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// Markdown writes a result as Markdown, for a pull request or a wiki.
func Markdown(w io.Writer, res *bench.Result) error {
	r := view{safe(res)}
	var b strings.Builder
	fmt.Fprintf(&b, "## amictl bench: %s\n\n%s\n", escapeMarkdown(string(r.Verdict)), escapeMarkdown(r.headline()))
	for _, g := range r.grids(maxRows) {
		fmt.Fprintf(&b, "\n### %s\n\n| %s |\n|%s\n", g.title, strings.Join(g.head, " | "), strings.Repeat(" --- |", len(g.head)))
		for _, row := range g.rows {
			cells := make([]string, len(row))
			for i, c := range row {
				cells[i] = escapeMarkdown(c)
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	b.WriteByte('\n')
	for _, line := range r.sentences() {
		fmt.Fprintf(&b, "- %s\n", escapeMarkdown(line))
	}
	for _, j := range r.Thresholds {
		line := judged(j)
		fmt.Fprintf(&b, "- **%s**: %s\n", line.Mark, escapeMarkdown(line.Text))
	}
	for _, why := range r.Reasons {
		fmt.Fprintf(&b, "- **%s**: %s\n", escapeMarkdown(string(r.Verdict)), escapeMarkdown(why))
	}
	return writeText(w, b.String())
}

// escapeMarkdown keeps names from a server from becoming markup.
func escapeMarkdown(s string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "\n", " ", "\r", " ", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`).Replace(s)
}

func writeText(w io.Writer, s string) error {
	if _, err := io.WriteString(w, s); err != nil {
		return fmt.Errorf("bench: write: %w", err)
	}
	return nil
}

// headline says what the run was, in a line.
func (r view) headline() string {
	c := &r.Config
	load := fmt.Sprintf("closed loop, %d %s a node", c.Concurrency, plural(c.Concurrency, "caller"))
	if c.Open() {
		load = fmt.Sprintf("open loop, %g/s", c.Rate)
		if len(c.Stages) > 0 {
			load = fmt.Sprintf("open loop, %d %s", len(c.Stages), plural(len(c.Stages), "stage"))
		}
	}
	s := fmt.Sprintf("%s on %d %s (%s), profile %s, %s, mix %s: %.1f s",
		c.Workload, c.Nodes, plural(c.Nodes, "node"), c.Target, c.Profile, load, c.Mix, r.Elapsed)
	if r.Partial {
		s += ", PARTIAL"
		if r.Ended != "" {
			s += " (" + r.Ended + ")"
		}
	}
	return s
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

func tallyCells(t *bench.Tally) []string {
	return []string{
		fmt.Sprint(t.Sent), fmt.Sprint(t.Ended.Reply), fmt.Sprint(t.Ended.Error), fmt.Sprint(t.Ended.Timeout),
		fmt.Sprint(t.Ended.Cancelled + t.Ended.Unsent + t.Ended.Maybe + t.Ended.Rejected),
		fmt.Sprintf("%.0f/s", t.Rate), bench.FormatMicros(t.P50), bench.FormatMicros(t.P99), bench.FormatMicros(t.P999), bench.FormatMicros(t.Max),
		bench.FormatMicros(t.ServiceP50), bench.FormatMicros(t.ServiceP99),
	}
}

var tallyHead = []string{"SENT", "REPLIES", "ERRORS", "TIMEOUTS", "OTHER", "RATE", "P50", "P99", "P99.9", "MAX", "SERVICE P50", "SERVICE P99"}

// grids returns the tables of a report, with at most rows nodes: the worst first, the rest in their order.
func (r view) grids(rows int) []grid {
	what := grid{title: "Actions", head: append([]string{"ACTION"}, tallyHead...)}
	for i := range r.Actions {
		what.add(append([]string{r.Actions[i].Name}, tallyCells(&r.Actions[i].Tally)...)...)
	}
	what.add(append([]string{"total"}, tallyCells(&r.Total)...)...)
	out := []grid{what}

	nodes := grid{title: "Nodes", head: append([]string{"NODE", "CONDITION"}, append(tallyHead, "STARVED")...)}
	listed := r.listed(rows)
	for _, n := range listed {
		cells := append([]string{n.Node, n.Condition}, tallyCells(&n.Tally)...)
		nodes.add(append(cells, bench.FormatMicros(n.Starvation))...)
	}
	if more := len(r.Nodes) - len(listed); more > 0 {
		nodes.add(fmt.Sprintf("and %d more", more))
		nodes.rows[len(nodes.rows)-1] = pad(nodes.rows[len(nodes.rows)-1], len(nodes.head))
	}
	out = append(out, nodes)
	if len(r.Workers) > 0 {
		out = append(out, r.workerGrid())
	}
	if len(r.Queues) > 0 {
		q := grid{title: "Queues", head: []string{"QUEUE", "HIGH WATER", "CAP", "FULL", "NODE"}}
		for i := range r.Queues {
			x := &r.Queues[i]
			q.add(x.Name, fmt.Sprintf("%d %s", x.High, unit(x)), fmt.Sprint(x.Cap), full(x.Fill()), x.Node)
		}
		out = append(out, q)
	}
	return out
}

func (r view) workerGrid() grid {
	g := grid{title: "Workers", head: []string{"WORKER", "NODES", "SENT", "REPLIES", "FAILED", "RATE", "P50", "P99", "SKEW", "LAG", "CLOCK"}}
	for i := range r.Workers {
		w := &r.Workers[i]
		skew := "-"
		if w.Skew != 0 {
			skew = fmt.Sprintf("%+dµs", w.Skew)
		}
		g.add(w.Name, fmt.Sprint(w.Nodes), fmt.Sprint(w.Sent), fmt.Sprint(w.Ended.Reply), fmt.Sprint(w.Ended.Failed()), fmt.Sprintf("%.0f/s", w.Rate),
			bench.FormatMicros(w.P50), bench.FormatMicros(w.P99), skew, bench.FormatMicros(w.Lag), fmt.Sprintf("±%dµs", w.Error))
	}
	return g
}

func pad(cells []string, n int) []string {
	for len(cells) < n {
		cells = append(cells, "")
	}
	return cells
}

// listed returns the nodes that a table shows: those named as worst, then the others, at most rows.
func (r view) listed(rows int) []*bench.NodePart {
	var out []*bench.NodePart
	named := map[string]bool{}
	for _, w := range r.Fairness.Worst {
		named[w.Node] = true
	}
	for _, worst := range []bool{true, false} {
		for i := range r.Nodes {
			if n := &r.Nodes[i]; named[n.Node] == worst && len(out) < rows {
				out = append(out, n)
			}
		}
	}
	return out
}

// sentences are the findings that are no table.
func (r view) sentences() []string {
	var out []string
	f := &r.Fairness
	if f.Healthy > 1 {
		out = append(out, fmt.Sprintf("fairness  jain %.4f over %d healthy of %d nodes (all: %.4f), shares %.2f to %.2f, longest starvation %s%s",
			f.Jain, f.Healthy, f.Nodes, f.JainAll, f.MinShare, f.MaxShare, orZero(f.Starvation), at(f.StarvationNode)))
	}
	if f.P99Ratio > 0 && f.Healthy > 1 {
		out = append(out, fmt.Sprintf("tails     worst node's p99 %s (%s) is %.1f times the median node's %s",
			bench.FormatMicros(f.WorstP99), f.WorstP99Node, f.P99Ratio, bench.FormatMicros(f.MedianP99)))
	}
	for _, w := range f.Worst {
		out = append(out, fmt.Sprintf("look at   %s: %s; share %.2f, p99 %s", w.Node, w.Why, w.Share, bench.FormatMicros(w.P99)))
	}
	if e := r.Events; e != nil {
		s := fmt.Sprintf("events    %d delivered (%.0f/s), %d dropped, %d gaps, %d missing without a mark, longest starvation %s%s",
			e.Delivered, e.Rate, e.Dropped, e.Gaps, e.Missing, orZero(f.EventStarvation), at(f.EventStarvationNode))
		if e.HeldUp > noteHeldUp {
			s += fmt.Sprintf("; this machine held the consumer up for %s", bench.FormatMicros(e.HeldUp))
		}
		if e.P50 > 0 {
			s += fmt.Sprintf("; delivery p50 %s, p99 %s", bench.FormatMicros(e.P50), bench.FormatMicros(e.P99))
		}
		out = append(out, s)
	}
	if c := r.Calls; c != nil {
		out = append(out, fmt.Sprintf("calls     %d originated, %d answered, %d failed, %d hung up, %d left; at most %d at once; to hangup p50 %s, p99 %s",
			c.Originated, c.Answered, c.Failed, c.HungUp, c.Left, c.Peak, bench.FormatMicros(c.HangupP50), bench.FormatMicros(c.HangupP99)))
	}
	if l := r.Lag; l != nil {
		out = append(out, fmt.Sprintf("schedule  lag p50 %s, p99 %s, max %s (limit %s); %d dropped because the backlog was full",
			orZero(l.P50), orZero(l.P99), orZero(l.Max), time.Duration(l.Limit), l.Dropped))
	}
	if m := r.Memory; m != nil {
		out = append(out, fmt.Sprintf("memory    resident %s at most, %s after the warm-up, %s at the end (%s a node); heap %s at most; %d goroutines%s",
			m.PeakRSS, m.WarmRSS, m.EndRSS, m.PerNode, m.PeakHeap, m.PeakGoroutines, limitText(m)))
	}
	out = append(out, "samples   "+r.samplesSentence())
	if !r.Config.Open() && r.Total.Max > 0 {
		out = append(out, "pauses    "+r.pausesSentence())
	}
	out = append(out, r.workerSentences()...)
	out = append(out, "ledger    "+ledgerSentence(&r.Ledger))
	for _, n := range r.Notes {
		out = append(out, "note      "+n)
	}
	return out
}

// Bounds beyond which a worker is named: of what it had to do it got less than this part of what the middle one did, or was this
// many times as slow, or as late where that is so many microseconds.
const (
	slowWorker = 0.8
	longWorker = 2.0
	lateWorker = 5_000
)

// workerSentences say how exactly the workers began together, and which one a reader should look at.
func (r view) workerSentences() (out []string) {
	if len(r.Workers) == 0 {
		return nil
	}
	var skew, drift int64
	var rates, tails, lags []float64
	for i := range r.Workers {
		w := &r.Workers[i]
		skew, drift = max(skew, w.Skew, -w.Skew), max(drift, w.Drift, -w.Drift)
		rates, tails = append(rates, w.Rate/w.Share), append(tails, float64(w.P99))
		lags = append(lags, float64(w.Lag))
	}
	out = append(out, fmt.Sprintf("workers   %d, started within %s of the instant; their clocks drifted by %s at most", len(r.Workers), orZero(skew), orZero(drift)))
	slices.Sort(rates)
	slices.Sort(tails)
	slices.Sort(lags)
	rate, tail, lag := rates[len(rates)/2], tails[(len(tails)-1)/2], lags[(len(lags)-1)/2]
	for i := range r.Workers {
		w := &r.Workers[i]
		switch own := w.Rate / w.Share; {
		case w.Lost != "":
			out = append(out, fmt.Sprintf("look at   worker %s: %s", w.Name, w.Lost))
		case own < slowWorker*rate:
			out = append(out, fmt.Sprintf("look at   worker %s: slow; %.0f%% of the middle worker's rate, for its share", w.Name, 100*own/rate))
		case tail > 0 && float64(w.P99) > longWorker*tail:
			out = append(out, fmt.Sprintf("look at   worker %s: slow; its p99 %s is %.1f times the middle worker's", w.Name, bench.FormatMicros(w.P99), float64(w.P99)/tail))
		case w.Lag > lateWorker && float64(w.Lag) > longWorker*lag:
			out = append(out, fmt.Sprintf("look at   worker %s: slow; it began actions %s late (p99), the middle worker %s", w.Name, bench.FormatMicros(w.Lag), bench.FormatMicros(int64(lag))))
		}
	}
	return out
}

func limitText(m *bench.Memory) string {
	if m.Limit == 0 {
		return ""
	}
	return fmt.Sprintf("; limit %s, estimated %s", m.Limit, m.Estimate)
}

func at(node string) string {
	if node == "" {
		return ""
	}
	return " (" + node + ")"
}

func orZero(us int64) string {
	if us <= 0 {
		return "0"
	}
	return bench.FormatMicros(us)
}

func ledgerSentence(l *bench.Ledger) string {
	if len(l.Differences) > 0 {
		return "DIFFERS: " + strings.Join(l.Differences, "; ")
	}
	s := fmt.Sprintf("exact: %d accepted = %d replies + %d error replies + %d timeouts + %d cancelled + %d disconnected; %d rejected",
		l.Engine.Accepted, l.Engine.Replied, l.Engine.ErrorReplies, l.Engine.TimedOut, l.Engine.Cancelled,
		l.Engine.DisconnectedUnsent+l.Engine.DisconnectedMaybe, l.Engine.Rejected)
	if l.Engine.InFlight > 0 {
		s += fmt.Sprintf("; %d still in flight", l.Engine.InFlight)
	}
	if l.Simulator != nil {
		s += fmt.Sprintf("; the simulator agrees (%d %s exactly", l.Compared, plural(l.Compared, "node"))
		if l.Bounded > 0 {
			s += fmt.Sprintf(", %d within the bounds of their lost sessions", l.Bounded)
		}
		s += ")"
	}
	return s
}

func outcome(j bench.Judgement) string {
	switch {
	case j.Absent:
		return "unknown"
	case j.Failed:
		return "FAILED"
	default:
		return "ok"
	}
}

func writeVerdict(b *strings.Builder, v bench.Verdict, thresholds []bench.Judgement, reasons []string, color bool) {
	paint := func(tone output.Tone, text string) string {
		if !color {
			return text
		}
		return output.Colored(tone, text)
	}
	for _, j := range thresholds {
		line, tone := judged(j), output.Good
		if j.Failed || j.Absent {
			tone = output.Bad
		}
		fmt.Fprintf(b, "%s%s\n", paint(tone, fmt.Sprintf("%-10s", line.Mark)), line.Text)
	}
	tone := map[bench.Verdict]output.Tone{bench.Pass: output.Good, bench.Measured: output.Neutral}[v]
	if v != bench.Pass && v != bench.Measured {
		tone = output.Bad
	}
	fmt.Fprintf(b, "VERDICT   %s%s\n", paint(tone, string(v)), verdictWords(v))
	for _, why := range reasons {
		fmt.Fprintf(b, "          %s\n", why)
	}
}

func verdictWords(v bench.Verdict) string {
	switch v {
	case bench.Pass:
		return ": every threshold held"
	case bench.Fail:
		return ": a threshold failed"
	case bench.Measured:
		return ": no threshold was given, so nothing was judged"
	default:
		return ": the figures cannot be trusted"
	}
}
