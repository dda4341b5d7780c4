package bench

// metrics collects the figures that thresholds and comparisons go by. What was not measured is left out.
func (r *Result) metrics() Metrics {
	m := Metrics{}
	micros := func(name string, us int64) {
		if us > 0 {
			m[name] = float64(us)
		}
	}
	t := &r.Total
	for _, l := range []struct {
		prefix                                      string
		p50, p90, p95, p99, p999, p9999, mean, most int64
	}{
		{"", t.P50, t.P90, t.P95, t.P99, t.P999, t.P9999, t.Mean, t.Max},
		{"service.", t.ServiceP50, t.ServiceP90, t.ServiceP95, t.ServiceP99, t.ServiceP999, t.ServiceP9999, t.ServiceMean, t.ServiceMax},
	} {
		micros(l.prefix+"p50", l.p50)
		micros(l.prefix+"p90", l.p90)
		micros(l.prefix+"p95", l.p95)
		micros(l.prefix+"p99", l.p99)
		micros(l.prefix+"p99.9", l.p999)
		micros(l.prefix+"p99.99", l.p9999)
		micros(l.prefix+"mean", l.mean)
		micros(l.prefix+"max", l.most)
	}
	e := t.Ended
	m["sent"], m["ended"], m["replies"], m["errors"] = float64(t.Sent), float64(e.Total()), float64(e.Reply), float64(e.Failed())
	m["timeouts"], m["cancelled"], m["rejected"] = float64(e.Timeout), float64(e.Cancelled), float64(e.Rejected)
	m["disconnects"] = float64(e.Unsent + e.Maybe)
	if r.Elapsed > 0 {
		m["rate"] = t.Rate
	}
	m["ledger"] = float64(len(r.Ledger.Differences))
	r.nodeMetrics(m)
	r.fairMetrics(m, micros)
	r.otherMetrics(m, micros)
	return m
}

func (r *Result) nodeMetrics(m Metrics) {
	var drops, all, gaps, reconnects, dropped float64
	for i := range r.Nodes {
		n := &r.Nodes[i]
		all += float64(n.EventDrops)
		if n.Healthy() {
			drops += float64(n.EventDrops)
		}
		gaps += float64(n.EventGaps)
		reconnects += float64(n.Reconnects)
		dropped += float64(n.Dropped)
	}
	m["reconnects"], m["dropped"] = reconnects, dropped
	m["errors"] += dropped // what is never sent is no success
	if r.Events != nil {
		m["drops"], m["drops_all"], m["gaps"] = drops, all, gaps
	}
}

func (r *Result) fairMetrics(m Metrics, micros func(string, int64)) {
	f := &r.Fairness
	if f.Healthy > 0 {
		m["starvation"] = float64(f.Starvation)
		m["jain"], m["jain_all"] = f.Jain, f.JainAll
		m["min_share"], m["max_share"] = f.MinShare, f.MaxShare
	}
	if f.P99Ratio > 0 {
		m["p99_ratio"] = f.P99Ratio
	}
	micros("node_p99", f.WorstP99)
	if r.Events != nil && r.Config.EventRate > 0 && f.Healthy > 0 {
		m["event_starvation"] = float64(f.EventStarvation)
	}
}

func (r *Result) otherMetrics(m Metrics, micros func(string, int64)) {
	if r.Lag != nil {
		m["lag"] = float64(r.Lag.P99)
	}
	if mem := r.Memory; mem != nil {
		m["heap"], m["goroutines"] = float64(mem.PeakHeap), float64(mem.PeakGoroutines)
		if mem.PeakRSS > 0 {
			m["rss"], m["rss_growth"], m["per_node"] = float64(mem.PeakRSS), float64(mem.Growth()), float64(mem.PerNode)
		}
	}
	if len(r.Queues) > 0 {
		m["queue"] = 0
	}
	for i := range r.Queues {
		m["queue"] = max(m["queue"], r.Queues[i].Fill())
	}
	if ev := r.Events; ev != nil {
		m["events"], m["event_rate"] = float64(ev.Delivered), ev.Rate
		micros("events.p50", ev.P50)
		micros("events.p99", ev.P99)
		micros("events.p99.9", ev.P999)
		micros("events.max", ev.Max)
	}
	if c := r.Calls; c != nil {
		m["calls"], m["calls_left"] = float64(c.Originated), float64(c.Left)
		m["channels"] = float64(c.Channels)
		micros("hangup.p50", c.HangupP50)
		micros("hangup.p99", c.HangupP99)
		micros("hangup.max", c.HangupMax)
	}
}
