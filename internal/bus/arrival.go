package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

const (
	// arrivalTime is how long a bridge reads a node for an owner who no longer asks for it.
	arrivalTime = 10 * time.Second

	// mostHead is how many events are compared at most.
	mostHead = 4096
)

// An arrival is the way of a node to this bridge, which reads it already while another one owns it. See departure.
type arrival struct {
	move    string
	session *Session
	expiry  *time.Timer

	turn    chan struct{} // has room for whoever reads; guards what follows
	attempt int
	base    *ami.Reply  // of the server, behind which our events begin
	head    []ami.Event // what was read behind base
	taken   uint64      // events that were read of the subscription

	settled chan struct{} // closed when it is known what became of it
	whole   bool          // valid then: the node is ours, and nothing is missing
	err     error         // valid then: the node is not ours
}

// errAgain: events are missing, or the session is another one. The next attempt may be better.
var errAgain = errors.New("bus: events are missing")

// compare returns the marks of what has come since the attempt began, behind an answer of the server.
func (a *arrival) compare(ctx context.Context, attempt int) ([]mark, error) {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-a.turn }()
	if a.attempt != attempt {
		base, err := a.session.Ping(ctx)
		if err != nil {
			return nil, err
		}
		a.attempt, a.base = attempt, base
		a.head = slices.DeleteFunc(a.head, func(ev ami.Event) bool { return !a.behindBase(&ev) })
	}
	until, err := a.session.Ping(ctx)
	if err != nil {
		return nil, err
	}
	if until.Session != a.base.Session {
		return nil, errAgain
	}
	if !a.readTo(until) {
		a.head = nil
		return nil, errAgain
	}
	var marks []mark
	for i := range a.head {
		if m, ok := markOf(&a.head[i]); ok && a.head[i].Seq < until.Seq {
			marks = append(marks, m)
		}
	}
	return marks, nil
}

// readTo reads on to an answer of the server, and reports whether nothing is missing.
func (a *arrival) readTo(until *ami.Reply) bool {
	for len(a.head) < mostHead {
		ev, ok := a.session.Events.PollBorrowed()
		if !ok {
			return true
		}
		if ev.Gap != nil || ev.Session > until.Session {
			return false
		}
		a.taken++
		if a.behindBase(ev) {
			a.head = append(a.head, ev.Clone())
		}
		if ev.Session == until.Session && ev.Seq > until.Seq {
			return true
		}
	}
	return true
}

// behindBase reports whether an event came behind base.
func (a *arrival) behindBase(ev *ami.Event) bool {
	return ev.Session == a.base.Session && ev.Seq > a.base.Seq
}

// goOn skips what the owner before has stored, and reports whether what comes next is what comes next there. It waits as long as that is
// on its way.
func (a *arrival) goOn(ctx context.Context, note *handedOver) bool {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-a.turn }()
	if note.Attempt != a.attempt {
		return false
	}
	marks := make([]mark, 0, note.Skip)
	for len(marks) < note.Skip {
		var ev *ami.Event
		if len(a.head) > 0 {
			ev, a.head = &a.head[0], a.head[1:]
		} else {
			var err error
			if ev, err = a.session.Events.NextBorrowed(ctx); err != nil {
				return false
			}
			if ev.Gap != nil || ev.Session > a.base.Session {
				return false
			}
			if a.taken++; !a.behindBase(ev) {
				continue
			}
		}
		if m, ok := markOf(ev); ok {
			marks = append(marks, m)
		}
	}
	return digestOf(marks) == note.Digest
}

// settle says whether the node is ours, and without a gap. A nil *arrival has nobody to tell.
func (a *arrival) settle(whole bool, err error) {
	if a != nil {
		a.whole, a.err = whole, err
		close(a.settled)
	}
}

// giveUp ends it: the node could not be had.
func (a *arrival) giveUp(err error) {
	if a != nil {
		a.settle(false, err)
		a.session.End()
	}
}

// What an owner asks another bridge for.
const (
	takeCome    = "come"    // read the node, and say what has come
	takeLeave   = "leave"   // forget it
	takeSettled = "settled" // say whether the node is yours, when that is known
)

