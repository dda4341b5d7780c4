package ami

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// An indexModel is an index and what should be found in it.
type indexModel struct {
	nodeIndex
	nodes []*Node
	ready map[*Node]bool
	load  map[*Node]int
}

func newIndexModel(nodes int) *indexModel {
	m := &indexModel{ready: map[*Node]bool{}, load: map[*Node]int{}}
	m.counted.Store(true)
	for i := range nodes {
		m.add(fmt.Sprint(i))
	}
	return m
}

func (m *indexModel) add(name string) {
	n := &Node{cfg: Config{Name: name}}
	m.join(n)
	m.nodes = append(m.nodes, n)
}

func (m *indexModel) remove(i int) {
	n := m.nodes[i]
	m.leave(n)
	m.nodes = append(m.nodes[:i:i], m.nodes[i+1:]...)
	delete(m.ready, n)
	delete(m.load, n)
}

func (m *indexModel) setReady(n *Node, ready bool) {
	n.seat.setReady(ready)
	m.ready[n] = ready
}

func (m *indexModel) tell(n *Node, load int) {
	n.seat.tell(load)
	m.load[n] = load
}

// check compares what the index finds with a look at each node.
func (m *indexModel) check(t *testing.T, turn uint64) {
	t.Helper()
	m.checkOf(t, turn, m.runs(), m.nodes)
}

// checkOf is check for some nodes, in their order.
func (m *indexModel) checkOf(t *testing.T, turn uint64, runs []run, of []*Node) {
	t.Helper()
	var ready []*Node
	var fewest *Node
	for _, n := range of {
		if !m.ready[n] {
			continue
		}
		ready = append(ready, n)
		if fewest == nil || m.load[n] < m.load[fewest] {
			fewest = n
		}
	}
	var head, next *Node
	if len(ready) > 0 {
		head, next = ready[0], ready[turn%uint64(len(ready))]
	}
	for _, tt := range []struct {
		what      string
		got, want *Node
	}{{"first", first(runs), head}, {"in turn", inTurn(runs, turn), next}, {"least", least(runs), fewest}} {
		if tt.got != tt.want {
			t.Fatalf("%s of %d, %d ready: %v, want %v", tt.what, len(of), len(ready), nameOf(tt.got), nameOf(tt.want))
		}
	}
}

// Nodes that are named are chosen among in that order, and as often as they are named; if it is the cluster's own, they
// are looked at by the group.
func TestNamedNodesKeepTheirOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	m := newIndexModel(500)
	for _, n := range m.nodes {
		m.setReady(n, rnd.IntN(4) > 0)
		m.tell(n, rnd.IntN(50))
	}
	shuffled := slices.Clone(m.nodes)
	rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	backwards := slices.Clone(m.nodes)
	slices.Reverse(backwards)
	for _, tt := range []struct {
		name string
		of   []*Node
		most int // runs
	}{
		{"none", nil, 0},
		{"all", m.nodes, 8},
		{"from the middle", m.nodes[100:300], 4},
		{"backwards", backwards, 500},
		{"shuffled", shuffled, 500},
		{"some of them twice", slices.Concat(shuffled[:20], m.nodes[:70], m.nodes[:70]), 30},
	} {
		var runs []run
		for _, n := range tt.of {
			runs = appendRun(runs, n)
		}
		if len(runs) > tt.most {
			t.Errorf("%s: %d runs", tt.name, len(runs))
		}
		for turn := range uint64(1200) {
			m.tell(m.nodes[rnd.IntN(500)], rnd.IntN(50))
			m.checkOf(t, turn, runs, tt.of)
		}
	}
}

func nameOf(n *Node) string {
	if n == nil {
		return "none"
	}
	return n.cfg.Name
}

