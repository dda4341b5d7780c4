package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/apntalk/amictl/internal/bench"
)

// markup is HTML, in which whatever came from elsewhere is escaped.
type markup string

// A plot is a titled chart of the page.
type plot struct {
	Title string
	About string
	SVG   markup
	Empty string // why there is nothing to draw

	overTime bool // a line over the run's stretches
}

// plots draws what the result has figures for.
func (r view) plots() []plot {
	var out []plot
	for _, f := range []func() (plot, bool){
		r.plotLatency, r.plotPercentiles, r.plotRate, r.plotShares, r.plotTails, r.plotDepth, r.plotQueues, r.plotMemory,
	} {
		if p, ok := f(); ok {
			if len(r.Intervals) < 2 && p.overTime {
				p.SVG, p.Empty = "", "The run was shorter than two stretches, so there is nothing to draw; a smaller --every makes more of them."
			}
			out = append(out, p)
		}
	}
	return out
}

// axis says how values are laid out.
type axis uint8

const (
	axisLinear axis = iota
	axisLog
	axisBytes
)

// timed draws series over the run's time.
func (r view) timed(label string, all []series, axis axis, text func(float64) string) markup {
	lo, hi := math.Inf(1), 0.0
	for _, s := range all {
		for _, v := range s.y {
			hi = max(hi, v)
			if v > 0 {
				lo = min(lo, v)
			}
		}
	}
	first, last := r.Intervals[0], r.Intervals[len(r.Intervals)-1]
	return markup(inAllSizes(func(c *chart) {
		c.label, c.ytext, c.xtext, c.xname = label, text, func(v float64) string { return fmt.Sprintf("%gs", v) }, "time"
		switch axis {
		case axisLog:
			c.y, c.yticks = logarithmic(min(lo, hi), hi)
		case axisBytes:
			c.y, c.yticks = powersOfTwo(hi)
		default:
			c.y, c.yticks = linear(hi)
		}
		c.x, c.xticks = linear(last.At)
		c.x.max = max(last.At, 0.001)
		c.xticks = slices.DeleteFunc(c.xticks, func(v float64) bool { return v > c.x.max })
		if start := first.At - first.Length; start < -0.001 {
			c.x.min = start
		}
		c.thinTicks()
		c.frame()
		for _, s := range all {
			c.line(s)
		}
	}) + legend(all))
}

// over makes a series of a figure of each interval.
func (r view) over(name, class string, dash bool, text func(float64) string, f func(*bench.Interval) float64) series {
	s := series{name: name, class: class, dash: dash}
	for i := range r.Intervals {
		v := &r.Intervals[i]
		y := f(v)
		s.x, s.y = append(s.x, v.At), append(s.y, y)
		s.tips = append(s.tips, fmt.Sprintf("%s %s at %.1f s", name, text(y), v.At))
	}
	return s
}

func microsText(v float64) string { return orZero(int64(v)) }

func countText(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + "k"
	default:
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
}

func bytesText(v float64) string { return bench.Bytes(v).String() }

func (r view) plotLatency() (plot, bool) {
	p := plot{
		Title: "Latency over time", overTime: true,
		About: "Stretch by stretch; a stretch with too few samples for a percentile shares it with those before. Response counts from the intended start, service from the write; where they part, actions waited before they could be sent.",
	}
	if len(r.Intervals) == 0 || r.Total.Max == 0 {
		return p, false
	}
	ended := func(of func(v *bench.Interval) int64) func(*bench.Interval) float64 {
		return func(v *bench.Interval) float64 {
			if v.Ended == 0 {
				return -1 // a hole
			}
			return float64(of(v))
		}
	}
	var all []series
	var few []string
	for _, s := range []series{
		r.over("response p50", "s1", false, microsText, ended(func(v *bench.Interval) int64 { return v.P50 })),
		r.over("response p99", "s2", false, microsText, ended(func(v *bench.Interval) int64 { return v.P99 })),
		r.over("response max", "s5", false, microsText, ended(func(v *bench.Interval) int64 { return v.Max })),
		r.over("service p99", "s3", true, microsText, ended(func(v *bench.Interval) int64 { return v.ServiceP99 })),
	} {
		if slices.Max(s.y) > 0 {
			all = append(all, s)
		} else {
			few = append(few, s.name)
		}
	}
	if len(few) > 0 {
		p.About += " There were too few samples for " + strings.Join(few, ", ") + "."
	}
	p.SVG = r.timed("latency over time", all, axisLog, microsText)
	return p, true
}

