package top

import (
	"cmp"
	"strings"

	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// confirm asks before orders are given, unless the node may not be changed.
func (m *Model) confirm(node, text string, orders ...Order) Intent {
	if why := m.protected(node); why != "" {
		m.Say(why, true)
		return Intent{}
	}
	if len(orders) == 0 {
		m.Say("it is gone", true)
		return Intent{}
	}
	m.ask = &question{text: text + "? (y, or any other key for no)", orders: orders}
	return Intent{}
}

// answered takes the answer to a question.
func (m *Model) answered(key string) Intent {
	q := m.ask
	m.ask = nil
	if key != "y" && key != "Y" {
		m.Say("not done", false)
		return Intent{}
	}
	return Intent{Orders: q.orders}
}

// hangUp ends the call that is chosen or told of, or the channel of who waits or is in a conference.
func (m *Model) hangUp() Intent {
	switch o := m.chosen().(type) {
	case *state.Call:
		who := cmp.Or(objects.PartyText(o.Caller), "?") + " → " + cmp.Or(objects.PartyText(o.Callee), "?")
		var orders []Order
		for _, uid := range o.Channels {
			if c := m.channels[id{o.Node, state.KindChannel, uid}]; c != nil {
				orders = append(orders, hangup(c.Node, c.Name))
			}
		}
		return m.confirm(o.Node, "hang up "+who+" on "+o.Node, orders...)
	case *state.Caller:
		return m.confirm(o.Node, "hang up "+strings.TrimSpace(o.Number+" "+o.Name)+", waiting in "+o.Queue, hangup(o.Node, o.Channel))
	case *state.Channel:
		return m.confirm(o.Node, "hang up "+o.Name, hangup(o.Node, o.Name))
	}
	m.Say("x hangs up a call, a caller in a queue, or somebody in a conference", true)
	return Intent{}
}

func hangup(node, channel string) Order {
	return Order{Node: node, Action: ami.NewAction("Hangup", "Channel", channel), What: "hung up " + channel}
}

// chosen is what the cursor is on, or the call that is told of.
func (m *Model) chosen() state.Object {
	if m.page == pageCall {
		if r := m.calls.rows[m.subject]; r != nil {
			return r.obj
		}
		return nil
	}
	if t := m.table(); t != nil {
		if r := t.current(m); r != nil {
			return r.obj
		}
	}
	return nil
}

// pause pauses a member of a queue, or ends that.
func (m *Model) pause() Intent {
	o, ok := m.chosen().(*state.Member)
	if !ok {
		m.Say("p pauses a member: Enter on a queue shows them", true)
		return Intent{}
	}
	name, verb, paused := cmp.Or(o.Name, o.Interface), "pause ", "true"
	if o.Paused {
		verb, paused = "unpause ", "false"
	}
	return m.confirm(o.Node, verb+name+" in "+o.Queue, Order{
		Node: o.Node, What: verb + name + ": done",
		Action: ami.NewAction("QueuePause", "Queue", o.Queue, "Interface", o.Interface, "Paused", paused),
	})
}

// kick throws who is chosen out of a conference.
func (m *Model) kick() Intent {
	o, ok := m.chosen().(*state.Channel)
	room := m.conferences.rows[m.subject]
	if !ok || room == nil || m.page != pageConference {
		m.Say("K kicks somebody out of a conference: Enter on one shows who is in it", true)
		return Intent{}
	}
	return m.confirm(o.Node, "kick "+o.Name+" out of "+room.key, Order{
		Node: o.Node, What: "kicked " + o.Name,
		Action: ami.NewAction("ConfbridgeKick", "Conference", room.key, "Channel", o.Name),
	})
}
