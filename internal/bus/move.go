package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// MoveReason says why a node was not moved.
type MoveReason string

// Why a node was not moved. In each case it is where it was, but for MoveUnknown.
const (
	MoveNoNode   MoveReason = "no-node"   // the bus has no such node
	MoveNoOwner  MoveReason = "no-owner"  // no bridge owns it now
	MoveNoBridge MoveReason = "no-bridge" // there is no such bridge
	MoveThere    MoveReason = "there"     // the bridge owns it already
	MoveAway     MoveReason = "away"      // the bridge does not answer, or is about to end
	MoveBusy     MoveReason = "busy"      // it is being moved by somebody else
	MoveFailed   MoveReason = "failed"    // it could not be done without a gap, or not in time
	MoveUnknown  MoveReason = "unknown"   // nobody says what became of it
)

// A MoveError is why a node was not moved.
type MoveError struct {
	Reason MoveReason
	What   string
	Names  []string // that would be right
}

func (e *MoveError) Error() string { return e.What }

// Moved is what became of a move.
type Moved struct {
	Node, From, To string
	Whole          bool // no event is missing, and none is there twice; else there is a gap
	Took           time.Duration
}

// A moveRequest is what a node's owner is asked for.
type moveRequest struct {
	To     string        `json:"to"`     // the bridge's name
	Within time.Duration `json:"within"` // nanoseconds
}

// A moveAnswer is what he says.
type moveAnswer struct {
	Reason MoveReason `json:"reason,omitempty"` // "": it was moved
	Error  string     `json:"error,omitempty"`
	Names  []string   `json:"names,omitempty"`
	From   string     `json:"from,omitempty"`
	Whole  bool       `json:"whole,omitempty"`
}

// answerMargin is what an answer may take beyond the time that the owner has.
const answerMargin = time.Second

// Move has a node's owner hand it over to another bridge. Until within is over, or the deadline of ctx, he tries to; an error that is a *MoveError says why he did not.
func Move(ctx context.Context, conn *nats.Conn, cluster, node, bridge string, within time.Duration) (*Moved, error) {
	begun := time.Now()
	if limit, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(limit)*9/10) // so that there is time for an answer
	}
	guarded, stop := UntilRefused(ctx, conn)
	defer stop()
	limited, cancel := context.WithTimeout(guarded, within+answerMargin)
	defer cancel()
	question, err := json.Marshal(moveRequest{To: bridge, Within: within})
	if err != nil {
		return nil, err
	}
	answer, err := conn.RequestWithContext(limited, subject.Move(cluster, node), question)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, noOwner(guarded, conn, cluster, node)
	case errors.Is(err, context.DeadlineExceeded) && within > 0:
		return nil, &MoveError{Reason: MoveUnknown, What: "the bridge that owns " + node + " has not answered, and may have moved it"}
	case err != nil:
		return nil, causeOf(guarded, wrap("ask for a move", err))
	}
	var a moveAnswer
	if err := json.Unmarshal(answer.Data, &a); err != nil {
		return nil, wrap("read the answer to a move", err)
	}
	if a.Reason != "" {
		return nil, &MoveError{Reason: a.Reason, What: a.Error, Names: a.Names}
	}
	return &Moved{Node: node, From: a.From, To: bridge, Whole: a.Whole, Took: time.Since(begun)}, nil
}

// noOwner says why nobody has answered, as far as the bus lets us look.
func noOwner(ctx context.Context, conn *nats.Conn, cluster, node string) error {
	e := &MoveError{Reason: MoveNoOwner, What: "no bridge owns " + node + " now that takes moves"}
	limited, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	info, err := inspect(limited, conn, cluster)
	if err != nil {
		return e // not every user may look
	}
	for i := range info.Nodes {
		e.Names = append(e.Names, info.Nodes[i].Node)
	}
	if !slices.Contains(e.Names, node) {
		e.Reason, e.What = MoveNoNode, fmt.Sprintf("the bus has no node %q", node)
	}
	return e
}

// takeMoves takes requests for moves of the node until end.
func (o *owner) takeMoves() (end func(), err error) {
	sub, err := o.bridge.o.Conn.QueueSubscribe(subject.Move(o.bridge.o.Cluster, o.node.Name), "owner", func(m *nats.Msg) {
		if !o.begin(func() { respond(m, o.answer(m)) }) {
			respond(m, moveAnswer{Reason: MoveNoOwner, Error: o.node.Name + ": " + errNotOwner.Error()})
		}
	})
	if err != nil {
		return nil, wrap("take moves of "+o.node.Name, err)
	}
	return func() {
		_ = sub.Unsubscribe()
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.ended {
			o.ended = true
			close(o.gone)
		}
	}, nil
}

// respond answers a request, as well as it can.
func respond(m *nats.Msg, answer any) {
	if text, err := json.Marshal(answer); err == nil {
		_ = m.Respond(text)
	}
}

// begin does something beside the owner, unless he has ended: the bridge waits for it.
func (o *owner) begin(f func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.bridge.all.Go(f)
	}
	return !o.ended
}

