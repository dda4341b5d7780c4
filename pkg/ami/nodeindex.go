package ami

import (
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
	groups atomic.Pointer[[]*nodeGroup] // changed under the cluster's mu
	last   *nodeGroup                   // whose seats are given out, nil: none; guarded by the cluster's mu

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

// A place is where a group holds a node.
type place struct {
	group *nodeGroup
	bit   int
}

func (p place) ready() bool    { return p.group.ready.Load()>>p.bit&1 != 0 }
func (p place) pending() int32 { return p.group.pending[p.bit].Load() }

// A seat is a node's place in an index, for life.
type seat struct {
	place
	counted *atomic.Bool // the index's
	left    atomic.Bool
}

// join gives a node its seat, behind all others. Called under the cluster's mu.
func (x *nodeIndex) join(n *Node) {
	if x.last == nil || x.last.given == groupSeats {
		x.last = &nodeGroup{}
		groups := append(slices.Clone(x.list()), x.last)
		x.groups.Store(&groups)
	}
	g := x.last
	n.seat.place, n.seat.counted = place{g, g.given}, &x.counted
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
		groups := slices.DeleteFunc(slices.Clone(x.list()), func(g *nodeGroup) bool { return g == s.group })
		x.groups.Store(&groups)
		if x.last == s.group {
			x.last = nil
		}
	}
}

func (x *nodeIndex) list() []*nodeGroup {
	if p := x.groups.Load(); p != nil {
		return *p
	}
	return nil
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
func (x *nodeIndex) first() *Node {
	for _, g := range x.list() {
		for ready := g.ready.Load(); ready != 0; ready &= ready - 1 {
			if n := g.nodes[bits.TrailingZeros64(ready)].Load(); n != nil {
				return n
			}
		}
	}
	return nil
}

// inTurn returns the node whose turn it is among those that take actions, or nil.
func (x *nodeIndex) inTurn(turn uint64) *Node {
	all := uint64(0)
	for _, g := range x.list() {
		all += uint64(bits.OnesCount64(g.ready.Load()))
	}
	if all == 0 {
		return nil
	}
	turn %= all
	for _, g := range x.list() {
		ready := g.ready.Load()
		if n := uint64(bits.OnesCount64(ready)); turn >= n {
			turn -= n
			continue
		}
		for ; turn > 0; turn-- {
			ready &= ready - 1
		}
		if n := g.nodes[bits.TrailingZeros64(ready)].Load(); n != nil {
			return n
		}
	}
	return x.first() // some went away between the two looks
}

// least returns the node with the fewest actions in flight among those that take actions, the first of several, or nil.
func (x *nodeIndex) least() *Node {
	var at place
	fewest := int32(nobody)
	for _, g := range x.list() {
		if g.ready.Load() == 0 {
			continue
		}
		if n, bit := g.fewest(); n < fewest {
			at, fewest = place{g, bit}, n
		}
		if fewest == 0 {
			break
		}
	}
	if at.group == nil {
		return nil
	}
	if n := at.group.nodes[at.bit].Load(); n != nil {
		return n
	}
	return x.first() // it left since
}

// nobody is more than any node has in flight.
const nobody = 1<<26 - 1

// fewest returns the fewest actions in flight of the group's ready nodes, and whose they are. It looks at them anew only
// if something has changed; a look that a change overtakes is of no use to the next.
func (g *nodeGroup) fewest() (pending int32, bit int) {
	changes := g.changes.Load()
	known := g.least.Load()
	if uint32(known>>32) != uint32(changes) {
		known = changes<<32 | g.look()
		g.least.Store(known)
	}
	return int32(known >> 6 & nobody), int(known & (groupSeats - 1))
}

// look packs the fewest actions in flight, 26 bits, above whose they are, 6 bits.
func (g *nodeGroup) look() uint64 {
	fewest := uint64(nobody) << 6
	for ready := g.ready.Load(); ready != 0; ready &= ready - 1 {
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
