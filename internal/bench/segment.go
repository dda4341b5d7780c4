package bench

import (
	"fmt"
	"math/bits"
)

// A Segment is one worker's part of a load that several share: some of the nodes, or some of a node's sessions. Each session
// does in it what it does where one process has the whole load, so the parts add up to the load exactly. An open loop's arrivals
// go from node to node, so a worker's nodes are Workers apart: neighbours would be due in one burst, at the rate of the whole load.
type Segment struct {
	Worker       int `json:"worker"` // from 0
	Workers      int `json:"workers"`
	FirstNode    int `json:"first_node"` // the next ones are Workers apart
	Nodes        int `json:"nodes"`
	FirstSession int `json:"first_session"`
	Sessions     int `json:"sessions"` // of each of these nodes
	// Weights are those of all nodes of the load, in order; nil: they are alike.
	Weights []float64 `json:"weights,omitempty"`

	before, own, all uint64 // callers of the segments before this one, its own, and everybody's
}

// SessionsFor returns how many sessions a node needs at least so that each of the workers has one.
func SessionsFor(nodes, workers int) int { return max(1, (workers+nodes-1)/max(1, nodes)) }

// Cut shares a load out to workers: the nodes, where there are enough, else the sessions of each node. names are those of
// the nodes, in order. c has its defaults. Errors are *ConfigError.
func (c *Config) Cut(names []string, workers int) ([]Segment, error) {
	nodes := len(names)
	switch {
	case workers < 1:
		return nil, &ConfigError{"workers", "must be at least 1"}
	case nodes < workers && c.simulates():
		return nil, &ConfigError{"nodes", fmt.Sprintf("are %d, and each of %d workers simulates its own", nodes, workers)}
	case nodes < workers && c.Sessions < SessionsFor(nodes, workers):
		return nil, &ConfigError{"sessions", fmt.Sprintf("of %d to each of %d nodes are too few for %d workers", c.Sessions, nodes, workers)}
	}
	var weights []float64
	if len(c.Weights) > 0 {
		for _, name := range names {
			weights = append(weights, c.Weights.Of(name))
		}
	}
	segments := make([]Segment, workers)
	for i := range segments {
		segments[i] = Segment{Worker: i, Workers: workers, Weights: weights, Sessions: c.Sessions}
		s := &segments[i]
		if nodes >= workers {
			s.FirstNode, s.Nodes = i, (nodes-i+workers-1)/workers
			continue
		}
		// Each node has workers of its own, and they share its sessions.
		s.FirstNode, s.Nodes = i*nodes/workers, 1
		first := (s.FirstNode*workers + nodes - 1) / nodes
		after := ((s.FirstNode+1)*workers + nodes - 1) / nodes
		s.FirstSession, s.Sessions = span(c.Sessions, i-first, after-first)
	}
	for i := range segments {
		segments[i].count(c, nodes)
		if c.Workload == WorkloadCalls && segments[i].part(uint64(c.MaxCalls)) == 0 {
			return nil, &ConfigError{"max calls", fmt.Sprintf("of %d are too few for %d workers", c.MaxCalls, workers)}
		}
	}
	return segments, nil
}

// span returns where part i of n begins, and how long it is: parts differ by one at most.
func span(total, i, n int) (first, length int) {
	first = total * i / n
	return first, total*(i+1)/n - first
}

// weight returns the weight of a node of the load.
func (s *Segment) weight(node int) float64 {
	if node < len(s.Weights) {
		return s.Weights[node]
	}
	return 1
}

// count counts the callers before the segment, in it, and of all nodes. Segments follow one another by their first nodes, and
// within a node session by session.
func (s *Segment) count(c *Config, nodes int) {
	s.before, s.own, s.all = 0, 0, 0
	for node := range nodes {
		callers := uint64(c.callersAt(s.weight(node)))
		switch first := node % s.Workers; {
		case first < s.FirstNode:
			s.before += callers * uint64(c.Sessions)
		case first == s.FirstNode:
			s.own += callers * uint64(s.Sessions)
		}
		if node == s.FirstNode {
			s.before += callers * uint64(s.FirstSession)
		}
		s.all += callers * uint64(c.Sessions)
	}
}

// part is the segment's part of a total, by callers. The parts of all segments add up to the total.
func (s *Segment) part(total uint64) uint64 {
	return scale(total, s.before+s.own, s.all) - scale(total, s.before, s.all)
}

// scale is total*n/of, of being no smaller than n and more than 0.
func scale(total, n, of uint64) uint64 {
	high, low := bits.Mul64(total, n)
	q, _ := bits.Div64(high, low, of)
	return q
}

// config is a Config that needs as much room as the segment's part of c.
func (s *Segment) config(c *Config) Config {
	local := *c
	local.Nodes, local.Sessions = s.Nodes, s.Sessions
	if !c.Open() {
		local.Concurrency = c.Callers() * s.Sessions
	}
	return local
}

// Has reports whether a node of the load, or some of its sessions, are the segment's.
func (s *Segment) Has(node int) bool { return node%s.Workers == s.FirstNode }

// owns reports whether a session of a node of the load is the segment's.
func (s *Segment) owns(node, session int) bool {
	return s.Has(node) && session >= s.FirstSession && session < s.FirstSession+s.Sessions
}

// turns are all sessions of the load in order, nil for those that are not the segment's; local are its own. The first
// result has them as arrivals wants them.
func (s *Segment) turns(c *Config, local []*lane) (all, own []*lane) {
	for node := range c.Nodes {
		n := &nodeRecord{weight: s.weight(node)}
		for session := range c.Sessions {
			all = append(all, &lane{node: n})
			if s.owns(node, session) && len(local) > 0 {
				own, local = append(own, local[0]), local[1:]
			} else {
				own = append(own, nil)
			}
		}
	}
	return all, own
}

// Arrivals returns how many actions of an open loop's measurement are the segment's.
func (s *Segment) Arrivals(c *Config) (uint64, error) {
	r := &run{Config: *c}
	if err := r.plan(); err != nil {
		return 0, err
	}
	all, _ := s.turns(c, nil)
	order := arrivals(all)
	upTo := func(n uint64) (count uint64) { // of the first n arrivals
		var cycle, rest uint64
		for i, lane := range order {
			if s.owns(lane/c.Sessions, lane%c.Sessions) {
				cycle++
				if uint64(i) < n%uint64(len(order)) {
					rest++
				}
			}
		}
		return n/uint64(len(order))*cycle + rest
	}
	return upTo(r.lead+r.schedule.Total()) - upTo(r.lead), nil
}

// fraction is the part of an open loop's rate that is the segment's.
func (s *Segment) fraction(c *Config) float64 {
	var own, all float64
	for node := range c.Nodes {
		all += s.weight(node) * float64(c.Sessions)
		if s.Has(node) {
			own += s.weight(node) * float64(s.Sessions)
		}
	}
	return own / all
}

// Share returns what part of the load is the segment's, from 0 to 1.
func (s *Segment) Share(c *Config) float64 {
	if c.Open() {
		return s.fraction(c)
	}
	s.count(c, c.Nodes)
	return float64(s.own) / float64(s.all)
}

// Quota returns how many actions of a counted closed loop are the segment's.
func (s *Segment) Quota(c *Config) uint64 {
	s.count(c, c.Nodes)
	return s.part(c.Actions)
}
