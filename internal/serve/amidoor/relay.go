package amidoor

import (
	"context"
	"errors"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/internal/serve/relay"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// relay has the server carry out an action, and answers. It reports whether the client is still there.
func (c *client) relay(work context.Context, u *users.User, name string) bool {
	a, ok := relay.Action(&c.in, name, c.door.o.ActionTimeout)
	if !ok {
		c.refuse("Failed to parse message: a line is not a header that can be passed on")
		return true
	}
	t := turn{runs: action}
	if isTelling(name) {
		t.runs = telling
	}
	if !c.send(t) {
		return false
	}
	reply, err := c.door.up.Do(work, &upstream.Request{User: u, Door: doorName, Client: c.peer, Node: c.door.o.Node, Action: a})
	c.out = takeBuffer()
	c.answerFor(reply, err)
	var end turn
	if err == nil && t.runs == telling && reply.End.Len() == 0 && (c.view.mask != 0 || !wire.EqualFold(name, "UserEvent")) {
		end.named = &named{id: reply.Get("ActionID"), own: c.id()}
	}
	return c.send(end)
}

// answerFor answers an action that was passed on. Who lacks a right hears what a server says then, to the byte.
func (c *client) answerFor(reply *ami.Reply, err error) {
	if errors.As(err, new(*users.DeniedError)) {
		c.refuse(manager.DeniedText)
		return
	}
	c.out = relay.AppendAnswer(c.out, reply, err, c.id(), c.door.o.Node)
}

// isTelling reports whether events tell of such actions by their ActionIDs.
func isTelling(action string) bool {
	return wire.EqualFold(action, "Originate") || wire.EqualFold(action, "UserEvent")
}

// listCommands answers with those of the server's actions that the user may do.
func listCommands(c *client, _, work context.Context) bool {
	u := c.user.Load()
	if !u.Take() {
		c.answerFor(nil, upstream.ErrTooFast)
		return true
	}
	if !c.send(turn{runs: action}) {
		return false
	}
	reply, err := c.door.up.Ask(work, c.door.o.Node, ami.Action{Name: "ListCommands", Timeout: c.door.o.ActionTimeout})
	c.out = takeBuffer()
	if err != nil {
		c.answerFor(nil, err)
		return c.send(turn{})
	}
	c.head(reply.Name())
	for i := range reply.Len() {
		name, value := reply.Line(i)
		own, _ := ownOf(name)
		if i == 0 || wire.EqualFold(name, "ActionID") || own == nil && !u.MayName(name) {
			continue
		}
		c.out = append(c.out, name...)
		c.out = append(c.out, ": "...)
		c.out = append(c.out, value...)
		c.out = append(c.out, "\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	return c.send(turn{})
}
