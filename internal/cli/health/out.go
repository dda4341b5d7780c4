package health

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
)

// level is the whole check's status. With --min-ready that many nodes are ok, however the others are. A node whose own
// settings are wrong was not looked at, and one of which a figure is not known that a --warn or --crit asks about was not
// judged: it is unknown, and matters less than one that is down.
func (l *look) level(found []checkup) int {
	if l.need > 0 && judged(found) >= l.need {
		return nagios.OK
	}
	level := nagios.OK
	for i := range found {
		level = nagios.Worse(level, found[i].level())
	}
	return level
}

// level is the status of one node.
func (h *checkup) level() int {
	switch {
	case h.err != nil && fail.Classify(h.err).Exit == fail.ExitUsage:
		return nagios.Unknown
	case h.err != nil || h.critical:
		return nagios.Critical
	case len(h.unjudged) > 0:
		return nagios.Unknown
	case h.degraded != "":
		return nagios.Warning
	}
	return nagios.OK
}

// judged counts the nodes that are up for certain.
func judged(found []checkup) (n int) {
	for i := range found {
		if found[i].err == nil && !found[i].critical && len(found[i].unjudged) == 0 {
			n++
		}
	}
	return n
}

// nagios writes a status line with performance data, and where several nodes are not ready a line for each, the worst first.
func (l *look) nagios(found []checkup) []byte {
	down, degraded := 0, 0
	var slowest time.Duration
	var why []*checkup
	for i := range found {
		h := &found[i]
		switch {
		case h.err != nil:
			down++
		case h.degraded != "":
			degraded++
		}
		if h.doubt() != "" {
			why = append(why, h)
		}
		slowest = max(slowest, h.ping)
	}
	slices.SortStableFunc(why, func(a, b *checkup) int { return nagios.Compare(b.level(), a.level()) })
	problems := make([]string, len(why))
	for i, h := range why {
		problems[i] = nagios.Text(h.node + ": " + strings.TrimPrefix(h.doubt(), h.node+": "))
	}
	ready := len(found) - down - degraded
	line := nagios.Summary(service, l.level(found), fmt.Sprintf("%d of %s ready", ready, fail.Count(len(found), "node")), problems)
	ping := math.NaN()
	if slowest > 0 {
		ping = slowest.Seconds()
	}
	line += " |"
	one := len(found) == 1
	for _, figure := range []nagios.Datum{
		{Label: "ready", Value: float64(ready), Max: strconv.Itoa(len(found))},
		{Label: "degraded", Value: float64(degraded)},
		{Label: "down", Value: float64(down)},
		l.bounded("calls", one, nagios.Datum{Label: "calls", Value: sum(found, func(h *checkup) int { return h.calls })}),
		l.bounded("channels", one, nagios.Datum{Label: "channels", Value: sum(found, func(h *checkup) int { return h.channels })}),
		l.bounded("ping", one, nagios.Datum{Label: "ping_max", Value: ping, Unit: "s"}),
	} {
		line += " " + figure.String()
	}
	return []byte(line + "\n" + nagios.Details(problems))
}

// bounded is a figure with what --warn and --crit ask of it. They are about a node, and mean nothing of the sum of several.
func (l *look) bounded(metric string, one bool, d nagios.Datum) nagios.Datum {
	if one {
		d.Warn, d.Crit = boundOf(l.warn, metric), boundOf(l.crit, metric)
	}
	return d
}

// boundOf is the first of some rules that is about a figure, as performance data have it.
func boundOf(rules []rule, metric string) string {
	for i := range rules {
		if r := &rules[i]; r.metric == metric {
			return nagios.Range(r.op, r.limit)
		}
	}
	return ""
}

// sum adds up a figure of all nodes, which is not known (NaN) if that of one is not: a node that is down would look like one
// without calls.
func sum(found []checkup, figure func(h *checkup) int) float64 {
	total := 0
	for i := range found {
		n := figure(&found[i])
		if n < 0 {
			return math.NaN()
		}
		total += n
	}
	return float64(total)
}

// doubt says why the node is not ready, or why nobody knows.
func (h *checkup) doubt() string {
	text := h.reason()
	if len(h.unjudged) > 0 && !h.critical {
		if text != "" {
			text += "; "
		}
		text += "not known: " + strings.Join(h.unjudged, ", ")
		if h.refused {
			text += " (the user's write= needs reporting)"
		}
	}
	return text
}

// families are the metrics of a checkup beside the engine's own.
var families = []struct {
	name, help string
	value      func(h *checkup) float64
}{
	{"ami_health_ready", "Whether the node is ready and meets no --warn or --crit.", func(h *checkup) float64 { return metrics.Bool(h.state() == "ready") }},
	{"ami_health_degraded", "Whether the node takes actions, but is degraded or critical.", func(h *checkup) float64 { return metrics.Bool(h.err == nil && h.degraded != "") }},
	{"ami_health_login_refused", "Whether the server refused the login.", func(h *checkup) float64 { return metrics.Bool(h.state() == "login-refused") }},
	{"ami_health_login_seconds", "Dial to login answer.", func(h *checkup) float64 { return seconds(h.login, h.login > 0) }},
	{"ami_health_ping_seconds", "Round trip of a Ping.", func(h *checkup) float64 { return seconds(h.ping, h.ping > 0) }},
	{"ami_health_uptime_seconds", "Time since the server started.", func(h *checkup) float64 { return seconds(h.uptime, h.uptime >= 0) }},
	{"ami_health_calls", "Calls that the server has now.", func(h *checkup) float64 { return figure(h.calls) }},
	{"ami_health_channels", "Channels that the server has now.", func(h *checkup) float64 { return figure(h.channels) }},
	{"ami_health_time_seconds", "When the node was looked at, since the epoch.", func(h *checkup) float64 { return float64(h.at.UnixMicro()) / 1e6 }},
}

// promFamilies returns the engine's own metrics of each node, then what was found. A figure that is not known has no sample.
func promFamilies(found []checkup) []metrics.Family {
	var stats ami.ClusterStats
	for i := range found {
		stats.Nodes = append(stats.Nodes, found[i].stats)
	}
	all := metrics.Of(&stats)
	for _, m := range families {
		f := metrics.Family{Name: m.name, Kind: metrics.Gauge, Help: m.help, Labels: []string{"node"}}
		for i := range found {
			if v := m.value(&found[i]); v == v { // not NaN
				f.Add(v, found[i].node)
			}
		}
		all = append(all, f)
	}
	info := metrics.Family{
		Name: "ami_health_info", Kind: metrics.Gauge, Help: "The server's release and its manager's version.",
		Labels: []string{"node", "version", "banner"},
	}
	for i := range found {
		if h := &found[i]; h.err == nil {
			info.Add(1, h.node, h.version, h.banner)
		}
	}
	return append(all, info)
}
