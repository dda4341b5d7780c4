package ami

import (
	"context"
	"math"
	"time"
)

// tickRound is the grain of deadlines: one timer fires for all calls that are due within it.
const tickRound = int64(50 * time.Millisecond)

const pingAction = "Ping"

// A keepalive is what a session knows of its server's life.
type keepalive struct {
	out    bool // a Ping is on its way
	ref    callRef
	sentAt int64 // nanoseconds since the session's epoch
	until  int64 // no room for it: until when one that was sent would have had time
	misses int
}

// armAt sees to it that the session's one timer fires soon after the deadline. Called under mu.
func (c *Conn) armAt(deadline int64) {
	if deadline > math.MaxInt64-tickRound {
		return // never
	}
	at := (deadline + tickRound - 1) / tickRound * tickRound
	if c.timerAt != 0 && c.timerAt <= at || c.state == connDead {
		return
	}
	c.timerAt = at
	wait := time.Duration(max(1, at-c.now()))
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.tick)
	} else {
		c.timer.Reset(wait)
	}
}

// later returns the instant that is d after at, or the last there is.
func later(at int64, d time.Duration) int64 {
	if at > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return at + int64(d)
}

// armKeepalive arms the timer for the next look at the server's life. Called under mu.
func (c *Conn) armKeepalive() {
	if c.cfg.Keepalive.Interval > 0 {
		c.armAt(later(c.lastHeard.Load(), c.cfg.Keepalive.Interval))
	}
}

// tick ends the calls that are due and looks after the keepalive.
func (c *Conn) tick() {
	c.mu.Lock()
	if c.state == connDead {
		c.mu.Unlock()
		return
	}
	c.timerAt = 0
	now := c.now()
	next, horizon := int64(math.MaxInt64), now
	var due []ended
	c.calls.each(func(k *call, r callRef, state uint64) {
		horizon = max(horizon, k.deadline)
		switch {
		case state != slotLive && state != slotHeard:
		case k.deadline > now:
			next = min(next, k.deadline)
		default:
			if e, ok := c.giveUp(k, r, &c.stats.timedOut); ok {
				due = append(due, e)
			}
		}
	})
	dead := c.pulse(now, horizon)
	if next != math.MaxInt64 {
		c.armAt(next)
	}
	c.drained()
	c.mu.Unlock()
	for _, e := range due {
		e.to.deliver(e.reply, e.error(c, ErrTimeout), c.cfg.Name)
	}
	if dead {
		c.kill(ErrKeepalive)
	}
}

// pulse sends a Ping after a silence, counts one that is not answered in time, and reports whether the server must be
// taken for dead. The server works off its actions one by one, so a Ping's time starts when those ahead of it are due
// (horizon): a long Originate does not kill its session. Called under mu.
func (c *Conn) pulse(now, horizon int64) (dead bool) {
	// Where calls that timed out fill the table, only the answer to something later makes room.
	full := c.calls.used >= c.cfg.Limits.Pending && c.calls.used > c.calls.live
	watched := c.cfg.Keepalive.Interval > 0
	if !watched && !c.ping.out && !full {
		return false
	}
	heard := c.lastHeard.Load()
	if c.ping.out {
		k := c.calls.at(c.ping.ref.slot)
		if state := k.state(c.ping.ref.gen); state == slotLive || state == slotHeard {
			return false // armed for its deadline already
		}
		if c.ping.ref == (callRef{}) && now < c.ping.until {
			c.armAt(c.ping.until)
			return false
		}
		c.ping.out = false
		if watched && heard <= c.ping.sentAt {
			c.ping.misses++
			c.stats.missedPings.Add(1)
			if c.ping.misses >= c.cfg.Keepalive.Misses {
				return true
			}
		}
	}
	if heard > c.ping.sentAt {
		c.ping.misses = 0
	}
	if c.ping.misses == 0 && !(watched && now-heard >= int64(c.cfg.Keepalive.Interval)) && !full {
		c.armKeepalive()
		return false
	}
	c.sendPing(now, horizon)
	return false
}

// sendPing writes a Ping of the engine's own. Called under mu.
func (c *Conn) sendPing(now, horizon int64) {
	a := Action{Name: pingAction, Timeout: time.Duration(later(horizon-now, c.cfg.Keepalive.Timeout))}
	if !c.hasRoom(&a, submitInternal) { // as good as one that is not answered
		c.ping.out, c.ping.ref, c.ping.sentAt, c.ping.until = true, callRef{}, now, later(now, a.Timeout)
		c.armAt(c.ping.until)
		return
	}
	r := c.accept(context.Background(), &a, receiver{}, c.now(), 0, true)
	c.ping.out, c.ping.ref, c.ping.sentAt = true, r, now
	if c.idle {
		c.idle = false
		c.wakeWriter()
	}
}

// ponged books a Ping's answer.
func (c *Conn) ponged(r callRef, rtt time.Duration) {
	c.stats.pings.Add(1)
	c.stats.pingLast.Store(int64(rtt))
	if int64(rtt) > c.stats.pingMax.Load() {
		c.stats.pingMax.Store(int64(rtt))
	}
	c.reapAt = 0 // whatever waits ahead of it waits in vain
	c.mu.Lock()
	c.ping.misses = 0
	if c.ping.ref == r {
		c.ping.out = false
	}
	c.armKeepalive()
	c.mu.Unlock()
}

// degraded reports whether the server missed its last Ping.
func (c *Conn) degraded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ping.misses > 0
}