// answer carries out a request for a move.
func (o *owner) answer(m *nats.Msg) moveAnswer {
	var q moveRequest
	a := moveAnswer{Reason: MoveFailed, Error: "this is no request for a move"}
	if err := json.Unmarshal(m.Data, &q); err == nil && q.To != "" {
		a = o.move(&q)
	}
	a.From = o.bridge.o.Name
	return a
}

// move does it, one at a time.
func (o *owner) move(q *moveRequest) moveAnswer {
	if !o.moving.CompareAndSwap(false, true) {
		return moveAnswer{Reason: MoveBusy, Error: o.node.Name + " is being moved already"}
	}
	defer o.moving.Store(false)
	b := o.bridge
	if q.To == b.o.Name {
		return moveAnswer{Reason: MoveThere, Error: b.o.Name + " owns " + o.node.Name + " already"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(cmp.Or(max(0, q.Within), usualWait), mostWithin))
	defer cancel()
	to, why := b.members.find(ctx, q.To)
	if why != nil {
		return moveAnswer{Reason: why.Reason, Error: why.What, Names: why.Names}
	}
	d := newDeparture(to)
	if err := o.depart(ctx, d); err != nil {
		o.log.Warn("the node stays", slog.String("move", q.To), slog.Any("cause", err))
		b.tell(&takeRequest{Op: takeLeave, To: to, Node: o.node.Name, Move: d.id, Within: arrivalTime})
		reason := MoveFailed
		switch {
		case errors.Is(err, errNoAnswer):
			reason = MoveAway
		case errors.Is(err, errNotOwner), errors.Is(err, errTaken):
			reason = MoveNoOwner
		case errors.Is(err, context.Canceled): // he lost the node in the very moment
			reason = MoveUnknown
		}
		return moveAnswer{Reason: reason, Error: fmt.Sprintf("%s was not moved to %s: %s", o.node.Name, q.To, strings.TrimPrefix(err.Error(), "bus: "))}
	}
	settling, cancelSettling := context.WithTimeout(context.Background(), settleTime)
	defer cancelSettling()
	answer, err := b.ask(settling, &takeRequest{Op: takeSettled, To: to, Node: o.node.Name, Move: d.id})
	if err != nil || answer.Again { // a bridge that died takes nothing: another one will
		return moveAnswer{Reason: MoveUnknown, Error: o.node.Name + " was handed over to " + q.To + ", which has not said that it has it"}
	}
	return moveAnswer{Whole: answer.Whole}
}

// tell asks another bridge for something that needs no answer.
func (b *bridge) tell(q *takeRequest) {
	if text, err := json.Marshal(q); err == nil {
		_ = b.o.Conn.Publish(subject.Take(b.o.Cluster, bridgeOf(q.To)), text) // what it does not hear it finds out by itself
	}
}

// errNoAnswer: the other bridge says nothing.
var errNoAnswer = errors.New("that bridge does not answer")

// mostWithin is how long an owner tries to move a node at most.
const mostWithin = 10 * time.Minute

// settleTime is how long a bridge may take until it owns a node whose lease it was given.
const settleTime = 5 * time.Second

// ask asks another bridge for something about a move.
func (b *bridge) ask(ctx context.Context, q *takeRequest) (*takeAnswer, error) {
	if limit, ok := ctx.Deadline(); ok {
		q.Within = time.Until(limit)
	}
	text, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	answer, err := b.o.Conn.RequestWithContext(ctx, subject.Take(b.o.Cluster, bridgeOf(q.To)), text)
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, context.DeadlineExceeded):
		return nil, errNoAnswer
	case err != nil:
		return nil, err
	}
	a := &takeAnswer{}
	if err := json.Unmarshal(answer.Data, a); err != nil {
		return nil, err
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return a, nil
}

// serveTakes answers what ask asks for, until end.
func (b *bridge) serveTakes(ctx context.Context) (end func(), err error) {
	sub, err := b.o.Conn.Subscribe(subject.Take(b.o.Cluster, b.o.Name), func(m *nats.Msg) {
		var q takeRequest
		if json.Unmarshal(m.Data, &q) != nil || q.To != b.self {
			return // another process of this name is meant, which may be gone
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.ended {
			b.all.Go(func() { b.serveTake(ctx, m, &q) })
		}
	})
	if err != nil {
		return nil, wrap("take nodes over", err)
	}
	return func() {
		_ = sub.Unsubscribe()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended = true
		for node, a := range b.arrivals {
			b.drop(node, a)
		}
		for node := range b.standbys {
			b.dismiss(node)
		}
	}, nil
}

func (b *bridge) serveTake(ctx context.Context, m *nats.Msg, q *takeRequest) {
	ctx, cancel := context.WithTimeout(ctx, min(q.Within, arrivalTime))
	defer cancel()
	var a takeAnswer
	switch q.Op {
	case takeCome:
		a = b.come(ctx, q)
	case takeLeave:
		b.forget(q.Node, q.Move)
	case takeSettled:
		a = b.settledOf(ctx, q)
	default:
		a.Error = "it does not know what " + q.Op + " means: it is older than the bridge that owns the node"
	}
	respond(m, a)
}
