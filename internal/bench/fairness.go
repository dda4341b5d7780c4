package bench

import (
	"cmp"
	"math"
	"slices"
)

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

// jain returns Jain's fairness index of values: (Σx)² / (n·Σx²). It is 1 for no values and for all zero.
func jain(values []float64) float64 {
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
func Judge(nodes []NodePart) Fairness {
	healthy := undisturbed(nodes)
	f := Fairness{Nodes: len(nodes), Healthy: len(healthy)}
	f.Jain, f.JainAll = jainOf(healthy), jainOf(nodes)
	if len(healthy) == 0 {
		return f
	}
	f.shares(healthy)
	f.tails(healthy)
	for i := range healthy {
		n := &healthy[i]
		if n.Starvation > f.Starvation {
			f.Starvation, f.StarvationNode = n.Starvation, n.Node
		}
		if n.EventStarvation > f.EventStarvation {
			f.EventStarvation, f.EventStarvationNode = n.EventStarvation, n.Node
		}
	}
	f.worst(nodes)
	return f
}

// Shares returns each node's share of the completions, 1 being what the healthy nodes got on average by weight. It is
// nil when no node is healthy.
func Shares(nodes []NodePart) []float64 {
	healthy := undisturbed(nodes)
	if len(healthy) == 0 {
		return nil
	}
	unit := fair(healthy)
	shares := make([]float64, len(nodes))
	for i := range nodes {
		shares[i] = nodes[i].share(unit)
	}
	return shares
}

// undisturbed returns the nodes that the profile leaves alone.
func undisturbed(nodes []NodePart) []NodePart {
	return slices.DeleteFunc(slices.Clone(nodes), func(n NodePart) bool { return !n.Healthy() })
}

func jainOf(nodes []NodePart) float64 {
	x := make([]float64, len(nodes))
	for i := range nodes {
		x[i] = nodes[i].share(1)
	}
	return jain(x)
}

// fair returns the completions that each unit of weight should have got.
func fair(nodes []NodePart) float64 {
	var sum, weight float64
	for i := range nodes {
		sum += float64(nodes[i].Answered())
		weight += nodes[i].Weight
	}
	return sum / weight
}

// share returns a node's share of the completions by its weight, 1 being fair.
func (n *NodePart) share(fair float64) float64 {
	if fair == 0 {
		return 1
	}
	return float64(n.Answered()) / n.Weight / fair
}

func (f *Fairness) shares(healthy []NodePart) {
	unit := fair(healthy)
	f.MinShare, f.MaxShare = math.Inf(1), math.Inf(-1)
	for i := range healthy {
		s := &healthy[i]
		switch x := s.share(unit); {
		case x < f.MinShare && x > f.MaxShare: // the first
			f.MinShare, f.MinShareNode, f.MaxShare, f.MaxShareNode = x, s.Node, x, s.Node
		case x < f.MinShare:
			f.MinShare, f.MinShareNode = x, s.Node
		case x > f.MaxShare:
			f.MaxShare, f.MaxShareNode = x, s.Node
		}
	}
}

func (f *Fairness) tails(healthy []NodePart) {
	var p99 []NodePart
	for _, s := range healthy {
		if s.P99 > 0 {
			p99 = append(p99, s)
		}
	}
	if len(p99) == 0 {
		return
	}
	slices.SortStableFunc(p99, func(a, b NodePart) int { return cmp.Compare(a.P99, b.P99) })
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

func (f *Fairness) worst(nodes []NodePart) {
	unit := fair(nodes)
	type ranked struct {
		WorstNode
		by float64
	}
	var all []ranked
	for i := range nodes {
		s := &nodes[i]
		r := ranked{WorstNode: WorstNode{Node: s.Node, Share: s.share(unit), P99: s.P99}}
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
		if !s.Healthy() {
			r.Why += " (as the profile has it)"
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(b.by, a.by) })
	for _, r := range all[:min(len(all), maxWorst)] {
		f.Worst = append(f.Worst, r.WorstNode)
	}
}
