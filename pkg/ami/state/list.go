package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// ErrShort is of a list that ended before all that it announced.
var ErrShort = errors.New("state: a list ended before everything that it announced had come")

// List asks a server for its lists and returns what it holds, without following it: nothing is subscribed to, and the
// session's event mask does not matter. kinds are those of interest; none means all. What only events tell, such as whether
// a PJSIP contact is reachable, is absent.
//
// A part that the server lacks, or that the user may not list, is empty, and [Node.Knows] says so. The error is that of the
// first action that was not answered, or an [ErrShort]; there is no snapshot then.
func List(ctx context.Context, d ami.Doer, node string, kinds ...Kind) (*Snapshot, error) {
	o, err := Options{Kinds: kinds}.withDefaults()
	if err != nil {
		return nil, err
	}
	c := newCore(o.Limit, o.Kinds)
	last := time.Now()
	for i := range listings {
		l := &listings[i]
		if !c.wantsList(l) {
			continue
		}
		reply, a, err := l.ask(ctx, d)
		if err != nil {
			return nil, err
		}
		if a.short() {
			return nil, fmt.Errorf("%w: %s of %s", ErrShort, l.part, node)
		}
		a.blind = true
		last = reply.Received
		c.list(node, reply.Session, l, a, false, last)
	}
	c.synced(node, last)
	held := c.objects()
	held.sort()
	return held, nil
}

// ask asks for one list, by another action if the user may not use the first. A refusal is an answer.
func (l *listing) ask(ctx context.Context, d ami.Doer) (reply *ami.Reply, a answer, err error) {
	for _, name := range l.actions {
		reply, err = d.Do(ctx, ami.NewAction(name))
		a = answer{}
		var final bool
		if final, err = a.hear(reply, err); final || err != nil {
			break
		}
	}
	return reply, a, err
}

// hear takes over what came for an action. final is false where another one may be asked by.
func (a *answer) hear(reply *ami.Reply, err error) (final bool, _ error) {
	var refused *ami.ResponseError
	switch {
	case err == nil:
		a.read(reply)
		return true, nil
	case errors.As(err, &refused) && reply != nil:
		a.refused, a.refusal = true, refused.Message
		empty, denied := a.verdict()
		if refused.Relay && !denied { // the server itself has said nothing
			return true, err
		}
		return empty, nil
	}
	return true, err
}

// read takes over what a list holds.
func (a *answer) read(r *ami.Reply) {
	a.items = make([]*wire.Message, len(r.Events))
	for i := range r.Events {
		a.items[i] = &r.Events[i].Message
	}
	if r.End.Len() > 0 {
		a.end = &r.End
	}
}
