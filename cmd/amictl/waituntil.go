package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// untilFlags are those of wait --until.
type untilFlags struct {
	conditions list
	every      duration
}

// An untilWait sends an action again and again, until the answers of all its nodes meet a condition in one round.
type untilWait struct {
	app    *app
	action ami.Action
	where  *ami.Where
	every  time.Duration
}

func (a *app) waitUntil(ctx context.Context, f *untilFlags, fan *fanout) error {
	where, err := a.parseWhere(f.conditions)
	if err != nil {
		return err
	}
	if !a.hasTo {
		return usageError("such as -- CoreStatus", "--until needs an action behind `--`")
	}
	action, err := a.parseAction(a.rest)
	if err != nil {
		return err
	}
	nodes, done, err := a.aim(fan, &action)
	if err != nil || done {
		return err
	}
	if fan.route != "" && len(nodes) > 1 {
		return usageError("--all, or choose one with --node", "--until looks at nodes, and --route at whichever is there")
	}
	p, err := a.printer(answers, len(nodes) > 1, len(nodes) > 1)
	if err != nil {
		return err
	}
	a.warnUnknown(&action)
	c, err := a.cluster(nodes)
	if err != nil {
		return err
	}
	defer finish(ctx, c)
	limited, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	if err := a.await(limited, c, len(nodes)); err != nil {
		return err
	}
	action.WaitReady = true
	u := &untilWait{app: a, action: action, where: where, every: f.every.d}
	ends, err := u.poll(limited, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, e := range ends {
		if e.reply == nil {
			continue
		}
		if err := p.Reply(e.reply, &output.Origin{Action: action.Name}); err != nil {
			return err
		}
	}
	return errors.Join(err, p.Close())
}

// poll returns the answers of the last round, and nil if they meet the condition. A node that is away or too slow is
// asked again; one that refuses ends the wait.
func (u *untilWait) poll(ctx context.Context, c *ami.Cluster) ([]ending, error) {
	var before []ending
	for {
		ends := u.round(ctx, c)
		holds := true
		for i := range ends {
			var refused *ami.ResponseError
			if errors.As(ends[i].err, &refused) {
				return ends, ends[i].err
			}
			holds = holds && ends[i].err == nil && u.holds(ends[i].reply)
		}
		if holds {
			return ends, nil
		}
		if ctx.Err() == nil {
			rest(ctx, u.every)
		}
		if ctx.Err() != nil {
			return u.tooLate(ends, before)
		}
		before = answered(ends, before)
	}
}

// answered puts a node's answer from before where it gave none: a round may have been cut short, or the node be away.
func answered(ends, before []ending) []ending {
	for i := range before {
		if ends[i].reply == nil {
			ends[i].reply = before[i].reply
		}
	}
	return ends
}

// tooLate says that the condition did not hold in time, with the last answers there were.
func (u *untilWait) tooLate(ends, before []ending) ([]ending, error) {
	ends = answered(ends, before)
	hint := "no answer came; --timeout allows more time"
	if slices.ContainsFunc(ends, func(e ending) bool { return e.reply != nil }) {
		hint = "the last answer is on standard output; --timeout allows more time"
	}
	u.app.noteMissing(u.where)
	return ends, &cliError{code: codeCondition, exit: exitTimeout, msg: "the condition did not hold within " + u.app.timeout().String(), hint: hint}
}

func (u *untilWait) round(ctx context.Context, c *ami.Cluster) []ending {
	nodes := c.Nodes()
	ends := make([]ending, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			reply, err := n.Do(ctx, u.action)
			ends[i] = ending{node: n.Name(), reply: reply, err: err}
		})
	}
	all.Wait()
	return ends
}

// holds looks at the response, or at every item of a list and what is around them.
func (u *untilWait) holds(r *ami.Reply) bool {
	var n cond.Count
	n.Reply(u.where, r)
	return cond.Any.Holds(n)
}
