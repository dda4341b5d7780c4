package bench

import (
	"cmp"
	"math"
	"slices"
)

// A Share is what one node got.
type Share struct {
	Node       string
	Weight     float64
	Healthy    bool // the profile leaves the node alone
	Completed  uint64
	P99        int64 // response time in microseconds, 0: too few samples
	Starvation int64 // longest gap without a completion, microseconds
	EventGap   int64 // longest gap in event delivery, microseconds; 0 without a numbered stream
}

// Fairness says how evenly the nodes were served. Where it does not say otherwise it is of the healthy nodes.
type Fairness struct {
	Healthy int `json:"healthy"` // how many nodes that is
	Nodes   int `json:"nodes"`

	// Jain's index over completions by weight: 1 when all are equal, 1/n when one node has everything.
	Jain    float64 `json:"jain"`
	JainAll float64 `json:"jain_all"`

	// The smallest and largest share of the completions, 1 being a fair one.
	MinShare     float64 `json:"min_share"`
	MinShareNode string  `json:"min_share_node,omitempty"`
	MaxShare     float64 `json:"max_share"`
	MaxShareNode string  `json:"max_share_node,omitempty"`

	// The p99 of the node in the middle, and of the worst one against it.
	MedianP99    int64   `json:"median_p99_us,omitempty"`
	WorstP99     int64   `json:"worst_p99_us,omitempty"`
	WorstP99Node string  `json:"worst_p99_node,omitempty"`
	P99Ratio     float64 `json:"p99_ratio,omitempty"`

	// Longest gaps without a completion and without a delivered event.
	Starvation          int64  `json:"starvation_us"`
	StarvationNode      string `json:"starvation_node,omitempty"`
	EventStarvation     int64  `json:"event_starvation_us,omitempty"`
	EventStarvationNode string `json:"event_starvation_node,omitempty"`

	// Worst has the nodes furthest from their fair share or with the longest tails, worst first, and why.
	Worst []WorstNode `json:"worst,omitempty"`
}

// A WorstNode is a node that a reader should look at first.
type WorstNode struct {
	Node  string  `json:"node"`
	Share float64 `json:"share"` // of completions, 1 being a fair one
	P99   int64   `json:"p99_us,omitempty"`
	Why   string  `json:"why"`
}

// maxWorst is how many nodes Fairness names.
const maxWorst = 5

// Jain returns Jain's fairness index of values: (Σx)² / (n·Σx²). It is 1 for no values and for all zero.
func Jain(values []float64) float64 {
	// Scaled by the largest, so that squares neither overflow nor vanish.
	var largest float64
	for _, v := range values {
		largest = max(largest, v)
	}
	if largest == 0 {
		return 1
	}
	var sum, squares float64
	for _, v := range values {
		v /= largest
		sum += v
		squares += v * v
	}
	return sum * sum / (float64(len(values)) * squares)
}

// Judge works out the fairness of a run.
func Judge(shares []Share) Fairness {
	var healthy []Share
	for _, s := range shares {
		if s.Healthy {
			healthy = append(healthy, s)
		}
	}
	f := Fairness{Nodes: len(shares), Healthy: len(healthy)}
	f.Jain, f.JainAll = jainOf(healthy), jainOf(shares)
	if len(healthy) == 0 {
		return f
	}
	f.shares(healthy)
	f.tails(healthy)
	for _, s := range healthy {
		if s.Starvation > f.Starvation {
			f.Starvation, f.StarvationNode = s.Starvation, s.Node
		}
		if s.EventGap > f.EventStarvation {
			f.EventStarvation, f.EventStarvationNode = s.EventGap, s.Node
		}
	}
	f.worst(shares)
	return f
}

func jainOf(shares []Share) float64 {
	x := make([]float64, len(shares))
	for i, s := range shares {
		x[i] = float64(s.Completed) / s.Weight
	}
	return Jain(x)
}

// fair returns the completions that each unit of weight should have got.
func fair(shares []Share) float64 {
	var sum, weight float64
	for _, s := range shares {
		sum += float64(s.Completed)
		weight += s.Weight
	}
	return sum / weight
}

// of returns a node's share, 1 being a fair one.
func (s *Share) of(fair float64) float64 {
	if fair == 0 {
		return 1
	}
	return float64(s.Completed) / s.Weight / fair
}

func (f *Fairness) shares(healthy []Share) {
	unit := fair(healthy)
	f.MinShare, f.MaxShare = math.Inf(1), math.Inf(-1)
	for i := range healthy {
		s := &healthy[i]
		switch x := s.of(unit); {
		case x < f.MinShare && x > f.MaxShare: // the first
			f.MinShare, f.MinShareNode, f.MaxShare, f.MaxShareNode = x, s.Node, x, s.Node
		case x < f.MinShare:
			f.MinShare, f.MinShareNode = x, s.Node
		case x > f.MaxShare:
			f.MaxShare, f.MaxShareNode = x, s.Node
		}
	}
}

func (f *Fairness) tails(healthy []Share) {
	var p99 []Share
	for _, s := range healthy {
		if s.P99 > 0 {
			p99 = append(p99, s)
		}
	}
	if len(p99) == 0 {
		return
	}
	slices.SortStableFunc(p99, func(a, b Share) int { return cmp.Compare(a.P99, b.P99) })
	last := p99[len(p99)-1]
	f.MedianP99 = p99[(len(p99)-1)/2].P99
	f.WorstP99, f.WorstP99Node = last.P99, last.Node
	f.P99Ratio = float64(f.WorstP99) / float64(f.MedianP99)
}

// Bounds beyond which a node is named.
const (
	lowShare  = 0.9
	highShare = 1.1
	longTail  = 2.0 // times the median node's p99
)

func (f *Fairness) worst(shares []Share) {
	unit := fair(shares)
	type ranked struct {
		WorstNode
		by float64
	}
	var all []ranked
	for i := range shares {
		s := &shares[i]
		r := ranked{WorstNode: WorstNode{Node: s.Node, Share: s.of(unit), P99: s.P99}}
		tail := 1.0
		if f.MedianP99 > 0 && s.P99 > 0 {
			tail = float64(s.P99) / float64(f.MedianP99)
		}
		switch {
		case r.Share < lowShare:
			r.Why, r.by = "got less than its share", 1/max(r.Share, 1e-3)
		case tail > longTail:
			r.Why, r.by = "slow tail", tail
		case r.Share > highShare:
			r.Why, r.by = "got more than its share", r.Share
		default:
			continue
		}
		if !s.Healthy {
			r.Why += " (as the profile has it)"
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(b.by, a.by) })
	for _, r := range all[:min(len(all), maxWorst)] {
		f.Worst = append(f.Worst, r.WorstNode)
	}
}
