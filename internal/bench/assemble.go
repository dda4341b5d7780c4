package bench

import (
	"fmt"
	"strconv"
	"time"
)

// channelPrefix begins the ids of the channels of all runs.
const channelPrefix = "amictl-"

// channelID returns the ChannelId of the run's call of that number.
func (r *run) channelID(n uint64) string {
	return channelPrefix + r.ID + "-" + strconv.FormatUint(n, 10)
}

// partial returns the figures so far, without ledger and memory.
func (r *run) partial() *Result {
	res := &Result{
		Schema: Schema, Version: r.Version, Run: r.ID, Started: r.epoch.Add(r.warm), Seed: r.Seed, Machine: thisMachine(),
		Config: r.Config, Ledger: Ledger{Differences: []string{}}, Histograms: map[string]string{}, Intervals: []Interval{},
	}
	response, service := NewHistogram(), NewHistogram()
	kinds := make([]kindRecord, len(r.Mix.Kinds()))
	last, sent := time.Duration(0), time.Duration(0)
	for _, w := range r.workers {
		w.mu.Lock()
		response.Merge(w.response)
		service.Merge(w.service)
		last, sent = max(last, w.lastAnswer), max(sent, w.lastSent)
		for i := range kinds {
			k := &w.kinds[i]
			kinds[i].sent += k.sent
			kinds[i].ended.Add(k.ended)
			kinds[i].response.Merge(&k.response)
			kinds[i].service.Merge(&k.service)
		}
		res.Ledger.Bench.Add(w.all)
		w.mu.Unlock()
	}
	elapsed := max(0, r.measuredUntil(last, sent)-r.warm)
	res.Elapsed = elapsed.Seconds()
	rate := func(t *Tally) {
		if elapsed > 0 {
			t.Rate = float64(t.Answered()) / elapsed.Seconds()
		}
	}
	for i := range kinds {
		k := &kinds[i]
		p := ActionPart{Name: r.Mix.Kinds()[i].Name}
		p.Sent, p.Ended = k.sent, k.ended
		p.Latency(k.response.Summary(), k.service.Summary())
		rate(&p.Tally)
		res.Actions = append(res.Actions, p)
		res.Total.Sent += k.sent
		res.Total.Ended.Add(k.ended)
	}
	res.Total.Latency(response.Summary(), service.Summary())
	rate(&res.Total)
	r.nodeParts(res, rate)
	if r.schedule != nil {
		var dropped uint64
		for i := range res.Nodes {
			dropped += res.Nodes[i].Dropped
		}
		res.Lag = NewLag(r.lag(), time.Duration(r.Config.MaxLag), dropped, res.Total.P50)
	}
	if r.tap != nil {
		res.Events = r.tap.result(r.now())
	}
	if r.calls != nil {
		res.Calls, _ = r.calls.result()
	}
	if r.Sampler != nil {
		f := r.Sampler.Latest()
		res.Memory = &Memory{PeakRSS: f.RSS, PeakHeap: f.Heap, PeakGoroutines: f.Goroutines}
	}
	return res
}

// encode adds the histograms. Encoding cannot fail: they are our own.
func (r *run) encode(res *Result) {
	response, service := NewHistogram(), NewHistogram()
	for _, w := range r.workers {
		w.mu.Lock()
		response.Merge(w.response)
		service.Merge(w.service)
		w.mu.Unlock()
	}
	res.Histograms["response"], _ = response.Encode()
	res.Histograms["service"], _ = service.Encode()
	for i, n := range r.nodes {
		w := r.lanes[n.lanes[0]].worker
		w.mu.Lock()
		res.Nodes[i].Response, res.Nodes[i].Service = n.response.Encode(), n.service.Encode()
		w.mu.Unlock()
	}
	if r.Part != nil && r.schedule != nil {
		res.Histograms["lag"], _ = r.lag().Encode()
	}
	if r.calls != nil {
		_, h := r.calls.result()
		res.Histograms["hangup"], _ = h.Encode()
	}
	if r.tap != nil {
		r.tap.mu.Lock()
		defer r.tap.mu.Unlock()
		if r.tap.latency.Count() > 0 {
			res.Histograms["events"], _ = r.tap.latency.Encode()
		}
	}
}

// lag is how late the generator has been so far.
func (r *run) lag() *Histogram {
	h := NewHistogram()
	for _, w := range r.workers {
		w.mu.Lock()
		h.Merge(w.lag)
		w.mu.Unlock()
	}
	return h
}

// nodeParts fills in nodes and fairness.
func (r *run) nodeParts(res *Result, rate func(*Tally)) {
	for _, n := range r.nodes {
		w := r.lanes[n.lanes[0]].worker
		w.mu.Lock()
		p := NodePart{
			Node: n.name, Condition: n.condition, Weight: n.weight, Dropped: n.dropped,
			Starvation: n.gap.Longest().Microseconds(),
		}
		p.Sent, p.Ended = n.sent, n.ended
		p.Latency(n.response.Summary(), n.service.Summary())
		w.mu.Unlock()
		rate(&p.Tally)
		for _, i := range n.lanes {
			p.Reconnects += r.Engine.Stats(i).Reconnects
			if r.tap != nil {
				r.tap.part(i, &p)
			}
		}
		res.Nodes = append(res.Nodes, p)
	}
	res.Fairness = Judge(res.Nodes)
}

