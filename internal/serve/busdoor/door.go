// Package busdoor carries out actions that come over the bus, with the rights of the daemon's users.
package busdoor

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/internal/serve/relay"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// doorName is the door's in logs and figures.
const doorName = "nats"

// A Door is one way in for all nodes of a bridge.
type Door struct{ up *upstream.Upstream }

// New returns a door.
func New(up *upstream.Upstream) *Door { return &Door{up} }

// Away says why a node takes no actions now, nil if it does, and how its server greets. Nor does it while its events do not come: what
// ends between a list and the first event would stay in what somebody holds of both, for a new owner's gap stands before.
func (d *Door) Away(node string) (banner string, err error) {
	return d.up.Banner(node), cmp.Or(d.up.Away(node), d.up.Deaf(node))
}

// Do carries out a request, and hands out the packets of its answer. Whoever has asked is told of everything: that nothing was
// sent, and why.
func (d *Door) Do(ctx context.Context, q *bus.Request, answer func(packets []byte, last bool)) {
	var in manager.Input
	refuse := func(err error) {
		answer(relay.AppendRefusal(nil, string(in.First("ActionID", false)), err, q.Node), true)
	}
	name, err := read(&in, q)
	if err != nil {
		refuse(err)
		return
	}
	user := d.up.Users.ByName(q.User)
	if user == nil || !user.OnBus() {
		d.up.Refuse(ctx, doorName, "", q.User, name+" over the bus")
		refuse(&users.DeniedError{What: "no user " + q.User + " may act over the bus", Key: "nats"})
		return
	}
	left := time.Until(q.Deadline)
	if left <= 0 {
		refuse(unfit("the deadline was over when the bridge had it: it was paused, or the clocks do not agree"))
		return
	}
	action, ok := relay.Action(&in, name, left)
	if !ok {
		refuse(unfit("a line is not a header that can be passed on"))
		return
	}
	d.do(ctx, &upstream.Request{User: user, Door: doorName, Node: q.Node, Action: action}, string(in.First("ActionID", false)), answer)
}

// do sends an action, and hands out what comes back. The end of a call that is set up asynchronously comes behind the answer.
func (d *Door) do(ctx context.Context, q *upstream.Request, own string, answer func(packets []byte, last bool)) {
	var calls *upstream.Calls
	if wire.EqualFold(q.Action.Name, "Originate") && manager.True(q.Action.Get("Async")) {
		calls, _ = d.up.Calls(q.Node) // an unknown node is refused below
	}
	if calls != nil {
		defer calls.Close()
	}
	began := time.Now()
	reply, err := d.up.Do(ctx, q)
	last := calls == nil || err != nil
	answer(relay.AppendAnswer(nil, reply, err, own, q.Node), last)
	if last {
		return
	}
	id := reply.Get("ActionID")
	end, _ := calls.Await(ctx, id, min(upstream.CallTimeout(&q.Action), q.Action.Timeout-time.Since(began)))
	answer(relay.AppendRenamed(nil, end.Text(), id, own), true) // nothing if it did not come: the client's own time is over, too
}

// read reads a request's packet, and returns the action's name. The subject says which action it is, and the bus who may publish
// there: the packet has to agree.
func read(in *manager.Input, q *bus.Request) (name string, err error) {
	packet := q.Packet
	if len(packet) == 0 {
		packet = []byte("Action: " + q.Action + "\r\n\r\n")
	}
	n, verdict := in.Feed(packet)
	if verdict == manager.NeedMore { // the blank line may be left out
		packet = append(packet[n:len(packet):len(packet)], "\r\n\r\n"...)
		n, verdict = in.Feed(packet)
	}
	name = string(in.First("Action", true))
	switch {
	case verdict == manager.GotTooMany:
		return "", unfit(manager.TooManyText)
	case verdict == manager.GotTooLong:
		return "", unfit(manager.TooLongText)
	case verdict == manager.NeedMore:
		return "", unfit("the packet has no end")
	case len(trimBlank(packet[n:])) > 0:
		return "", unfit("a request is one action")
	case !wire.EqualFold(name, q.Action):
		return "", &users.DeniedError{What: fmt.Sprintf("the subject says %s, and the packet %s", q.Action, name)}
	}
	return name, nil
}

func unfit(why string) error { return &upstream.UnfitError{Why: why} }

func trimBlank(b []byte) []byte {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}