func (r view) plotRate() (plot, bool) {
	p := plot{Title: "Throughput over time", overTime: true, About: "Actions that the server answered, each second."}
	if len(r.Intervals) == 0 {
		return p, false
	}
	all := []series{r.over("answered/s", "s1", false, countText, func(v *bench.Interval) float64 { return v.Rate })}
	if r.Config.Open() {
		all = append(all, r.over("intended/s", "s4", true, countText, func(v *bench.Interval) float64 { return v.Target }))
	}
	failed := r.over("failed/s", "s2", false, countText, func(v *bench.Interval) float64 { return float64(v.Failed) / max(v.Length, 1e-3) })
	if slices.Max(failed.y) > 0 {
		all = append(all, failed)
	}
	p.SVG = r.timed("throughput over time", all, axisLinear, countText)
	return p, true
}

func (r view) plotPercentiles() (plot, bool) {
	p := plot{
		Title: "Percentile curve",
		About: "How slow the slowest are. The curve ends where fewer than ten samples lie beyond.",
	}
	var all []series
	lo, hi, far := math.Inf(1), 0.0, 10.0
	for _, s := range []series{
		{name: "response", class: "s2"},
		{name: "service", class: "s3", dash: true},
		{name: "events", class: "s4"},
		{name: "hangup", class: "s5"},
	} {
		text, ok := r.Histograms[s.name]
		if !ok {
			continue
		}
		h, err := bench.DecodeHistogram(text)
		if err != nil || h.Count() == 0 {
			continue
		}
		for _, pt := range h.Curve() {
			x := 100 / (100 - pt.Percent)
			s.x, s.y = append(s.x, x), append(s.y, float64(pt.Micros))
			s.tips = append(s.tips, fmt.Sprintf("%s p%.5g %s", s.name, pt.Percent, bench.FormatMicros(pt.Micros)))
			lo, hi, far = min(lo, float64(pt.Micros)), max(hi, float64(pt.Micros)), max(far, x)
		}
		if len(s.x) > 0 {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return p, false
	}
	p.SVG = markup(inAllSizes(func(c *chart) {
		c.label, c.ytext, c.xname = "percentile curve", microsText, "percentile"
		c.xtext = func(v float64) string {
			text := strconv.FormatFloat(100-100/v, 'f', -1, 64)
			return text[:min(8, len(text))] + "%"
		}
		c.y, c.yticks = logarithmic(lo, hi)
		c.x, _ = logarithmic(1, far)
		for t := 1.0; t <= c.x.max; t *= 10 {
			c.xticks = append(c.xticks, t)
		}
		c.thinTicks()
		c.frame()
		for _, s := range all {
			c.line(s)
		}
	}) + legend(all))
	return p, true
}

// byNode draws a figure of each node, healthy ones apart from the others, in ascending order.
func (r view) byNode(label string, values []float64, ref float64, refText string, text func(float64) string) markup {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	healthy := series{name: "healthy nodes", class: "s1"}
	others := series{name: "nodes that the profile disturbs", class: "s2"}
	for i, at := range order {
		n, v := &r.Nodes[at], values[at]
		s := &healthy
		if !n.Healthy() {
			s = &others
		}
		s.x, s.y = append(s.x, float64(i)), append(s.y, v)
		s.tips = append(s.tips, fmt.Sprintf("%s (%s): %s", n.Node, n.Condition, text(v)))
	}
	all := []series{healthy}
	if len(others.x) > 0 {
		all = append(all, others)
	}
	return markup(inAllSizes(func(c *chart) {
		c.label, c.ytext, c.xname = label, text, fmt.Sprintf("%d %s, in ascending order", len(order), plural(len(order), "node"))
		c.y, c.yticks = linear(1.1 * max(slices.Max(values), ref)) // room above the rule
		c.x = scale{0, float64(len(order)), false}
		ends := 3
		if c.plotWidth()/float64(len(order)) < slantedWide {
			ends = 1
		}
		for i := range order {
			if len(order) <= c.size.names || i < ends || i >= len(order)-ends { // of many, those at the ends
				c.xticks = append(c.xticks, float64(i)+0.5)
			}
		}
		c.xtext = func(v float64) string { return r.Nodes[order[int(v)]].Node }
		c.slanted = len(order) > c.size.names || c.crowded()
		c.frame()
		c.bars(healthy)
		c.bars(others)
		c.rule(ref, refText)
	}) + legend(all))
}

func (r view) plotShares() (plot, bool) {
	p := plot{
		Title: "Share of each node",
		About: fmt.Sprintf("Completions against a fair share by weight. Jain's index over the healthy nodes is %.4f, 1 being all equal.", r.Fairness.Jain),
	}
	if len(r.Nodes) < 2 {
		return p, false
	}
	shares := bench.Shares(r.Nodes)
	if shares == nil {
		return p, false
	}
	p.SVG = r.byNode("share of each node", shares, 1, "a fair share",
		func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) })
	return p, true
}

