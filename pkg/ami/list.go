package ami

import (
	"fmt"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A list is an answer being collected.
type list struct {
	many     bool // it has items, and is not just waiting for one event
	response wire.Message
	bytes    int    // of items; the reader's
	named    bool   // its items carry its ActionID; the reader's
	held     *Event // what may be the end, or an item that holds it; the reader's
	heldCut  int    // the line of held at which the end would begin, 0: its first

	mu     sync.Mutex // guards what whoever ends the call early takes; the reader alone writes it
	events []Event
	items  int
}

// startList begins to collect an answer.
func (c *Conn) startList(k *call, m *wire.Message, next phase) {
	l := &list{response: m.Clone(), many: next == inList || next == inBareList}
	c.mu.Lock()
	k.list = l
	c.mu.Unlock()
}

// partial returns what has come of a call's list, nil if it has none. Called under mu, when nobody can complete the call
// any more.
func (c *Conn) partial(k *call) *Reply {
	l := k.list
	if l == nil || !l.many {
		return nil
	}
	now := time.Now()
	reply := &Reply{
		Message: l.response, Node: c.cfg.Name, Session: c.session, Received: now, Incomplete: true,
		RTT: now.Sub(c.epoch) - time.Duration(k.submitted),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	reply.Events, reply.Items = l.events[:len(l.events):len(l.events)], l.items
	if n := len(reply.Events); n > 0 {
		reply.Seq = reply.Events[n-1].Seq
	}
	return reply
}

// inItems reports whether a call's answer is a list whose items come now.
func (k *call) inItems() bool { return k.phase == inList || k.phase == inBareList }

// listEvent handles an event that may belong to a call's answer, and reports whether it was that and no news. What
// ends a call must carry its ActionID at its top, for text from a caller can forge a packet, but not that.
func (c *Conn) listEvent(m *wire.Message, id string, broadcast bool) bool {
	k, r, whose := c.calls.lookup(id)
	if id == "" && !broadcast && c.isBare(m) {
		k, r, whose = c.running, c.runningRef, idOurs
	}
	if whose == idStale && !broadcast {
		c.stats.duplicate.Add(1) // an item of a list that has ended
		return true
	}
	if whose != idOurs {
		return false
	}
	live, known := c.hear(k, r)
	if !known {
		c.stats.duplicate.Add(1)
		return !broadcast
	}
	item, done := k.phase.onEvent(m, k.action)
	switch {
	case !item && !done:
		return false
	case !live:
		c.dropList(k)
		if done && (!k.inItems() || endsWith(m, id)) {
			c.answeredLate(k, r)
		}
	case k.inItems():
		c.listPacket(k, r, m, id, done)
	default:
		c.oneEvent(k, r, m, item)
	}
	return !broadcast // OriginateResponse ends a call and is news as well
}

// isBare reports whether an event without an ActionID belongs to the list that is running: within a session nothing
// comes between the items of a list, and only what is sent to everybody says so (isBroadcast). IAXpeers' items have no
// ActionID (chan_iax2.c, manager_iax2_show_peers), nor have some ends. In a list whose items have one, an event without is
// what a line break in a value makes of an item, unless it may be the end.
func (c *Conn) isBare(m *wire.Message) bool {
	k := c.running
	return k != nil && k.inItems() && (k.list == nil || !k.list.named || lookAtEnd(m, "") == 0)
}

// oneEvent completes a call that waits for one event.
func (c *Conn) oneEvent(k *call, r callRef, m *wire.Message, item bool) {
	ev := c.ownEvent(m)
	if item && !c.collect(k, r, ev) {
		return
	}
	reply := c.newReply(k)
	reply.Message = k.list.response
	if !item {
		reply.End = ev.Message
	}
	reply.finish(k.list)
	c.complete(k, r, reply)
}

// listPacket handles an item of a list, or its end.
func (c *Conn) listPacket(k *call, r callRef, m *wire.Message, id string, done bool) {
	inner := m.Find("Event", 1) > 0
	if inner && id != "" {
		if line := glued(m, id); line > 0 {
			head, tail := m.Cut(line)
			c.event(&head)
			c.event(&tail)
			return
		}
	}
	if !c.release(k, r) {
		return
	}
	switch {
	case done && id != "" && endsWith(m, id):
		reply := c.newReply(k)
		reply.Message, reply.End = k.list.response, m.Clone()
		reply.finish(k.list)
		c.complete(k, r, reply)
	case done && id != "":
		c.stats.unmatched.Add(1)
		c.suspect(k)
	case id == "" || inner:
		c.maybeEnd(k, r, m, id)
	default:
		k.list.named = true
		c.collect(k, r, c.ownEvent(m))
	}
}

// maybeEnd collects an item, or holds it back if it may be the list's end, or hold it, without naming it.
func (c *Conn) maybeEnd(k *call, r callRef, m *wire.Message, id string) {
	ev := c.ownEvent(m)
	cut := lookAtEnd(m, id)
	k.list.named = k.list.named || id != ""
	if cut < 0 {
		c.collect(k, r, ev)
		return
	}
	k.list.held, k.list.heldCut = &ev, cut
	c.suspect(k)
}

// suspect sends a fence behind a call whose end may have come.
func (c *Conn) suspect(k *call) {
	c.mu.Lock()
	c.fence(k)
	c.mu.Unlock()
}

// release lets go of what was held back, as the list goes on: it is an item, or an event that a value forged. It
// reports whether the call goes on.
func (c *Conn) release(k *call, r callRef) bool {
	l := k.list
	held := l.held
	if held == nil {
		return true
	}
	l.held = nil
	if l.named && l.heldCut == 0 {
		c.feed.offer(&held.Message, held.Received.UnixNano(), held.Seq, c.session)
		return true
	}
	return c.collect(k, r, *held)
}

func (c *Conn) ownEvent(m *wire.Message) Event {
	return Event{Message: m.Clone(), Node: c.cfg.Name, Session: c.session, Seq: c.seq, Received: c.at}
}

// packet handles what is neither an event nor a response. With the ActionID of the list that is running it is an item of
// that, or its end, for nobody else knows the ID (chan_sccp ends a list so). The rest is counted, handed to those who ask
// for it, and kept for the call that it may belong to.
func (c *Conn) packet(m *wire.Message) {
	if k, r, whose := c.calls.lookup(m.Get("ActionID")); whose == idOurs && k.inItems() {
		live, known := c.hear(k, r)
		id := m.Get("ActionID")
		done := listHeader(m) != "" && endsWith(m, id)
		switch {
		case live:
			c.listPacket(k, r, m, id, done)
		case known && done:
			c.answeredLate(k, r)
		}
		return
	}
	c.stats.raw.Add(1)
	c.offerPacket(m)
	c.stray(m)
}

func (c *Conn) offerPacket(m *wire.Message) {
	c.feed.offerPacket(m, c.at.UnixNano(), c.seq, c.session)
}

// collect adds an item to a call's list. A list over its limits ends the call with what has arrived.
func (c *Conn) collect(k *call, r callRef, ev Event) bool {
	l := k.list
	size := inside.Of(&ev.Message).Size()
	if c.listItems >= c.cfg.Limits.ListItems || c.listHeld+size > c.cfg.Limits.ListBytes {
		c.tooLong(k, r, fmt.Errorf("%w: cut off after %d items", ErrListTooLong, l.items))
		return false
	}
	l.bytes += size
	c.listHeld += size
	c.listItems++
	handOut := k.to.items
	l.mu.Lock()
	l.items++
	if !handOut {
		l.events = append(l.events, ev)
	}
	l.mu.Unlock()
	if handOut {
		c.handOut(k, r, &ev)
	}
	return true
}

// handOut gives a batch an item at once, unless the call ended meanwhile: nothing comes after a call's end.
func (c *Conn) handOut(k *call, r callRef, item *Event) {
	c.mu.Lock() // whoever ends it holds that, and delivers the end without
	if k.state(r.gen) != slotHeard {
		c.mu.Unlock()
		return
	}
	wake := k.to.queue.append(otherEnd{slot: k.to.slot, node: c.cfg.Name, item: item})
	c.mu.Unlock()
	rouse(wake)
}

// dropList lets go of what has come of an answer that nobody waits for.
func (c *Conn) dropList(k *call) {
	if k.list == nil && k.strays == nil {
		return
	}
	c.mu.Lock()
	c.dropped(k)
	c.mu.Unlock()
}

// dropped is dropList under mu.
func (c *Conn) dropped(k *call) {
	if l := k.list; l != nil {
		c.listHeld -= l.bytes
		c.listItems -= l.items
		k.list = nil
	}
	if s := k.strays; s != nil {
		c.listHeld -= len(s.text)
		k.strays = nil
	}
}
