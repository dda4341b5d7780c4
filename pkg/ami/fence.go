package ami

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Some answers do not name the action that they answer. The server works in order, so that what comes belongs to the
// oldest action that is not answered; and when a later one is answered, that one's answer is over, whatever it was. A Ping
// of the engine's own sees to it that there is a later one: the fence.

// unnamed reports whether an action is known to be answered without its ActionID, be it with nothing at all: IAXnetstats
// (chan_iax2.c), Queues (app_queue.c before 15), SKINNYshowdevice and SKINNYshowline (chan_skinny.c).
func unnamed(action string) bool {
	switch len(action) {
	case len("Queues"):
		return wire.EqualFold(action, "Queues")
	case len("IAXnetstats"):
		return wire.EqualFold(action, "IAXnetstats")
	case len("SKINNYshowline"):
		return wire.EqualFold(action, "SKINNYshowline")
	case len("SKINNYshowdevice"):
		return wire.EqualFold(action, "SKINNYshowdevice")
	}
	return false
}

// strays are what came that names no action and can be a call's answer alone. They are the reader's.
type strays struct {
	text     []byte
	response wire.Message // the first of them that is a response; empty: none
}

// fence marks a call as one whose answer may name no action, and sends a Ping behind it unless there is one: once, or a
// server that answers each Ping with more of the like would be sent one after the other. Called under mu.
func (c *Conn) fence(k *call) {
	if k.unsure || k.internal {
		return
	}
	k.unsure = true
	c.unsure.Add(1)
	f := c.calls.at(c.fenceRef.slot)
	if state := f.state(c.fenceRef.gen); (state == slotLive || state == slotHeard) && f.start >= k.end {
		return
	}
	now := c.now()
	a := Action{Name: pingAction, Timeout: time.Duration(later(max(k.deadline-now, 0), c.cfg.Keepalive.Timeout))}
	if c.state == connDead || !c.hasRoom(&a, submitInternal) {
		return // the answer to any later action does as well
	}
	c.fenceRef = c.accept(context.Background(), &a, receiver{}, now, 0, true)
	if c.idle {
		c.idle = false
		c.wakeWriter()
	}
}

// fenceText sends a fence behind a Command whose text may lack its end mark.
func (c *Conn) fenceText() {
	k, _, ok := c.oldest()
	if ok && !k.internal {
		c.suspect(k)
	}
}

// isAhead reports whether a call may still be what the server is at, for all that has come. Called under mu, by the reader.
func (c *Conn) isAhead(k *call, state uint64) bool {
	switch {
	case state != slotLive && state != slotHeard && state != slotZombie:
		return false
	case k.phase == awaitOne || k.phase == awaitOriginate: // it is past their answers
		return false
	}
	return k.list == nil || k.list.held == nil // or past the end, by the look of it
}

// oldest finds the call that the server is at: the first that was written and is not answered, be it one that nobody
// waits for any more.
func (c *Conn) oldest() (k *call, r callRef, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls.used == 0 {
		return nil, callRef{}, false
	}
	c.calls.each(func(o *call, ref callRef, state uint64) {
		if o.end > c.answered && (k == nil || o.start < k.start) && c.isAhead(o, state) && c.sent(o) != SentNo {
			k, r = o, ref
		}
	})
	return k, r, k != nil
}

// stray looks after a packet that names no action: it is kept for the call that it may belong to.
func (c *Conn) stray(m *wire.Message) {
	k, r, ok := c.oldest()
	if !ok || k.internal {
		return
	}
	live, known := c.hear(k, r)
	if !known {
		return
	}
	if k.strays == nil {
		k.strays = &strays{}
	}
	if live {
		if c.listHeld+len(m.Text()) > c.cfg.Limits.ListBytes || len(k.strays.text)+len(m.Text()) > c.answerLimit() {
			c.tooLong(k, r, fmt.Errorf("%w: of text that names no action", ErrListTooLong))
			return
		}
		k.strays.text = append(k.strays.text, m.Text()...)
		c.listHeld += len(m.Text())
		if m.Kind() == wire.Response && k.strays.response.Len() == 0 {
			k.strays.response = m.Clone()
		}
	}
	c.suspect(k)
}

func (c *Conn) answerLimit() int {
	if n := c.cfg.Limits.Wire.Answer; n > 0 {
		return n
	}
	return wire.DefaultAnswer
}

// fenced ends the calls ahead of an answered one whose answers name no action.
//
// What came while one of several was the oldest may be any of theirs, as far as anybody can tell: the first may have been
// answered with nothing. No call takes another's answer, so that each of them ends with an error.
func (c *Conn) fenced(start uint64) {
	if c.unsure.Load() == 0 {
		return
	}
	type place struct {
		k     *call
		r     callRef
		start uint64
		ahead bool
	}
	var past []place
	left := int32(0)
	c.mu.Lock()
	c.calls.each(func(k *call, r callRef, state uint64) {
		switch ahead := c.isAhead(k, state); {
		case k.end > start:
			if k.unsure {
				left++
			}
		case ahead || k.unsure && state != slotEnding:
			past = append(past, place{k, r, k.start, ahead})
		}
	})
	c.unsure.Store(left)
	c.mu.Unlock()
	slices.SortFunc(past, func(a, b place) int { return cmp.Compare(a.start, b.start) })
	for i, p := range past {
		several := slices.ContainsFunc(past[i+1:], func(o place) bool { return o.ahead })
		if p.k.strays == nil || !p.ahead || !several {
			continue
		}
		for _, o := range past[i:] {
			if o.ahead {
				c.fail(o.k, o.r, errMixed)
			}
		}
		past = slices.DeleteFunc(past, func(o place) bool { return o.ahead && o.start >= p.start })
		break
	}
	for _, p := range past {
		if p.k.unsure {
			c.completeFenced(p.k, p.r)
		}
	}
}

