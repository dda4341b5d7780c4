package fleet

import (
	"fmt"

	"github.com/apntalk/amictl/internal/bench"
)

// audit compares all that a worker said of its load: its plan, its stretches, its result's parts, and its ledger. It returns
// what does not agree.
func (c *coordinator) audit(i int, m *member, p *plan) (differences []string) {
	r := m.result
	differ := func(format string, a ...any) {
		differences = append(differences, "worker "+m.name+": "+fmt.Sprintf(format, a...))
	}
	for _, d := range contradictions(r) {
		differ("%s", d)
	}
	if t := c.stretches.Tally(i); m.got == m.sent && (t.Sent != r.Total.Sent || t.Ended != r.Total.Ended) {
		differ("its stretches count %d sent and %d ended, its result %d and %d", t.Sent, t.Ended.Total(), r.Total.Sent, r.Total.Ended.Total())
	}
	if m.got != m.sent {
		differ("%d of its %d stretches came", m.got, m.sent)
	}
	if want, known := planned(&p.Config, &p.Segment); known && !r.Partial {
		if dropped := dropped(r); r.Total.Sent+dropped != want {
			differ("its part of the plan is %d actions, and it sent %d and dropped %d", want, r.Total.Sent, dropped)
		}
	}
	return differences
}

// planned returns how many actions a segment has to send, where the plan says so.
func planned(cfg *bench.Config, s *bench.Segment) (n uint64, known bool) {
	switch {
	case cfg.Open():
		n, err := s.Arrivals(cfg)
		return n, err == nil
	case cfg.Actions > 0:
		return s.Quota(cfg), true
	}
	return 0, false
}

func dropped(r *bench.Result) (n uint64) {
	for i := range r.Nodes {
		n += r.Nodes[i].Dropped
	}
	return n
}

// contradictions says where the parts of a result do not agree with one another.
func contradictions(r *bench.Result) (out []string) {
	differ := func(what string, a, b uint64) {
		if a != b {
			out = append(out, fmt.Sprintf("%s: %d, and %d in its total", what, a, b))
		}
	}
	var nodes, actions bench.Tally
	for i := range r.Nodes {
		nodes.Sent += r.Nodes[i].Sent
		nodes.Ended.Add(r.Nodes[i].Ended)
	}
	for i := range r.Actions {
		actions.Sent += r.Actions[i].Sent
		actions.Ended.Add(r.Actions[i].Ended)
	}
	differ("sent to its nodes", nodes.Sent, r.Total.Sent)
	differ("of its actions", actions.Sent, r.Total.Sent)
	if nodes.Ended != r.Total.Ended || actions.Ended != r.Total.Ended {
		out = append(out, "how its actions ended differs between its nodes, its actions and its total")
	}
	if h, err := bench.DecodeHistogram(r.Histograms["service"]); err != nil || uint64(max(0, h.Count())) != r.Total.Answered() {
		out = append(out, "its service times are not as many as its answers")
	}
	// The ledger has the warm-up and what was no load as well.
	b, t := r.Ledger.Bench, r.Total.Ended
	if b.Reply < t.Reply || b.Error < t.Error || b.Timeout < t.Timeout || b.Total() < t.Total() ||
		r.Config.WarmUp == 0 && r.Calls == nil && b != t {
		out = append(out, fmt.Sprintf("its ledger has %d ends, its total %d", b.Total(), t.Total()))
	}
	e := r.Ledger.Engine
	if b.Reply != e.Replied || b.Error != e.ErrorReplies || b.Timeout != e.TimedOut || b.Rejected != e.Rejected || e.Accepted != e.InFlight+e.Ended() {
		out = append(out, "its ledger is not that of its engine")
	}
	if s := r.Ledger.Simulator; s != nil && r.Ledger.Bounded == 0 && (s.Received > e.Accepted+e.Internal || s.Replied < e.Replied+e.ErrorReplies) {
		out = append(out, fmt.Sprintf("its engine took %d replies, its simulator read %d actions and wrote %d replies", e.Replied+e.ErrorReplies, s.Received, s.Replied))
	}
	return out
}