// The index finds what a look at each node would, whatever the nodes do, and forgets groups that nobody is left in.
func TestNodeIndexFindsWhatALookAtEachWould(t *testing.T) {
	for _, nodes := range []int{0, 1, 2, 63, 64, 65, 200, 1000} {
		rnd := rand.New(rand.NewPCG(1, uint64(nodes)))
		m := newIndexModel(nodes)
		m.check(t, 0)
		for step := range 3000 {
			switch k := rnd.IntN(20); {
			case len(m.nodes) == 0 || k == 0 && len(m.nodes) < 1100:
				m.add(fmt.Sprint("added ", step))
			case k == 1:
				m.remove(rnd.IntN(len(m.nodes)))
			case k < 8:
				m.setReady(m.nodes[rnd.IntN(len(m.nodes))], rnd.IntN(3) > 0)
			default:
				m.tell(m.nodes[rnd.IntN(len(m.nodes))], rnd.IntN(4)*rnd.IntN(maxPending))
			}
			m.check(t, rnd.Uint64())
		}
		for len(m.nodes) > 0 {
			m.remove(rnd.IntN(len(m.nodes)))
			m.check(t, 1)
		}
		if got := len(m.runs()); got > 1 {
			t.Errorf("%d groups are left of no nodes", got)
		}
	}
}

// Nodes that come and go in great number take no room for ever.
func TestNodeIndexDoesNotGrow(t *testing.T) {
	m := newIndexModel(3)
	for i := range 10_000 {
		m.add(fmt.Sprint("passing ", i))
		m.setReady(m.nodes[3], true)
		m.check(t, uint64(i))
		m.remove(3)
	}
	if got := len(m.runs()); got > 4 {
		t.Errorf("%d groups for 3 nodes", got)
	}
}

// A session that ends, or gets ready, while its node is removed does not bring the node back.
func TestARemovedNodeIsNotChosen(t *testing.T) {
	m := newIndexModel(2)
	m.setReady(m.nodes[0], true)
	m.setReady(m.nodes[1], true)
	gone := m.nodes[0]
	m.remove(0)
	gone.seat.setReady(true)
	gone.seat.tell(0)
	m.tell(m.nodes[0], 5)
	m.check(t, 0)
}

// Whatever changes meanwhile, what is found was a node; and when all is quiet the index is right.
func TestNodeIndexUnderFire(t *testing.T) {
	m := newIndexModel(150)
	m.setReady(m.nodes[0], true)
	var stop atomic.Bool
	var choosing, changing sync.WaitGroup
	for range 2 {
		choosing.Go(func() {
			for turn := uint64(0); !stop.Load(); turn++ {
				if first(m.runs()) == nil || inTurn(m.runs(), turn) == nil || least(m.runs()) == nil { // node 0 is always there
					t.Error("none was found")
					return
				}
			}
		})
	}
	final := make([]int, len(m.nodes))
	for part := range 3 {
		changing.Go(func() {
			rnd := rand.New(rand.NewPCG(2, uint64(part)))
			for range 20_000 {
				i := part*50 + rnd.IntN(50)
				if i > 0 {
					m.nodes[i].seat.setReady(rnd.IntN(2) > 0)
				}
				final[i] = rnd.IntN(100)
				m.nodes[i].seat.tell(final[i])
			}
		})
	}
	changing.Wait()
	stop.Store(true)
	choosing.Wait()
	for i, n := range m.nodes {
		m.ready[n], m.load[n] = n.seat.group.ready.Load()>>n.seat.bit&1 != 0, final[i]
	}
	for turn := range uint64(300) {
		m.check(t, turn)
	}
}

// A choice allocates nothing.
func TestRoutesAllocateNothing(t *testing.T) {
	c := NewCluster(ClusterConfig{})
	defer c.Close()
	var names []string
	for i := range 500 {
		n := &Node{cfg: Config{Name: fmt.Sprint(i)}}
		c.index.join(n)
		c.byName[n.cfg.Name] = n
		n.seat.setReady(i > 3)
		names = append(names, n.cfg.Name)
	}
	for kind, what := range []string{"named", "round robin", "failover", "least pending"} {
		for _, list := range [][]string{nil, names} {
			v := c.Via(Route{Kind: RouteKind(kind), Node: "7", Nodes: list})
			if got := testing.AllocsPerRun(100, func() {
				n, err := v.pick()
				if err != nil {
					t.Fatal(err)
				}
				n.seat.tell(1)
			}); got != 0 {
				t.Errorf("%s of %d: %g allocations", what, len(list), got)
			}
		}
	}
}
