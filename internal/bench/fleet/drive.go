package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// drive starts the load, follows it to its end, and sums it up.
func (c *coordinator) drive(ctx context.Context, plans []plan) (*bench.Result, error) {
	c.began = c.clock.now() + startAhead
	for _, m := range c.members {
		c.to(m, kindStart, instant{c.began + m.before.ahead})
	}
	started := c.clock.at(c.began)
	over := func() bool {
		c.live(false)
		return !slices.ContainsFunc(c.members, func(m *member) bool { return m.lost == "" && m.result == nil })
	}
	err := c.wait(ctx, 0, func() bool { return c.lost != "" || c.ending != "" || over() })
	switch {
	case c.lost != "":
	case err != nil && ctx.Err() == nil: // what a worker says makes no sense
		c.ending = err.Error()
	case err != nil:
		c.ending = "interrupted"
	}
	ctx = context.WithoutCancel(ctx)
	if c.ending != "" {
		c.tell(kindStop, stop{Why: c.ending})
		_ = c.wait(ctx, c.longest(), func() bool { return c.lost != "" || over() })
	}
	if c.lost != "" || !over() {
		c.abandon(ctx, over)
	}
	if c.lost != "" {
		c.hangUp(ctx)
	} else {
		_ = c.measure(ctx, func(m *member) *offset { return &m.after })
	}
	c.tell(kindBye, nil)
	for c.live(true) {
	}
	return c.outcome(plans, started)
}

// longest is how long workers may take to end gracefully.
func (c *coordinator) longest() time.Duration {
	return time.Duration(c.load.Config.Timeout) + time.Duration(c.load.Config.Grace) + readyWithin
}

// abandon has everybody end at once, and takes the results of those who can still say theirs.
func (c *coordinator) abandon(ctx context.Context, over func() bool) {
	why := "the workers did not end"
	for _, m := range c.members {
		if m.lost != "" {
			why = "worker " + m.name + " was lost: " + m.lost
			break
		}
	}
	if c.ending == "" {
		c.ending = why
	}
	c.abandoned = true
	c.tell(kindStop, stop{Why: why, Abandon: true})
	if err := c.wait(ctx, leaveWithin, over); errors.Is(err, errLate) {
		for _, m := range c.members {
			if m.lost == "" && m.result == nil {
				c.lose(m, "it did not end when it was told to")
			}
		}
	}
}

// hangUpWithin bounds the end of calls that lost workers have left, on servers that are slow. Those that cannot be reached are given
// up sooner, so that the run is over in three seconds.
const hangUpWithin = 5 * time.Second

// hangUp ends the calls of workers that are lost. Each also does so itself when it finds out that it is alone, if it can.
func (c *coordinator) hangUp(ctx context.Context) {
	if c.HangUp == nil || c.load.Config.Workload != bench.WorkloadCalls {
		return
	}
	c.Children.kill()
	ctx, cancel := context.WithTimeout(ctx, hangUpWithin)
	defer cancel()
	n, err := c.HangUp(ctx)
	if n > 0 {
		c.notes = append(c.notes, fmt.Sprintf("%d channels of lost workers were hung up", n))
	}
	if err != nil {
		c.notes = append(c.notes, "calls of lost workers may be up: "+strings.TrimPrefix(err.Error(), "bench: "))
	}
}

// report takes what a worker says of its load.
func (c *coordinator) report(m *member, msg *message) error {
	switch msg.Kind {
	case kindStretch:
		s, err := read[bench.Stretch](msg)
		if err != nil {
			return err
		}
		m.got++
		return c.stretches.Add(c.index(m), &s)
	case kindResult:
		f, err := read[final](msg)
		if err != nil {
			return err
		}
		if f.Result == nil {
			c.lose(m, "it has no result")
			return nil
		}
		m.result, m.sent, m.deaf = f.Result, f.Count, f.Silent
		if f.Result.Partial && c.ending == "" { // of its own: the others are to end too
			c.ending = "worker " + m.name + ": " + f.Result.Ended
		}
	}
	return nil
}

func (c *coordinator) index(m *member) int { return slices.Index(c.members, m) }

// live shows the oldest stretch that has not been shown, if everybody has said something of it, or if it has to be shown now,
// and judges by it whether the run goes on.
func (c *coordinator) live(now bool) bool {
	w, ok := c.stretches.Next(func(i int) bool { return c.members[i].lost == "" && c.members[i].result == nil }, now)
	if !ok {
		return false
	}
	var workers []Now
	for i, m := range c.members {
		if s := c.stretches.Latest(i); s != nil {
			workers = append(workers, Now{Name: m.name, Interval: s.Interval, Lag: s.Lag})
		}
	}
	if c.Live != nil {
		c.Live(w, workers)
	}
	if w.SoFar != nil && c.ending == "" && !now {
		c.ending = c.aborting.Judge(w.SoFar)
	}
	return true
}
