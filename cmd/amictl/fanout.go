package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// fanout are the flags of subcommands that send: what to do with several nodes.
type fanout struct {
	all    bool
	route  string
	dryRun bool
	yes    bool

	// Rolling: only of subcommands that ask each node once.
	batch   count
	pause   duration
	maxFail count
}

func (f *fanout) flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "all", Usage: "send to every node that was selected", Destination: &f.all},
		text("route", "", "send to one of the nodes: `HOW` is round-robin, failover or least-pending", &f.route),
		&cli.BoolFlag{Name: "dry-run", Usage: "print what would be sent, without secrets, and connect to nothing", Destination: &f.dryRun},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before changing what a protected context holds", Destination: &f.yes},
	}
}

// rolling are the flags for one group of nodes after the other.
func (f *fanout) rolling() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "batch", Usage: "with --all: `N` nodes at a time", Value: &f.batch},
		&cli.GenericFlag{Name: "pause", Usage: "with --batch: wait `TIME` between them", Value: &f.pause},
		&cli.GenericFlag{Name: "max-fail", Usage: "with --batch: begin no further one once `N` nodes have failed", Value: &f.maxFail},
	}
}

// check refuses several nodes when nobody said what to do with them: nothing is sent then.
func (f *fanout) check(nodes int) error {
	switch {
	case f.all && f.route != "":
		return usageError("leave one of them out", "--all and --route do not go together")
	case f.route != "" && f.route != "round-robin" && f.route != "failover" && f.route != "least-pending":
		return usageError("round-robin, failover or least-pending", "--route %q is no way to choose a node", f.route)
	case f.batch.set && !f.all:
		return usageError("such as --all --batch 5 --pause 10s --max-fail 1", "--batch goes with --all")
	case (f.pause.set || f.maxFail.set) && !f.batch.set:
		return usageError("such as --all --batch 5 --pause 10s --max-fail 1", "--pause and --max-fail go with --batch")
	case nodes > 1 && !f.all && f.route == "":
		return usageError("--all sends to every one of them, --route failover to the first that answers, --node NAME to one",
			"%d nodes are selected; nothing was sent", nodes)
	}
	return nil
}

// An attempt is what one node is asked: it runs on a session that is logged in.
type attempt func(ctx context.Context, c *ami.Conn) (*ami.Reply, error)

// An ending is how it ended on one node. Reply and err are as from Do.
type ending struct {
	node  string
	reply *ami.Reply
	err   error
}

// each runs an attempt on the nodes, as the flags say, and hands every ending to show, one at a time as they come.
// Nodes that --max-fail keeps from being asked end with an error that says so.
func (a *app) each(ctx context.Context, nodes []ami.Config, f *fanout, try attempt, show func(ending)) {
	if f.route != "" && len(nodes) > 1 {
		show(a.onOne(ctx, nodes, f.route, try))
		return
	}
	size, failed := len(nodes), 0
	if f.batch.set {
		size = f.batch.n
	}
	for at := 0; at < len(nodes); at += size {
		if at > 0 && ctx.Err() != nil { // the first batch fails by itself
			cutShort(ctx, nodes[at:], show)
			return
		}
		if f.maxFail.set && failed >= f.maxFail.n {
			for _, n := range nodes[at:] {
				show(ending{node: n.Name, err: notAsked(n.Name, failed)})
			}
			return
		}
		if at > 0 && f.pause.set {
			a.note("%d of %d nodes done, %d failed; next in %v", at, len(nodes), failed, f.pause.d)
			rest(ctx, f.pause.d)
			if ctx.Err() != nil {
				cutShort(ctx, nodes[at:], show)
				return
			}
		}
		a.together(ctx, nodes[at:min(at+size, len(nodes))], try, func(e ending) {
			if e.err != nil {
				failed++
			}
			if e.err == nil || !bySignal(ctx) { // who stops a run knows why the rest of it failed
				show(e)
			}
		})
	}
}

