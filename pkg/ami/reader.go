package ami

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// read is the session's reader: the one goroutine that decodes, completes calls, and settles what is owed in the end.
// It waits for no consumer, but for one that asked for it (Throttle), and then not for long. It returns when nothing of
// the session is left.
func (c *Conn) read() {
	n, turn := 0, turn{}
	for {
		err := c.decode()
		if c.overLimit(err) {
			continue
		}
		if err == nil {
			if c.dec.Unended() {
				c.fenceText()
			}
			c.feed.awaitRoom(c.at.Add(longestRest(n)))
			n, err = c.nc.Read(c.dec.Space())
			c.dec.Wrote(n)
			c.stats.bytesIn.Add(uint64(n))
			if n > 0 {
				c.lastHeard.Store(c.now())
			}
			if turn.over(n, c.at) {
				go func() {}() // wakes an idle processor, which looks after the others
			}
			if c.lostEnd() {
				err = errNoEnd
			} else if n > 0 || err == nil {
				continue // what was read comes first; a lasting error comes again
			}
		}
		if errors.As(err, new(*wire.LimitError)) {
			c.stats.parseErrors.Add(1)
			err = fmt.Errorf("%w: %w", ErrProtocol, err)
		} else if c.dec.Buffered() > 0 {
			c.stats.parseErrors.Add(1) // a partial packet at the end is thrown away
		}
		c.kill(inWords(err))
		<-c.writerDone
		c.settle()
		c.feed.lost(time.Now().UnixNano())
		close(c.done)
		return
	}
}

// errNoEnd is why a session ends in which an answer over its limit goes on and on.
const errNoEnd = violation("an answer over its limit has no end")

// decode handles every whole packet that the decoder holds.
func (c *Conn) decode() error {
	c.at = time.Now()
	for {
		var err error
		m := &c.msg // in the session, or it would be allocated for every packet
		*m, err = c.dec.Next()
		if err != nil {
			c.handOver()
			if errors.Is(err, wire.ErrMore) {
				return nil
			}
			return err
		}
		c.seq++
		switch m.Kind() {
		case wire.Event:
			c.event(m)
		case wire.Response:
			c.response(m)
		default:
			c.packet(m)
		}
		if c.inTurn {
			c.handOver()
		}
	}
}

// What ends a call has its ActionID close to its top: a response as its second line (Command's third on old servers), the
// end of a list as its fourth at the latest (chan_iax2.c). An item may have it at its end (Status, QueueEntry), and so may
// what a line break in a caller's name makes of an item.
const (
	topOfResponse = 3
	topOfEnd      = 4
	topOfDialPlan = 7 // ShowDialPlanComplete before 13.2 (pbx.c); no caller has a word in that list
)

// actionID finds the ActionID in a packet's first lines.
func actionID(m *wire.Message, lines int) string {
	for i := 1; i < min(m.Len(), lines); i++ {
		if name, value := m.Line(i); wire.EqualFold(name, "ActionID") {
			return value
		}
	}
	return ""
}

// endsWith reports whether the end of a list has its ActionID where the server writes it.
func endsWith(m *wire.Message, id string) bool {
	lines := topOfEnd
	if wire.EqualFold(m.Name(), "ShowDialPlanComplete") {
		lines = topOfDialPlan
	}
	return actionID(m, lines) == id
}

// response gives a response packet to the call that it names.
func (c *Conn) response(m *wire.Message) {
	id := actionID(m, topOfResponse)
	if id == "" {
		c.stats.unmatched.Add(1)
		c.offerPacket(m)
		c.stray(m)
		return
	}
	k, r, whose := c.calls.lookup(id)
	switch whose {
	case idForeign:
		c.stats.foreign.Add(1)
		c.offerPacket(m)
		return
	case idStale:
		c.stats.duplicate.Add(1)
		c.offerPacket(m)
		return
	}
	live, known := c.hear(k, r)
	if !known {
		c.stats.duplicate.Add(1)
		c.offerPacket(m)
		return
	}
	c.fenced(k.start)
	if c.runningRef != r {
		c.running = nil
	}
	if c.cfg.TLS != nil {
		c.ack(k.end)
	}
	next, done := k.phase.onResponse(m, k.action, k.await)
	if !done {
		if k.phase == awaitReply && live {
			c.startList(k, m, next)
		} else if k.phase != awaitReply {
			c.stats.duplicate.Add(1)
		}
		k.phase = next
		c.running, c.runningRef = k, r
		return
	}
	if !live {
		c.answeredLate(k, r)
		return
	}
	if k.to.queue != nil && inside.Of(m).Size() <= mostPacked && wire.EqualFold(m.Name(), "Success") {
		c.completePacked(k, r, m)
		return
	}
	reply := c.newReply(k)
	reply.Message = m.Clone()
	if k.list != nil {
		reply.finish(k.list) // an Error in the middle of a list
	}
	c.complete(k, r, reply)
}