func (r view) plotTails() (plot, bool) {
	p := plot{Title: "p99 of each node", About: "Response time. At equal open-loop rates this is where unfairness shows."}
	values := make([]float64, len(r.Nodes))
	for i := range r.Nodes {
		values[i] = float64(r.Nodes[i].P99)
	}
	if len(r.Nodes) < 2 || slices.Max(values) == 0 || r.Fairness.MedianP99 == 0 {
		return p, false
	}
	p.SVG = r.byNode("p99 of each node", values, float64(r.Fairness.MedianP99), "the median node", microsText)
	return p, true
}

func (r view) plotDepth() (plot, bool) {
	p := plot{Title: "Queue depth over time", overTime: true, About: "What was under way at the end of each stretch."}
	if len(r.Intervals) == 0 {
		return p, false
	}
	all := []series{r.over("in flight", "s1", false, countText, func(v *bench.Interval) float64 { return float64(v.InFlight) })}
	if r.Config.Open() {
		all = append(all, r.over("due, not yet sent", "s2", false, countText, func(v *bench.Interval) float64 { return float64(v.Backlog) }))
	}
	if r.Events != nil {
		all = append(all, r.over("queued events", "s4", true, countText, func(v *bench.Interval) float64 { return float64(v.Queued) }))
	}
	p.SVG = r.timed("queue depth over time", all, axisLinear, countText)
	return p, true
}

func (r view) plotQueues() (plot, bool) {
	p := plot{Title: "High-water marks against caps", About: "The fullest that each kind of queue was, on the node where it was fullest."}
	if len(r.Queues) == 0 {
		return p, false
	}
	s := series{class: "s1"}
	top := 0.0
	for i := range r.Queues {
		q := &r.Queues[i]
		top = max(top, q.Fill())
		s.x, s.y = append(s.x, float64(i)), append(s.y, q.Fill())
		s.tips = append(s.tips, fmt.Sprintf("%s: %d of %d %s %s", q.Name, q.High, q.Cap, q.Unit, q.Node))
	}
	p.SVG = markup(inAllSizes(func(c *chart) {
		c.label, c.ytext = "high-water marks against caps", func(v float64) string { return fmt.Sprintf("%g%%", v) }
		for i := range r.Queues {
			c.xticks = append(c.xticks, float64(i)+0.5)
		}
		c.xtext = func(v float64) string { return r.Queues[int(v)].Name }
		c.y, c.yticks = linear(max(100, top))
		c.x = scale{0, float64(len(r.Queues)), false}
		c.slanted = c.crowded()
		c.frame()
		c.bars(s)
		c.rule(100, "cap")
		for i := range r.Queues {
			c.over(float64(i), s.y[i], full(s.y[i])) // most are far below their caps
		}
	}))
	return p, true
}

func (r view) plotMemory() (plot, bool) {
	p := plot{Title: "Memory over time", overTime: true, About: "Of the process that made the load, not of the servers."}
	if len(r.Intervals) == 0 || r.Memory == nil {
		return p, false
	}
	all := []series{r.over("heap", "s4", true, bytesText, func(v *bench.Interval) float64 { return float64(v.Heap) })}
	if r.Memory.PeakRSS > 0 {
		all = append([]series{r.over("resident", "s1", false, bytesText, func(v *bench.Interval) float64 { return float64(v.RSS) })}, all...)
	}
	c := r.timed("memory over time", all, axisBytes, bytesText)
	p.SVG = c
	return p, true
}
