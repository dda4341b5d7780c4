package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/report"
)

// maxSkew is how far from the instant of the start a worker may begin. Beyond it they did not load the servers together.
const maxSkew = 5 * time.Millisecond

// outcome makes one result of what the workers said.
func (c *coordinator) outcome(plans []plan, started time.Time) (*bench.Result, error) {
	var results []*bench.Result
	var differences []string
	for i, m := range c.members {
		if r := m.result; r != nil {
			differences = append(differences, c.audit(i, m, &plans[i])...)
			r.Started, r.Workers = started, nil
			r.Config = c.load.Config
			results = append(results, r)
		}
	}
	res, err := c.merge(results, plans)
	if err != nil {
		return nil, err
	}
	res.Run, res.Started, res.Seed = c.Run, started, c.Seed
	res.Ledger.Differences = append(res.Ledger.Differences, differences...)
	thresholds, err := bench.ParseThresholds(c.load.Config.FailIf, false)
	if err != nil {
		return nil, err
	}
	res.Decide(thresholds)
	report.Carry(res, results, thresholds)
	c.judge(res)
	return res, nil
}

// merge adds the results up. Where workers are missing the totals are those of their stretches.
func (c *coordinator) merge(results []*bench.Result, plans []plan) (res *bench.Result, err error) {
	if len(results) > 0 {
		if res, err = report.Merge(results); err != nil {
			return nil, err
		}
		res.Notes = res.Notes[:len(res.Notes)-1] // that they were merged; the workers are listed
		for _, r := range results {
			res.Notes = append(res.Notes, r.Notes...)
		}
	} else {
		res = &bench.Result{
			Schema: bench.Schema, Version: c.Version, Config: c.load.Config, Nodes: []bench.NodePart{}, Histograms: map[string]string{},
			Ledger: bench.Ledger{Differences: []string{}},
		}
		if at := c.clock.now() - c.began; at > 0 {
			res.Elapsed = at.Seconds()
		}
	}
	res.Notes = append(res.Notes, c.notes...)
	missing := len(results) < c.Workers
	if err := c.stretches.Apply(res, missing); err != nil {
		return nil, err
	}
	if c.ending != "" {
		res.Partial, res.Ended = true, c.ending
	}
	c.order(res.Nodes)
	for i, m := range c.members {
		p := c.part(i, m)
		if i < len(plans) { // nobody had one who was lost before he joined
			p.Share = plans[i].Segment.Share(&c.load.Config)
		}
		if res.Elapsed > 0 {
			p.Rate = float64(p.Ended.Reply+p.Ended.Error) / res.Elapsed
		}
		res.Workers = append(res.Workers, p)
	}
	return res, nil
}

// order puts nodes in the order of the load, which is not that of their workers.
func (c *coordinator) order(nodes []bench.NodePart) {
	place := map[string]int{}
	for i, name := range c.load.names() {
		place[name] = i
	}
	slices.SortStableFunc(nodes, func(a, b bench.NodePart) int { return cmp.Compare(place[a.Node], place[b.Node]) })
}

// skew is how long after the instant of the start a worker began, by all that is known of its clock.
func (c *coordinator) skew(m *member) time.Duration {
	if m.began == 0 || !m.before.known {
		return 0
	}
	return toOurs(m.began, &m.before, &m.after) - c.began
}

// part is what the result says of a worker.
func (c *coordinator) part(i int, m *member) bench.WorkerPart {
	t := c.stretches.Tally(i)
	p := bench.WorkerPart{
		Name: m.name, Sent: t.Sent, Ended: t.Ended, Lost: m.lost, Skew: c.skew(m).Microseconds(), Error: max(1, m.before.err().Microseconds()),
	}
	if r := m.result; r != nil {
		p.Nodes, p.Sent, p.Ended, p.P50, p.P99 = len(r.Nodes), r.Total.Sent, r.Total.Ended, r.Total.P50, r.Total.P99
		if r.Lag != nil {
			p.Lag = r.Lag.P99
		}
	}
	if m.after.known {
		p.Drift = (m.after.ahead - m.before.ahead).Microseconds()
	}
	if _, longest := m.silence(c.clock.now(), 0); longest > pauseFrom {
		p.Silent = longest.Microseconds()
	}
	return p
}

// judge adds to the verdict what is wrong with how the workers worked together.
func (c *coordinator) judge(res *bench.Result) {
	for i, m := range c.members {
		w := &res.Workers[i]
		switch {
		case m.told: // it is no cause
		case m.lost != "":
			res.Because(bench.Invalid, fmt.Sprintf("worker %s was lost: %s; its figures are those that it reported before", m.name, m.lost))
		case m.began == 0:
			res.Because(bench.Invalid, fmt.Sprintf("worker %s did not begin", m.name))
		case max(w.Skew, -w.Skew) > maxSkew.Microseconds():
			res.Because(bench.Invalid, fmt.Sprintf("worker %s began %s from the instant of the start; %s is the most", m.name, time.Duration(w.Skew)*time.Microsecond, maxSkew))
		}
		if w.Silent > 0 {
			res.Notes = append(res.Notes, fmt.Sprintf("worker %s was not heard from for %.1f s: it, or the way to it, stood still", m.name, float64(w.Silent)/1e6))
		}
		if m.deaf > pauseFrom {
			res.Notes = append(res.Notes, fmt.Sprintf("worker %s did not hear the coordinator for %.1f s", m.name, m.deaf.Seconds()))
		}
	}
	if c.lost != "" && len(c.members) < c.Workers {
		res.Because(bench.Invalid, "worker "+c.lost+" was lost")
	}
}
