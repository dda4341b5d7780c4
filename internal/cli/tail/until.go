package tail

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// untilOptions are those of wait --until.
type untilOptions struct {
	conditions flags.List
	found      cond.Found // how much must meet them; any, unless said
	every      flags.Duration
}

// An untilWait sends an action again and again, until the answers of all its nodes meet a condition in one round.
type untilWait struct {
	run    *run.Run
	action ami.Action
	where  *ami.Where
	found  cond.Found
	every  time.Duration
}

func waitUntil(ctx context.Context, r *run.Run, o *waitOptions) error {
	where, err := act.ParseWhere(r, o.until.conditions)
	if err != nil {
		return err
	}
	if !r.HasTo {
		return fail.Usage("such as -- CoreStatus", "--until needs an action after `--`")
	}
	action, err := act.ParseAction(r, r.Rest)
	if err != nil {
		return err
	}
	nodes, done, err := act.Aim(ctx, r, &o.Fanout, &o.bus, &action)
	if err != nil || done {
		return err
	}
	if o.Route != "" && len(nodes) > 1 {
		return fail.Usage("--all, or choose one with --node", "--until watches particular nodes, and --route takes whichever is available")
	}
	p, err := r.Printer(run.Answers, len(nodes) > 1, len(nodes) > 1)
	if err != nil {
		return err
	}
	c, err := target.Cluster(r, nodes)
	if err != nil {
		return err
	}
	defer target.Finish(ctx, c)
	limited, cancel := context.WithTimeout(ctx, r.Settings.Timeout)
	defer cancel()
	if err := target.Await(limited, r, c, len(nodes)); err != nil {
		return err
	}
	action.WaitReady = true
	u := &untilWait{run: r, action: action, where: where, found: o.until.found, every: o.until.every.Value}
	if !u.found.Asks() {
		u.found = cond.Any
	}
	ends, err := u.poll(limited, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, e := range ends {
		if e.Reply == nil {
			continue
		}
		if err := p.Reply(e.Reply, &output.Origin{Action: action.Name}); err != nil {
			return err
		}
	}
	return errors.Join(err, p.Close())
}

// poll returns the answers of the last round, and nil if they meet the condition. A node that is away or too slow is
// asked again; one that refuses ends the wait.
func (u *untilWait) poll(ctx context.Context, c *ami.Cluster) ([]target.Ending, error) {
	var before []target.Ending
	for {
		ends := u.round(ctx, c)
		holds := true
		for i := range ends {
			var refused *ami.ResponseError
			if errors.As(ends[i].Err, &refused) {
				return ends, ends[i].Err
			}
			holds = holds && ends[i].Err == nil && u.holds(ends[i].Reply)
		}
		if holds {
			return ends, nil
		}
		if ctx.Err() == nil {
			run.Pause(ctx, u.every)
		}
		if ctx.Err() != nil {
			return u.tooLate(c, ends, before)
		}
		before = answered(ends, before)
	}
}

// answered puts a node's answer from before where it gave none: a round may have been cut short, or the node be away.
func answered(ends, before []target.Ending) []target.Ending {
	for i := range before {
		if ends[i].Reply == nil {
			ends[i].Reply = before[i].Reply
		}
	}
	return ends
}

// tooLate says that the condition did not hold in time, with the last answers there were, and which node was away.
func (u *untilWait) tooLate(c *ami.Cluster, ends, before []target.Ending) ([]target.Ending, error) {
	ends = answered(ends, before)
	hint := "no answer came; --timeout allows more time"
	if slices.ContainsFunc(ends, func(e target.Ending) bool { return e.Reply != nil }) {
		hint = "the last answer is on standard output; --timeout allows more time"
	}
	act.NoteMissing(u.run, u.where)
	message := "the condition did not hold within " + u.run.Settings.Timeout.String()
	for _, n := range c.Nodes() {
		if !n.Ready() {
			message += "; " + fail.Classify(target.Absent(n)).Message
		}
	}
	return ends, &fail.Error{Code: fail.CodeCondition, Exit: fail.ExitTimeout, Message: message, Hint: hint}
}

func (u *untilWait) round(ctx context.Context, c *ami.Cluster) []target.Ending {
	nodes := c.Nodes()
	ends := make([]target.Ending, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			reply, err := n.Do(ctx, u.action)
			ends[i] = target.Ending{Node: n.Name(), Reply: reply, Err: err}
		})
	}
	all.Wait()
	return ends
}

// holds looks at the response, or at every item of a list and what is around them.
func (u *untilWait) holds(r *ami.Reply) bool {
	var n cond.Count
	n.Reply(u.where, r)
	return u.found.Holds(n)
}