// errMixed is why calls end whose answers cannot be told apart.
const errMixed = violation("several actions in a row were answered without their ActionIDs, and which answer is whose cannot be told")

// completeFenced ends a call with what has come.
func (c *Conn) completeFenced(k *call, r callRef) {
	live, known := c.hear(k, r)
	if !live {
		if known {
			c.answeredLate(k, r)
		}
		return
	}
	reply := c.newReply(k)
	reply.Fenced = true
	if s := k.strays; s != nil {
		reply.Message, reply.Raw = s.response, string(s.text)
	}
	if l := k.list; l != nil {
		reply.Message = l.response
		if held := l.held; held != nil {
			l.held = nil
			end := held.Message
			if l.heldCut > 0 {
				held.Message, end = end.Cut(l.heldCut)
				if !c.collect(k, r, *held) {
					return
				}
			}
			reply.End = end
		}
		reply.finish(l)
	}
	c.complete(k, r, reply)
}

// lookAtEnd finds in an item what may be the list's end without its ActionID: the event itself (0), or the line where one
// begins that no blank line divides from the item. It returns -1 if there is neither.
func lookAtEnd(m *wire.Message, id string) int {
	if id == "" && (listHeader(m) != "" || strings.HasSuffix(m.Name(), "Complete")) {
		return 0
	}
	for i := m.Len() - 1; i > 0; i-- {
		if name, value := m.Line(i); len(name) == len("Event") && wire.EqualFold(name, "Event") {
			if strings.HasSuffix(value, "Complete") {
				return i
			}
			return -1
		}
	}
	return -1
}

// glued finds the line at which the next event of the same list begins without a blank line before it (chan_skinny.c,
// _skinny_show_devices). Its ActionID vouches for it: no caller's text knows that.
func glued(m *wire.Message, id string) int {
	for i := 1; i < m.Len(); i++ {
		if name, _ := m.Line(i); len(name) != len("Event") || !wire.EqualFold(name, "Event") {
			continue
		}
		for j := i + 1; j < min(m.Len(), i+topOfEnd); j++ {
			if name, value := m.Line(j); wire.EqualFold(name, "ActionID") && value == id {
				return i
			}
		}
	}
	return 0
}

// overLimit looks after a packet that was too long. It reports whether the session can go on: the packet was a call's
// answer, which ends with an error, and what follows it is found.
func (c *Conn) overLimit(err error) bool {
	if err == nil {
		return false
	}
	var limit *wire.LimitError
	if !errors.As(err, &limit) || limit.What == "banner" {
		return false
	}
	c.skipFrom = c.dec.Discarded()
	k, r, ok := c.ownerOf(limit.Head)
	if !ok {
		return false
	}
	c.stats.parseErrors.Add(1)
	c.tooLong(k, r, fmt.Errorf("%w: %w: %w", ErrListTooLong, ErrProtocol, limit))
	return true
}

// mostSkipped is how many bytes of a packet that is too long are read in search of its end.
const mostSkipped = 64 << 20

// lostEnd reports that the end of a packet that is too long cannot be found.
func (c *Conn) lostEnd() bool { return c.skipFrom > 0 && c.dec.Discarded()-c.skipFrom > mostSkipped }

// ownerOf finds the call that a packet with such a beginning belongs to.
func (c *Conn) ownerOf(head string) (*call, callRef, bool) {
	lines := strings.Split(head, "\n")
	event := wire.EqualFold(lines[0][:min(len(lines[0]), len("Event:"))], "Event:")
	for _, line := range lines[1:min(len(lines), topOfEnd)] {
		name, id, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		if !ok || !wire.EqualFold(name, "ActionID") {
			continue
		}
		k, r, whose := c.calls.lookup(strings.TrimPrefix(id, " "))
		return k, r, whose == idOurs
	}
	if event {
		return nil, callRef{}, false
	}
	return c.oldest()
}

// tooLong ends a call whose answer is over its limit. A list may go on for long: its slot waits for the end.
func (c *Conn) tooLong(k *call, r callRef, err error) {
	live, known := c.hear(k, r)
	if !known {
		return
	}
	if k.list != nil && live {
		c.mu.Lock()
		e, ok := c.giveUp(k, r, &c.stats.errorReplies)
		c.drained()
		c.mu.Unlock()
		c.dropList(k)
		if ok {
			e.to.deliver(e.reply, e.error(c, err), c.cfg.Name)
		}
		return
	}
	if k.list != nil { // given up before; its end is to come
		return
	}
	c.fail(k, r, err)
}

// fail ends an answered call with an error.
func (c *Conn) fail(k *call, r callRef, err error) {
	live, known := c.hear(k, r)
	if !live {
		if known {
			c.answeredLate(k, r)
		}
		return
	}
	if a := c.stage(k, r); a != nil {
		reply := c.newReply(k)
		reply.Incomplete = true
		if l := k.list; l != nil {
			reply.Message, reply.Events, reply.Items = l.response, l.events, l.items
		}
		e := ended{action: k.action, ref: r, sent: SentYes}
		a.reply, a.err = reply, e.error(c, err)
		c.dropList(k)
		c.book(k, r, reply.RTT, a.err)
	}
}
