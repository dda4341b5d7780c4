package bench

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

func TestReconcile(t *testing.T) {
	// A node with 100 replies, two errors, one timeout whose answer came late, and three actions of the engine's own.
	base := func() (Ended, nodeBooks) {
		return Ended{Reply: 100, Error: 2, Timeout: 1, Rejected: 4}, nodeBooks{
			Node: "sim01",
			Engine: Books{
				Ledger: ami.Ledger{
					Submitted: 107, Rejected: 4, Accepted: 103, Replied: 100, ErrorReplies: 2, TimedOut: 1,
				},
				Internal: 3, Late: 1,
			},
			Server: &ServerBooks{Received: 106, Replied: 106, Errors: 2},
		}
	}
	for _, tt := range []struct {
		name string
		set  func(*Ended, *nodeBooks)
		want string // in a difference; "" none
	}{
		{"exact", func(*Ended, *nodeBooks) {}, ""},
		{"submitted", func(_ *Ended, n *nodeBooks) { n.Engine.Submitted++ }, "submitted 108"},
		{"accepted", func(_ *Ended, n *nodeBooks) { n.Engine.Submitted++; n.Engine.Accepted++; n.Server.Received++ }, "accepted 104"},
		{"the generator missed one", func(e *Ended, _ *nodeBooks) { e.Reply-- }, "the generator saw 99 replies, the engine booked 100"},
		{"a timeout seen as a reply", func(e *Ended, _ *nodeBooks) { e.Reply++; e.Timeout-- }, "timeouts"},
		{"the server read one less", func(_ *Ended, n *nodeBooks) { n.Server.Received-- }, "the simulator read 105"},
		{"the server read one twice", func(_ *Ended, n *nodeBooks) { n.Server.Received++ }, "the simulator read 107"},
		{"a reply that nobody sent", func(_ *Ended, n *nodeBooks) { n.Server.Replied = 102 }, "the engine took 103 replies, the simulator wrote 102"},
		{"a reply that nobody took", func(_ *Ended, n *nodeBooks) { n.Server.Replied = 107 }, "the simulator wrote 107 replies"},
		{"a lost session explains one not read", func(_ *Ended, n *nodeBooks) { n.Server.Received--; n.Lost = 1 }, ""},
		{"but not one more than was written", func(_ *Ended, n *nodeBooks) { n.Server.Received++; n.Lost = 1 }, "the simulator read 107"},
		{"nor many", func(_ *Ended, n *nodeBooks) { n.Server.Received -= 9; n.Lost = 1 }, "the simulator read 97"},
		{"a timeout that never left the process", func(_ *Ended, n *nodeBooks) { n.Engine.Late--; n.Server.Received--; n.Server.Replied-- }, ""},
		{"but not two", func(_ *Ended, n *nodeBooks) { n.Engine.Late--; n.Server.Received -= 2; n.Server.Replied-- }, "the simulator read 104"},
		{"a stalled node owes answers", func(_ *Ended, n *nodeBooks) { n.Server.Replied = 103; n.Stalled = true }, ""},
		{"a real server", func(_ *Ended, n *nodeBooks) { n.Server = nil }, ""},
	} {
		e, n := base()
		tt.set(&e, &n)
		l := reconcile(e, []nodeBooks{n})
		got := strings.Join(l.Differences, "; ")
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: differences %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestReconcileSpellsOutAFew(t *testing.T) {
	var nodes []nodeBooks
	for range 100 {
		nodes = append(nodes, nodeBooks{Node: "x", Engine: Books{Ledger: ami.Ledger{Submitted: 1}}})
	}
	if l := reconcile(Ended{}, nodes); len(l.Differences) != maxDifferences {
		t.Errorf("%d differences are spelled out", len(l.Differences))
	}
}