// part adds what a lane's events were to its node's part.
func (t *tap) part(lane int, p *NodePart) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.nodes[lane]
	p.Events += l.delivered
	p.EventDrops += l.dropped
	p.EventGaps += l.gaps
	p.EventStarvation = max(p.EventStarvation, l.longest.Microseconds())
}

// settle is how long the ledgers get to agree: a Ping may be on its way.
const (
	settleTries = 50
	settleEvery = 20 * time.Millisecond
)

// result sums the run up and judges it.
func (r *run) result(started time.Time) (*Result, error) {
	ledger := r.reconcile()
	for i := 0; i < settleTries && len(ledger.Differences) > 0 && !r.Part.gone(); i++ {
		time.Sleep(settleEvery)
		ledger = r.reconcile()
	}
	var memory *Memory
	if r.Sampler != nil { // before summing up, which takes memory of its own
		memory = r.Sampler.Stop(len(r.nodes))
		needs := r.Part.config(&r.Config)
		memory.Estimate = estimate(&needs)
	}
	res := r.partial()
	res.Memory = memory
	res.Ledger = ledger
	res.Intervals = r.intervals
	res.Notes = r.Notes
	res.Partial, res.Ended = r.ended != "", r.ended
	res.Started = started
	r.queues(res)
	r.encode(res)
	res.Decide(r.Thresholds)
	if r.unready != "" {
		res.Because(Invalid, r.unready)
	}
	return res, nil
}

// reconcile compares the books as they are now.
func (r *run) reconcile() Ledger {
	var bench Ended
	flying := int64(0)
	for _, w := range r.workers {
		w.mu.Lock()
		bench.Add(w.all)
		w.mu.Unlock()
		flying += w.flying.Load()
	}
	if r.calls != nil {
		r.calls.mu.Lock()
		bench.Add(r.calls.own)
		r.calls.mu.Unlock()
	}
	var server []simBooks
	var simErr error
	if r.Simulator != nil {
		server, simErr = r.Simulator.Books()
	}
	nodes := make([]nodeBooks, len(r.nodes))
	for i, n := range r.nodes {
		nb := nodeBooks{Node: n.name, Stalled: n.state.Hangs}
		for _, l := range n.lanes {
			s := r.Engine.Stats(l)
			nb.Engine.Add(s.Books)
			nb.Lost += s.Lost
		}
		if i < len(server) {
			nb.Server = &server[i].ServerBooks
		}
		nodes[i] = nb
	}
	l := reconcile(bench, nodes)
	if simErr != nil {
		l.Differences = append(l.Differences, "the simulator's books: "+simErr.Error())
	}
	if flying > 0 {
		l.Differences = append(l.Differences, fmt.Sprintf("actions that had not ended when their timeout had passed: %d", flying))
	}
	r.reconcileEvents(&l)
	return l
}

// reconcileEvents adds what is wrong with the streams.
func (r *run) reconcileEvents(l *Ledger) {
	if r.tap == nil {
		return
	}
	if s := r.tap.stream.Stats(); !s.Exact() {
		l.Differences = append(l.Differences, fmt.Sprintf(
			"events: offered %d, but filtered %d, delivered %d, dropped %d, discarded %d, queued %d",
			s.Offered, s.Filtered, s.Delivered, s.Dropped, s.Discarded, s.Queued))
	}
	e := r.tap.result(0)
	if e.Missing > 0 {
		l.Differences = append(l.Differences, fmt.Sprintf("numbered events that are missing without a mark: %d", e.Missing))
	}
	if e.Disorder > 0 {
		l.Differences = append(l.Differences, fmt.Sprintf("numbered events that came out of order: %d", e.Disorder))
	}
}

// queues fills in high-water marks against caps.
func (r *run) queues(res *Result) {
	pending, write := Queue{Name: "pending", Unit: "actions"}, Queue{Name: "write", Unit: "bytes"}
	lanes := r.Engine.Lanes()
	for i := range lanes {
		s := r.Engine.Stats(i)
		pending.raise(uint64(s.PendingPeak), uint64(s.PendingCap), lanes[i].Name)
		write.raise(uint64(s.WritePeak), uint64(s.WriteCap), lanes[i].Name)
	}
	res.Queues = []Queue{pending, write}
	if r.tap != nil {
		s := r.tap.stream.Stats()
		res.Queues = append(res.Queues,
			Queue{Name: "ring", Unit: "events", High: s.PeakEvents, Cap: s.CapEvents},
			Queue{Name: "ring bytes", Unit: "bytes", High: s.PeakBytes, Cap: s.CapBytes})
	}
}

func (q *Queue) raise(high, limit uint64, node string) {
	if q.Cap == 0 || high*q.Cap > q.High*limit {
		q.High, q.Cap, q.Node = high, limit, node
	}
}