// A takeRequest is an owner's to the bridge that is to take a node over.
type takeRequest struct {
	Op      string        `json:"op"`
	To      string        `json:"to"` // the process that is meant
	Node    string        `json:"node"`
	Move    string        `json:"move"`
	Attempt int           `json:"attempt,omitempty"` // another one than before: begin anew
	Within  time.Duration `json:"within,omitempty"`  // nanoseconds until nobody waits any more
}

// A takeAnswer is what that bridge says.
type takeAnswer struct {
	Error string `json:"error,omitempty"` // why it cannot take the node
	Again bool   `json:"again,omitempty"`
	Marks []byte `json:"marks,omitempty"` // 8 bytes each
	Whole bool   `json:"whole,omitempty"`
}

// come does takeCome.
func (b *bridge) come(ctx context.Context, q *takeRequest) takeAnswer {
	a, err := b.arrivalOf(q)
	if err != nil {
		return takeAnswer{Error: err.Error()}
	}
	if a == nil {
		return takeAnswer{Again: true}
	}
	a.expiry.Reset(arrivalTime)
	marks, err := a.compare(ctx, q.Attempt)
	switch {
	case errors.Is(err, errAgain):
		return takeAnswer{Again: true}
	case err != nil:
		b.forget(q.Node, q.Move)
		return takeAnswer{Error: fmt.Sprintf("it has no session to %s: %v", q.Node, err)}
	}
	return takeAnswer{Marks: packMarks(marks)}
}

// arrivalOf is a move's arrival, which begins if it is new. nil: the node is still being given up here.
func (b *bridge) arrivalOf(q *takeRequest) (*arrival, error) {
	nodes := b.o.Nodes()
	at := slices.IndexFunc(nodes, func(n ami.Config) bool { return n.Name == q.Node })
	if at < 0 {
		return nil, errors.New("it has no node of this name in its configuration")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch a := b.arrivals[q.Node]; {
	case b.ended:
		return nil, errors.New("it is about to end")
	case b.owners[q.Node] != nil:
		return nil, nil //nolint:nilnil // see above
	case a != nil && a.move == q.Move:
		return a, nil
	case a != nil: // of a move of which nothing came
		b.drop(q.Node, a)
	}
	a := &arrival{move: q.Move, turn: make(chan struct{}, 1), settled: make(chan struct{})}
	if s := b.claim(q.Node); s != nil {
		a.session, a.taken = s.session, s.taken
	} else {
		session, err := b.read(nodes[at])
		if err != nil {
			return nil, nil //nolint:nilnil // the session before has yet to end
		}
		a.session = session
	}
	a.expiry = time.AfterFunc(arrivalTime, func() { b.forget(q.Node, q.Move) })
	b.arrivals[q.Node] = a
	return a, nil
}

// forget ends the arrival of a move of which nothing comes.
func (b *bridge) forget(node, move string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.arrivals[node]; a != nil && a.move == move {
		b.drop(node, a)
	}
}

// drop ends an arrival. Called under mu.
func (b *bridge) drop(node string, a *arrival) {
	a.expiry.Stop()
	b.all.Go(a.session.End)
	delete(b.arrivals, node)
}

// arrived takes a node's arrival out, if it is the one that the node's lease speaks of; another one ends. nil: there is none. Called under mu.
func (b *bridge) arrived(node string, note *handedOver) *arrival {
	a := b.arrivals[node]
	switch {
	case a == nil:
		return nil
	case note == nil || note.Move != a.move:
		b.drop(node, a)
		return nil
	}
	a.expiry.Stop()
	delete(b.arrivals, node)
	b.last[node] = a
	return a
}

// settledOf waits until it is known whether a move's node is ours.
func (b *bridge) settledOf(ctx context.Context, q *takeRequest) takeAnswer {
	for {
		b.mu.Lock()
		a := b.last[q.Node]
		b.mu.Unlock()
		if a != nil && a.move == q.Move {
			select {
			case <-a.settled:
				if a.err != nil {
					return takeAnswer{Error: a.err.Error()}
				}
				return takeAnswer{Whole: a.whole}
			case <-ctx.Done():
				return takeAnswer{Again: true}
			}
		}
		select {
		case <-time.After(lookEvery / 10):
		case <-ctx.Done():
			return takeAnswer{Again: true}
		}
	}
}
