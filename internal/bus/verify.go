package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
)

// A Ledger is what a whole stream holds of a node.
type Ledger struct {
	Node     string
	Batches  uint64
	Packets  uint64
	Gaps     uint64
	Dropped  uint64 // events that gaps count; nobody can count those of a session that was lost
	Owners   uint64
	Sessions uint64
	Faults   []string // what should not be: batches that cannot be read, or that are missing, packets twice or out of order
}

// mostFaults is how many are told of each node.
const mostFaults = 10

// Verify reads a cluster's whole stream, as far as it goes now, and checks of each node that every session's packets stand in their
// order, none of them twice, and no batch is missing.
func Verify(ctx context.Context, conn *nats.Conn, cluster string) ([]*Ledger, error) {
	info, err := Inspect(ctx, conn, cluster)
	if err != nil {
		return nil, err
	}
	c, err := Read(ctx, conn, ReadOptions{Cluster: cluster, Start: Start{All: true}, Stored: true})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	v := make(verification)
	for _, n := range info.Nodes { // also what has no batches
		v.of(n.Node)
	}
	for !c.over() {
		message, err := c.message(ctx, true)
		if err != nil {
			return nil, err
		}
		v.takeBatch(c, message)
	}
	var all []*Ledger
	for _, node := range slices.Sorted(maps.Keys(v)) {
		l := v[node].ledger
		l.Batches = c.read[node]
		all = append(all, l)
	}
	return all, nil
}

// takeBatch follows what is in a batch.
func (v verification) takeBatch(c *Consumer, message jetstream.Msg) {
	if err := c.take(message); err != nil {
		v.of(c.node).fault("%v", err)
		return
	}
	for c.open || c.missing != nil {
		r, err := c.record()
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			v.of(c.node).fault("%v", err)
		default:
			v.of(c.node).take(r)
		}
	}
}

// A verification follows each node.
type verification map[string]*nodeCheck

func (v verification) of(node string) *nodeCheck {
	n := v[node]
	if n == nil {
		n = &nodeCheck{ledger: &Ledger{Node: node}}
		v[node] = n
	}
	return n
}

// A nodeCheck is how far one is followed.
type nodeCheck struct {
	ledger       *Ledger
	epoch        uint64
	session, seq uint64
}

func (n *nodeCheck) take(r batch.Record) {
	l := n.ledger
	switch {
	case r.Owner != nil:
		l.Owners++
		if r.Owner.Epoch <= n.epoch {
			n.fault("owner %s of epoch %d comes after epoch %d", r.Owner.Bridge, r.Owner.Epoch, n.epoch)
		}
		n.epoch, n.session, n.seq = r.Owner.Epoch, 0, 0 // his sessions are his own
	case r.Event.Gap != nil:
		l.Gaps++
		l.Dropped += r.Event.Gap.Dropped
		if r.Event.Gap.Reason == gapExpired {
			n.fault("batches are missing after packet %d of session %d", n.seq, n.session)
		}
	default:
		l.Packets++
		ev := r.Event
		switch {
		case ev.Session != n.session:
			if ev.Session < n.session {
				n.fault("session %d comes after session %d", ev.Session, n.session)
			}
			l.Sessions++
		case ev.Seq <= n.seq:
			n.fault("packet %d comes after packet %d of session %d", ev.Seq, n.seq, n.session)
		}
		n.session, n.seq = ev.Session, ev.Seq
	}
}

func (n *nodeCheck) fault(format string, args ...any) {
	if len(n.ledger.Faults) < mostFaults {
		n.ledger.Faults = append(n.ledger.Faults, fmt.Sprintf(format, args...))
	}
}
