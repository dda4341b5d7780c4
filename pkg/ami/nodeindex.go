package ami

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
)

// groupSeats is how many nodes a group has room for: the bits of a word.
const groupSeats = 64

// A nodeIndex finds a node for an action without a look at each. The nodes keep it up: which of them take actions, and how
// many each has in flight. It is in the order in which they were added. What chooses and what changes only load and store
// words, so that nobody waits for anybody.
type nodeIndex struct {
	all  atomic.Pointer[[]run] // a run a group; changed under the cluster's mu
	last *nodeGroup            // whose seats are given out, nil: none; guarded by the cluster's mu

	// counted: the nodes tell how many actions they have in flight, from the first route on that asks.
	counted atomic.Bool
}

// A nodeGroup holds what an index knows of some nodes.
type nodeGroup struct {
	ready atomic.Uint64 // a bit for each that takes actions
	given int           // seats; guarded by the cluster's mu
	taken int           // of them, not left; guarded by the cluster's mu
	nodes [groupSeats]atomic.Pointer[Node]

	_       cacheLine
	changes atomic.Uint64 // of what least depends on, counted after each
	least   atomic.Uint64 // what the last look found, as look packs it
	pending [groupSeats]atomic.Int32
}

// A run is some nodes of one group, in the group's order. What is chosen from is runs: the whole index, or the nodes that
// a route names, in its order.
type run struct {
	group *nodeGroup
	mask  uint64
}

// ready returns the run's nodes that take actions.
func (r *run) ready() uint64 { return r.group.ready.Load() & r.mask }

// A seat is a node's place in an index, for life.
type seat struct {
	group   *nodeGroup
	bit     int
	counted *atomic.Bool // the index's
	left    atomic.Bool
}

// join gives a node its seat, behind all others. Called under the cluster's mu.
func (x *nodeIndex) join(n *Node) {
	if x.last == nil || x.last.given == groupSeats {
		x.last = &nodeGroup{}
		all := append(slices.Clone(x.runs()), run{x.last, math.MaxUint64})
		x.all.Store(&all)
	}
	g := x.last
	n.seat.group, n.seat.bit, n.seat.counted = g, g.given, &x.counted
	g.nodes[g.given].Store(n)
	g.given++
	g.taken++
}

// leave takes a node out. A group that nobody is left in goes too. Called under the cluster's mu.
func (x *nodeIndex) leave(n *Node) {
	s := &n.seat
	s.left.Store(true)
	s.setReady(false)
	s.group.nodes[s.bit].Store(nil)
	if s.group.taken--; s.group.taken == 0 && s.group.given == groupSeats {
		all := slices.DeleteFunc(slices.Clone(x.runs()), func(r run) bool { return r.group == s.group })
		x.all.Store(&all)
		if x.last == s.group {
			x.last = nil
		}
	}
}

// runs returns all nodes.
func (x *nodeIndex) runs() []run {
	if p := x.all.Load(); p != nil {
		return *p
	}
	return nil
}

// appendRun adds a node behind the others.
func appendRun(runs []run, n *Node) []run {
	bit := uint64(1) << n.seat.bit
	if last := len(runs) - 1; last >= 0 && runs[last].group == n.seat.group && runs[last].mask < bit {
		runs[last].mask |= bit
		return runs
	}
	return append(runs, run{n.seat.group, bit})
}

// setReady tells whether the node takes actions.
func (s *seat) setReady(ready bool) {
	bit := uint64(1) << s.bit
	if ready {
		s.group.ready.Or(bit)
	}
	if !ready || s.left.Load() { // one that leaves meanwhile clears its bit after it says so
		s.group.ready.And(^bit)
	}
	s.group.changes.Add(1)
}

// tell tells how many actions the node has in flight, if anybody wants to know.
func (s *seat) tell(pending int) {
	if s == nil || !s.counted.Load() {
		return
	}
	s.group.pending[s.bit].Store(int32(pending))
	s.group.changes.Add(1)
}

// first returns the first node that takes actions, or nil.
func first(runs []run) *Node {
	for i := range runs {
		for ready := runs[i].ready(); ready != 0; ready &= ready - 1 {
			if n := runs[i].group.nodes[bits.TrailingZeros64(ready)].Load(); n != nil {
				return n
			}
		}
	}
	return nil
}

// inTurn returns the node whose turn it is among those that take actions, or nil.
func inTurn(runs []run, turn uint64) *Node {
	all := uint64(0)
	for i := range runs {
		all += uint64(bits.OnesCount64(runs[i].ready()))
	}
	if all == 0 {
		return nil
	}
	turn %= all
	for i := range runs {
		ready := runs[i].ready()
		if n := uint64(bits.OnesCount64(ready)); turn >= n {
			turn -= n
			continue
		}
		for ; turn > 0; turn-- {
			ready &= ready - 1
		}
		if n := runs[i].group.nodes[bits.TrailingZeros64(ready)].Load(); n != nil {
			return n
		}
	}
	return first(runs) // some went away between the two looks
}

// least returns the node with the fewest actions in flight among those that take actions, the first of several, or nil.
func least(runs []run) *Node {
	var group *nodeGroup
	var bit int
	fewest := int32(nobody)
	for i := range runs {
		r := &runs[i]
		ready := r.ready()
		if ready == 0 {
			continue
		}
		if n, at := r.group.fewest(ready); n < fewest {
			group, bit, fewest = r.group, at, n
		}
		if fewest == 0 {
			break
		}
	}
	if group == nil {
		return nil
	}
	if n := group.nodes[bit].Load(); n != nil {
		return n
	}
	return first(runs) // it left since
}

// nobody is more than any node has in flight.
const nobody = 1<<26 - 1

// fewest returns the fewest actions in flight of some ready nodes of the group, and whose they are. If they are all that
// are ready, it looks at them anew only if something has changed; a look that a change overtakes is of no use to the next.
func (g *nodeGroup) fewest(ready uint64) (pending int32, bit int) {
	changes := g.changes.Load()
	if ready != g.ready.Load() {
		return unpack(g.look(ready))
	}
	known := g.least.Load()
	if uint32(known>>32) != uint32(changes) {
		known = changes<<32 | g.look(ready)
		g.least.Store(known)
	}
	return unpack(known)
}

// look packs the fewest actions in flight, 26 bits, above whose they are, 6 bits.
func (g *nodeGroup) look(ready uint64) uint64 {
	fewest := uint64(nobody) << 6
	for ; ready != 0; ready &= ready - 1 {
		bit := bits.TrailingZeros64(ready)
		if n := uint64(g.pending[bit].Load()); n < fewest>>6 {
			fewest = n<<6 | uint64(bit)
			if n == 0 {
				break
			}
		}
	}
	return fewest
}

func unpack(look uint64) (pending int32, bit int) {
	return int32(look >> 6 & nobody), int(look & (groupSeats - 1))
}
