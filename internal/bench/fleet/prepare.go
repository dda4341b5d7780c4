package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// prepare gathers the workers, has each make its part ready, and finds out how their clocks stand.
func (c *coordinator) prepare(ctx context.Context, plans []plan) error {
	ready := func(is func(*member) bool) func() bool {
		return func() bool {
			return c.lost != "" || len(c.members) == c.Workers && !slices.ContainsFunc(c.members, func(m *member) bool { return !is(m) })
		}
	}
	joined := ready(func(m *member) bool { return m.joined })
	err := c.wait(ctx, 0, func() bool {
		c.forget()
		return joined()
	})
	if err = c.orLost(err); err != nil {
		return err
	}
	slices.SortStableFunc(c.members, func(a, b *member) int { return cmp.Compare(a.name, b.name) })
	for i, m := range c.members {
		c.to(m, kindPlan, plans[i])
	}
	err = c.wait(ctx, readyWithin, ready(func(m *member) bool { return m.ready }))
	if err = c.orLost(err); err != nil {
		return err
	}
	return c.orLost(c.measure(ctx, func(m *member) *offset { return &m.before }))
}

// orLost makes a worker that was lost the error, where nothing else is wrong.
func (c *coordinator) orLost(err error) error {
	if err == nil || errors.Is(err, errLate) {
		if lost := c.firstLost(); lost != nil {
			return lost
		}
	}
	return err
}

// forget gives up on workers that were invited and did not come: another coordinator has them.
func (c *coordinator) forget() {
	now := c.clock.now()
	c.members = slices.DeleteFunc(c.members, func(m *member) bool { return !m.joined && m.lost == "" && now-m.invited > joinWithin })
}

// hello answers a worker that has nothing to do.
func (c *coordinator) hello(h hello) {
	known := slices.ContainsFunc(c.members, func(m *member) bool { return m.id == h.ID })
	switch {
	case h.ID == "" || known:
	case h.Protocol != protocol || h.Version != c.Version:
		c.turnAway(h, turnAway{Final: true, Why: fmt.Sprintf("it is amictl %s (protocol %d), and the coordinator is %s (%d)", h.Version, h.Protocol, c.Version, protocol)})
	case len(c.members) >= c.Workers:
		c.turnAway(h, turnAway{Why: fmt.Sprintf("run %s has its %d workers", c.Run, c.Workers)})
	default:
		m := &member{id: h.ID, name: c.free(h.Name), invited: c.clock.now()}
		m.heard(m.invited)
		m.pulse.longest = 0
		if c.subscribe(fromWorker(c.Run, h.ID), m) == nil {
			c.members = append(c.members, m)
			_ = say(c.Bus, toIdle(h.ID), kindInvite, "", invite{Run: c.Run, Name: m.name})
		}
	}
}

func (c *coordinator) turnAway(h hello, why turnAway) {
	_ = say(c.Bus, toIdle(h.ID), kindTurnAway, "", why)
	if !c.told[h.ID] && len(c.told) < maxTold {
		c.told[h.ID] = true
		c.Say(fmt.Sprintf("worker %s cannot take part: %s", h.Name, why.Why))
	}
}

// maxTold bounds whom the coordinator remembers to have turned away.
const maxTold = 1000

// free is a name that no other worker of the run has.
func (c *coordinator) free(name string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(c.members, func(m *member) bool { return m.name == name })
	}
	out := name
	for i := 2; taken(out); i++ {
		out = fmt.Sprintf("%s-%d", name, i)
	}
	return out
}

// handle takes up a message.
func (c *coordinator) handle(e event) error {
	m := e.from
	if m == nil {
		if e.Kind == kindHello {
			if h, err := read[hello](e.message); err == nil {
				c.hello(h)
			}
		}
		return nil
	}
	if m.lost != "" || !slices.Contains(c.members, m) {
		return nil // it comes too late
	}
	switch e.Kind {
	case kindJoin:
		m.joined = true
		if c.Children == nil {
			c.Say(fmt.Sprintf("worker %s takes part: %d of %d", m.name, c.joined(), c.Workers))
		}
	case kindRefuse:
		r, err := read[Refusal](e.message)
		if err != nil {
			return err
		}
		if c.began > 0 { // it had been able to
			c.lose(m, r.Message)
			return nil
		}
		return &RefusedError{m.name, r}
	case kindReady:
		m.ready = true
	case kindPong:
		if p, err := read[pong](e.message); err == nil {
			c.pong(m, p, e.at)
		}
	case kindStarted:
		if s, err := read[instant](e.message); err == nil {
			m.began = s.At
		}
	default:
		return c.report(m, e.message)
	}
	return nil
}

// joined is how many workers take part so far.
func (c *coordinator) joined() (n int) {
	for _, m := range c.members {
		if m.joined {
			n++
		}
	}
	return n
}

// A pinging is the measurement of clocks that is under way.
type pinging struct {
	n  int                   // of the latest round
	of func(*member) *offset // what it is to tell
}

// measure finds out how far each worker's clock is ahead.
func (c *coordinator) measure(ctx context.Context, of func(*member) *offset) error {
	c.pinging.of = of
	for range pings {
		c.pinging.n++
		for _, m := range c.members {
			if m.lost == "" && !m.mute {
				m.pinged, m.answered = c.clock.now(), false
				c.to(m, kindPing, ping{c.pinging.n})
			}
		}
		err := c.wait(ctx, pingWithin, func() bool {
			return !slices.ContainsFunc(c.members, func(m *member) bool { return m.lost == "" && !m.mute && !m.answered })
		})
		if err != nil && !errors.Is(err, errLate) {
			return err
		}
		for _, m := range c.members {
			m.mute = m.mute || err != nil && !m.answered && m.result != nil // it has said all that it had to, and may be gone
		}
	}
	for _, m := range c.members {
		if m.lost == "" && m.result == nil && !of(m).known {
			c.lose(m, "it did not say what its clock shows")
		}
	}
	return nil
}

// pong takes the answer to the latest ping; one to an earlier ping tells nothing.
func (c *coordinator) pong(m *member, p pong, at time.Duration) {
	if p.N == c.pinging.n && !m.answered {
		c.pinging.of(m).add(m.pinged, at, p.At)
		m.answered = true
	}
}
