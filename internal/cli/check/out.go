package check

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/internal/testreport"
	"github.com/apntalk/amictl/pkg/output"
)

// service is what Nagios calls what is checked.
const service = "ASTERISK"

func (r *result) level() int {
	if r.err != nil && !r.inSession && fail.Classify(r.err).Exit == fail.ExitUsage { // its settings are wrong: it was not looked at
		return nagios.Unknown
	}
	return statuses[r.status].nagios
}

// level is the status of all checks together.
func level(results [][]result) int {
	worst := nagios.OK
	for _, node := range results {
		for i := range node {
			worst = nagios.Worse(worst, node[i].level())
		}
	}
	return worst
}

// nagiosText is a status line with performance data, and where several checks are not well a line for each, the worst first.
func nagiosText(results [][]result) []byte {
	worst := level(results)
	var why []*result
	var data strings.Builder
	total, passes, skips := 0, 0, 0
	for _, node := range results {
		for i := range node {
			r := &node[i]
			switch total++; {
			case r.status == passed:
				passes++
			case r.status == skipped:
				skips++
			default:
				why = append(why, r)
			}
			for _, m := range r.figures {
				data.WriteByte(' ')
				data.WriteString(datum(r, m, len(results) > 1).String())
			}
		}
	}
	slices.SortStableFunc(why, func(a, b *result) int { return nagios.Compare(b.level(), a.level()) })
	found := fmt.Sprintf("%d of %s passed", passes, fail.Count(total, "check"))
	if skips > 0 {
		found += fmt.Sprintf(", %d skipped", skips)
	}
	problems, details := make([]string, len(why)), make([]string, len(why))
	for i, r := range why {
		problems[i] = nagios.Text(r.node + ": " + r.check + ": " + r.detail)
		details[i] = nagios.Word(r.level()) + " " + problems[i]
	}
	line := nagios.Summary(service, worst, found, problems)
	line += fmt.Sprintf(" |%s %v %v\n", data.String(), nagios.Datum{Label: "checks", Value: float64(total)}, nagios.Datum{Label: "passed", Value: float64(passes)})
	return []byte(line + nagios.Details(details))
}

// datum is a figure as performance data. Of a single node its name goes without saying.
func datum(r *result, m measured, several bool) nagios.Datum {
	label := r.check + " " + m.name
	if several {
		label = r.node + " " + label
	}
	return nagios.Datum{Label: label, Value: m.value, Unit: m.unit, Warn: m.warn, Crit: m.crit}
}

// families are the checks as metrics. A figure that is not known has no sample.
func families(results [][]result) []metrics.Family {
	e := exposition{seen: make(map[string]bool), all: []metrics.Family{
		{Name: "ami_check_status", Kind: metrics.Gauge, Labels: []string{"node", "check"}, Help: "How a check ended: 0 well, 1 a warning, 2 failed, 3 not known. One that was skipped has none."},
		{Name: "ami_check_took_seconds", Kind: metrics.Gauge, Labels: []string{"node", "check"}, Help: "How long a check took."},
		{Name: "ami_check_time_seconds", Kind: metrics.Gauge, Labels: []string{"node"}, Help: "When the node was checked, since the epoch."},
	}}
	for _, node := range results {
		for i := range node {
			r := &node[i]
			if r.status != skipped {
				e.all[0].Add(float64(r.level()), r.node, r.check)
				e.all[1].Add(r.took.Seconds(), r.node, r.check)
			}
			for j := range r.figures {
				e.add(r, &r.figures[j])
			}
		}
		if len(node) > 0 {
			e.all[2].Add(float64(node[len(node)-1].at.UnixMicro())/1e6, node[0].node)
		}
	}
	return e.all
}

// An exposition gathers metrics by their names.
type exposition struct {
	all  []metrics.Family
	seen map[string]bool // samples: two checks may look at one thing
}

// add adds a figure to its family, which is made if it is the first.
func (e *exposition) add(r *result, m *measured) {
	labels, values := []string{"node"}, []string{r.node}
	switch {
	case m.metric == commandMetric:
		labels, values = append(labels, "check", m.label), append(values, r.check, m.of)
	case m.label != "":
		labels, values = append(labels, m.label), append(values, m.of)
	case m.counted():
		labels, values = append(labels, "check"), append(values, r.check)
	}
	key := m.metric + "\x00" + strings.Join(values, "\x00")
	if math.IsNaN(m.value) || e.seen[key] {
		return
	}
	e.seen[key] = true
	at := slices.IndexFunc(e.all, func(f metrics.Family) bool { return f.Name == m.metric })
	if at < 0 {
		at = len(e.all)
		e.all = append(e.all, metrics.Family{Name: m.metric, Kind: m.kind(), Help: m.help, Labels: labels})
	}
	e.all[at].Add(m.value, values...)
}

// counted reports whether a figure is of a count, which the name of its check tells from another.
func (m *measured) counted() bool {
	return slices.ContainsFunc(counted, func(f figure) bool { return f.metric == m.metric })
}

// suites are the checks of each node as tests: one that is undecided is an error, for it says nothing of the server.
func suites(results [][]result) []testreport.Suite {
	outcomes := [...]testreport.Outcome{passed: testreport.Passed, warned: testreport.Failed, failed: testreport.Failed, skipped: testreport.Skipped, undecided: testreport.Error}
	all := make([]testreport.Suite, len(results))
	for i, node := range results {
		for j := range node {
			r := &node[j]
			if j == 0 {
				all[i] = testreport.Suite{Name: output.Safe(r.node), Package: "amictl.check", Start: r.at}
			}
			c := testreport.Case{Name: output.Safe(r.check), Outcome: outcomes[r.status], Message: output.Safe(r.detail), Took: r.took}
			if c.Kind = string(fail.Classify(r.err).Code); r.status == warned {
				c.Kind = "warning"
			}
			all[i].Cases = append(all[i].Cases, c)
		}
	}
	return all
}
