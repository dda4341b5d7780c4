package bench

import (
	"fmt"

	"github.com/apntalk/amictl/pkg/ami"
)

// Books are what the engine counted: its ledger, and what it does not account for there.
type Books struct {
	ami.Ledger
	Internal uint64 `json:"internal"` // the engine's own actions: Login, Ping, Logoff and so on
	Late     uint64 `json:"late"`     // answers that came after their action had ended
	Strays   uint64 `json:"strays"`   // duplicate, foreign or unmatched answers
}

// Add adds another node's books.
func (b *Books) Add(o Books) {
	b.Ledger.Add(o.Ledger)
	b.Internal += o.Internal
	b.Late += o.Late
	b.Strays += o.Strays
}

// ServerBooks are the simulator's own count.
type ServerBooks struct {
	Received uint64 `json:"received"` // actions read whole, the engine's own included
	Replied  uint64 `json:"replied"`  // replies written whole
	Errors   uint64 `json:"errors"`   // of those, Response: Error
}

// Add adds another node's books.
func (b *ServerBooks) Add(o ServerBooks) {
	b.Received += o.Received
	b.Replied += o.Replied
	b.Errors += o.Errors
}

// Ledger is the account of every action of a run, by everyone who counted.
type Ledger struct {
	Bench       Ended        `json:"bench"` // as the generator saw each action end, warm-up included
	Engine      Books        `json:"engine"`
	Simulator   *ServerBooks `json:"simulator,omitempty"`
	Compared    int          `json:"compared"`    // nodes whose simulator was compared exactly
	Bounded     int          `json:"bounded"`     // nodes that could be compared by bounds alone
	Differences []string     `json:"differences"` // empty when the ledger is exact
}

// maxDifferences is how many differences are spelled out.
const maxDifferences = 10

// nodeBooks are the books of one node, for comparison.
type nodeBooks struct {
	Node   string
	Engine Books
	Server *ServerBooks // nil for a real server
	// Sessions is how many sessions of the node were lost; after one, what was under way may or may not have arrived.
	Lost uint64
	// Stalled: the simulated node does not answer all that it reads.
	Stalled bool
}

// reconcile compares the generator's count, each node's books, and the simulator's where there is one.
func reconcile(bench Ended, nodes []nodeBooks) Ledger {
	l := Ledger{Bench: bench, Differences: []string{}}
	differ := func(format string, a ...any) {
		switch n := len(l.Differences); {
		case n < maxDifferences-1:
			l.Differences = append(l.Differences, fmt.Sprintf(format, a...))
		case n < maxDifferences:
			l.Differences = append(l.Differences, "and more")
		}
	}
	for i := range nodes {
		n := &nodes[i]
		l.Engine.Add(n.Engine)
		if n.Engine.Submitted != n.Engine.Rejected+n.Engine.Accepted {
			differ("%s: submitted %d, but rejected %d and accepted %d", n.Node,
				n.Engine.Submitted, n.Engine.Rejected, n.Engine.Accepted)
		}
		if n.Engine.Accepted != n.Engine.InFlight+n.Engine.Ended() {
			differ("%s: accepted %d, but in flight %d and ended %d", n.Node,
				n.Engine.Accepted, n.Engine.InFlight, n.Engine.Ended())
		}
		if n.Server == nil {
			continue
		}
		if l.Simulator == nil {
			l.Simulator = &ServerBooks{}
		}
		l.Simulator.Add(*n.Server)
		if n.exact() {
			l.Compared++
		} else {
			l.Bounded++
		}
		if why := n.against(); why != "" {
			differ("%s: %s", n.Node, why)
		}
	}
	for _, c := range []struct {
		what         string
		bench, books uint64
	}{
		{"replies", bench.Reply, l.Engine.Replied},
		{"error replies", bench.Error, l.Engine.ErrorReplies},
		{"timeouts", bench.Timeout, l.Engine.TimedOut},
		{"cancelled actions", bench.Cancelled, l.Engine.Cancelled},
		{"actions disconnected unsent", bench.Unsent, l.Engine.DisconnectedUnsent},
		{"actions disconnected maybe sent", bench.Maybe, l.Engine.DisconnectedMaybe},
		{"rejected actions", bench.Rejected, l.Engine.Rejected},
	} {
		if c.bench != c.books {
			differ("the generator saw %d %s, the engine booked %d", c.bench, c.what, c.books)
		}
	}
	return l
}

// exact reports whether the two sides must agree to the last action.
func (n *nodeBooks) exact() bool { return n.Lost == 0 }

// against says how the engine's books contradict the simulator's, or "". What the engine wrote is what it accepted,
// less what never left; an action that ended by timeout or by cancelling may never have left either, unless its answer
// came late, and one that ended by a lost session may not have arrived.
func (n *nodeBooks) against() string {
	e, s := &n.Engine, n.Server
	most := e.Accepted - e.DisconnectedUnsent + e.Internal
	unproven := e.Cancelled + e.TimedOut
	if n.exact() {
		unproven -= min(unproven, e.Late)
	} else {
		unproven += e.DisconnectedMaybe + n.Lost
	}
	least := most - min(most, unproven)
	if s.Received < least || s.Received > most {
		return fmt.Sprintf("the engine wrote %s actions, the simulator read %d", between(least, most), s.Received)
	}
	got := e.Replied + e.ErrorReplies + e.Late
	if s.Replied < got {
		return fmt.Sprintf("the engine took %d replies, the simulator wrote %d", got, s.Replied)
	}
	if n.exact() && !n.Stalled && s.Replied > got+e.Internal {
		return fmt.Sprintf("the simulator wrote %d replies, the engine took %d and at most %d of its own", s.Replied, got, e.Internal)
	}
	return ""
}

func between(least, most uint64) string {
	if least == most {
		return fmt.Sprint(most)
	}
	return fmt.Sprintf("%d to %d", least, most)
}