// cutShort ends the nodes that were not asked because the run is over: with an error after --deadline, with nothing after
// a signal.
func cutShort(ctx context.Context, nodes []ami.Config, show func(ending)) {
	if bySignal(ctx) {
		return
	}
	for _, n := range nodes {
		show(ending{node: n.Name, err: &cliError{
			code: codeUnsent, sent: "no", msg: n.Name + ": not asked: the --deadline is over", hint: "run it again for the nodes that are left, with more time",
		}})
	}
}

func bySignal(ctx context.Context) bool { return errors.As(context.Cause(ctx), new(*signalError)) }

func notAsked(node string, failed int) error {
	return &cliError{
		code: codeUnsent, sent: "no", msg: node + ": not asked: " + strconv.Itoa(failed) + " had failed before (--max-fail)",
		hint: "mend what failed, then run it again for the nodes that are left",
	}
}

// rest waits, or less if the run is cut short.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// together runs an attempt on all nodes at once.
func (a *app) together(ctx context.Context, nodes []ami.Config, try attempt, show func(ending)) {
	ends := make(chan ending)
	slots := make(chan struct{}, mostDials)
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			slots <- struct{}{}
			e := a.once(ctx, n, try)
			<-slots
			ends <- e
		})
	}
	go func() { all.Wait(); close(ends) }()
	for e := range ends {
		show(e)
	}
}

// once dials a node, makes the attempt and leaves.
func (a *app) once(ctx context.Context, n ami.Config, try attempt) ending {
	c, err := a.dial(ctx, n)
	if err != nil {
		return ending{node: n.Name, err: err}
	}
	defer leave(ctx, c)
	reply, err := try(ctx, c)
	return ending{node: n.Name, reply: reply, err: err}
}

// onOne makes the attempt on the first node that can be reached. Another one is tried only while nothing was sent.
func (a *app) onOne(ctx context.Context, nodes []ami.Config, route string, try attempt) (e ending) {
	start := 0
	if route != "failover" { // a run has no memory: chance spreads many runs evenly
		start = rand.IntN(len(nodes))
	}
	for i := range nodes {
		e = a.once(ctx, nodes[(start+i)%len(nodes)], try)
		if e.err == nil || e.reply != nil || ami.SentState(e.err) != ami.SentNo || ctx.Err() != nil {
			return e
		}
	}
	return e
}

// A tally gathers how several nodes or lines ended, for the exit status.
type tally struct {
	ended  int
	status int // common to all so far
	mixed  bool
}

func (t *tally) add(status int) {
	if t.ended > 0 && t.status != status {
		t.mixed = true
	}
	t.status = status
	t.ended++
}

// err is the error of the run: nil if all went well, without a message because each failure has been reported.
func (t *tally) err() error {
	switch {
	case t.mixed:
		return silent(exitMixed)
	case t.status != exitOK:
		return silent(t.status)
	}
	return nil
}

// report prints an ending of an action, at once: the next node may take its time.
func (a *app) report(p *output.Printer, e ending, origin output.Origin, several bool, t *tally) error {
	return errors.Join(a.reportEnding(p, e, origin, several, t), p.Flush())
}

// reportEnding prints an ending of an action: a reply as data. A failure of one node and one action is returned, to be
// said on standard error only; with several it becomes an object of type error too.
func (a *app) reportEnding(p *output.Printer, e ending, origin output.Origin, several bool, t *tally) error {
	if e.err == nil {
		t.add(exitOK)
		return p.Reply(e.reply, &origin)
	}
	f := classify(e.err)
	t.add(f.Exit)
	if f.Code == codeCondition && e.reply != nil { // it was answered, and that is data
		if err := p.Reply(e.reply, &origin); err != nil {
			return err
		}
	}
	if !several {
		return e.err
	}
	a.complain(f)
	return p.Failure(jsonFailure(f, e.node, origin))
}

// jsonFailure makes the object of type error.
func jsonFailure(f failure, node string, origin output.Origin) *output.Failure {
	return &output.Failure{
		Node: node, Time: time.Now(), Origin: origin, Code: string(f.Code), Exit: f.Exit, Sent: f.Sent, Message: f.Message, Hint: f.Hint,
	}
}