// hear marks that the server spoke of a call, and reports whether somebody still waits for it. A call that was given up
// before it was written, which is the last that a server may know of, is not known any more: its slot is another's.
func (c *Conn) hear(k *call, r callRef) (live, known bool) {
	if k.turn(r.gen, slotLive, slotHeard) {
		return true, true
	}
	state := k.state(r.gen)
	return state == slotHeard, state == slotHeard || state == slotZombie
}

// event gives an event to the call whose list it is an item or the end of, or else to the subscriptions.
func (c *Conn) event(m *wire.Message) {
	broadcast := isBroadcast(m)
	if !broadcast || wire.EqualFold(m.Name(), "OriginateResponse") {
		if c.listEvent(m, m.Get("ActionID"), broadcast) {
			return
		}
	}
	if c.onEvent != nil {
		c.onEvent(m)
	}
	c.feed.offer(m, c.at.UnixNano(), c.seq, c.session)
}

// isBroadcast tells an event sent to everybody, which has its classes and "all" as the second header (manager.c,
// __ast_manager_event_multichan), from an item of a list, which has no Privilege header; but Status items have
// "Privilege: Call".
func isBroadcast(m *wire.Message) bool {
	if m.Len() < 2 {
		return false
	}
	name, value := m.Line(1)
	return len(name) == 9 && wire.EqualFold(name, "Privilege") && strings.HasSuffix(value, ",all")
}

func (c *Conn) newReply(k *call) *Reply {
	return &Reply{
		Node: c.cfg.Name, Session: c.session, Seq: c.seq, Received: c.at,
		RTT: c.rtt(k),
	}
}

func (c *Conn) rtt(k *call) time.Duration {
	return c.at.Sub(c.epoch) - time.Duration(k.submitted)
}

// complete ends a call by its answer, if nobody was faster.
func (c *Conn) complete(k *call, r callRef, reply *Reply) {
	if a := c.stage(k, r); a != nil {
		c.dropList(k)
		a.reply, a.err = reply, c.verdict(k, r, reply)
		c.inTurn = a.to.queue != nil
		c.book(k, r, reply.RTT, a.err)
	}
}

// completePacked is complete for a plain success that a batch takes: the reply is bytes until it is handed out.
func (c *Conn) completePacked(k *call, r callRef, m *wire.Message) {
	if a := c.stage(k, r); a != nil {
		start, size := len(c.packed), inside.Of(m).Size()
		c.packed = slices.Grow(c.packed, size)[:start+size]
		a.end = end{packed: inside.Of(m).Pack(c.packed[start:]), start: start, slot: k.to.slot, seq: c.seq, rtt: c.rtt(k)}
		c.book(k, r, a.end.rtt, nil)
	}
}

// stage ends a call and returns its answer, to be filled in before it is handed over; nil if somebody was faster.
func (c *Conn) stage(k *call, r callRef) *answer {
	if !k.turn(r.gen, slotHeard, slotEnding) {
		c.answeredLate(k, r)
		return nil
	}
	c.answers = append(c.answers, answer{to: k.to})
	return &c.answers[len(c.answers)-1]
}

// book counts an answered call and frees its slot.
func (c *Conn) book(k *call, r callRef, rtt time.Duration, err error) {
	switch {
	case k.internal:
		c.stats.internalEnded.Add(1)
		if k.action == pingAction {
			c.ponged(r, rtt)
		}
	case err != nil:
		c.stats.errorReplies.Add(1)
	default:
		c.stats.replied.Add(1)
	}
	c.answered = max(c.answered, k.start)
	if k.internal {
		c.freedOwn++
	}
	k.clear()
	c.free(r, true)
}

// stageSize is how many answers the reader gathers at most before it hands them over.
const stageSize = 64

// An answer is a completed call on its way to whoever waits for it.
type answer struct {
	to    receiver
	reply *Reply // nil: packed
	err   error
	end   end // of a packed reply
}

// handOver passes on what the packets of one read brought: events first, so that those which came before a reply are
// there when Do returns; then the slots, so that there is room when it does; then the answers.
func (c *Conn) handOver() {
	c.inTurn = false
	c.feed.flush()
	c.releaseFreed()
	for rest := c.answers; len(rest) > 0; {
		n := 1
		if q := rest[0].to.queue; q != nil {
			for n < len(rest) && rest[n].to.queue == q {
				n++
			}
			q.putAll(rest[:n], c.packed, origin{c.cfg.Name, c.session, c.at})
		} else {
			rest[0].to.deliver(rest[0].reply, rest[0].err, c.cfg.Name)
		}
		rest = rest[n:]
	}
	clear(c.answers)
	c.answers = c.answers[:0]
	c.packedFit.used(len(c.packed))
	if c.packed = c.packed[:0]; !c.packedFit.wanted(cap(c.packed)) {
		c.packed = nil
	}
}

// verdict returns the error that goes with a server's refusal.
func (c *Conn) verdict(k *call, r callRef, reply *Reply) error {
	if reply.Success() {
		return nil
	}
	refused := &ResponseError{Action: k.action, Message: reply.Get("Message")}
	if refused.Outcome = reply.Outcome(); refused.Outcome != OutcomeUnknown {
		refused.Message = "the call failed"
	}
	e := ended{action: k.action, ref: r, sent: SentYes}
	if sent, ok := reply.Lookup(RelaySent); ok {
		refused.Relay, e.sent = true, relayed(sent)
	}
	return e.error(c, refused)
}

// answeredLate frees the slot of a call that had ended before its answer came.
func (c *Conn) answeredLate(k *call, r callRef) {
	if !k.turn(r.gen, slotZombie, slotEnding) {
		return // not the reader's to free
	}
	c.stats.late.Add(1)
	c.answered = max(c.answered, k.start)
	c.dropList(k)
	c.mu.Lock() // for whoever gave it up
	k.clear()
	c.mu.Unlock()
	c.free(r, false)
}

// free marks a slot for release; many are released under one lock. live tells that the call was still counted so.
func (c *Conn) free(r callRef, live bool) {
	if c.running != nil && c.runningRef == r {
		c.running = nil
	}
	c.freed = append(c.freed, r.slot)
	if live {
		c.freedLive++
	}
	if len(c.freed) >= stageSize {
		c.handOver()
	}
}

func (c *Conn) releaseFreed() {
	if len(c.freed) == 0 {
		return
	}
	c.mu.Lock()
	c.calls.release(c.freed...)
	c.calls.live -= c.freedLive
	c.calls.own -= c.freedOwn
	if c.calls.used > c.calls.live && c.lastHeard.Load() >= c.reapAt {
		c.reap()
	}
	c.room.call()
	c.drained()
	c.mu.Unlock()
	c.freed, c.freedLive, c.freedOwn = c.freed[:0], 0, 0
}

// reap releases zombies that will never be answered: the server works in order, and has answered a later action. Some
// actions have no answer that could be told from another's (Queues, IAXnetstats). Called by the reader, under mu.
func (c *Conn) reap() {
	c.reapAt = c.lastHeard.Load() + int64(time.Second)
	c.calls.each(func(k *call, r callRef, state uint64) {
		if state == slotZombie && k.end <= c.answered && k.turn(r.gen, slotZombie, slotEnding) {
			c.dropped(k)
			k.clear()
			c.calls.release(r.slot)
			if c.runningRef == r {
				c.running = nil
			}
		}
	})
}
