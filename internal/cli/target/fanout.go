package target

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// Fanout are the flags of subcommands that send: what to do with several nodes.
type Fanout struct {
	All    bool
	Route  string
	DryRun bool
	Yes    bool

	// Rolling: only of subcommands that ask each node once.
	Batch   flags.Count
	Pause   flags.Duration
	MaxFail flags.Count
}

// Flags returns those that every subcommand has that sends.
func (f *Fanout) Flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "all", Usage: "send to every selected node", Destination: &f.All},
		flags.Choice("route", "", "send to one of the nodes: `HOW` is round-robin, failover or least-pending", &f.Route,
			"round-robin", "failover", "least-pending"),
		&cli.BoolFlag{Name: "dry-run", Usage: "print what would be sent, without secrets, and connect to nothing", Destination: &f.DryRun},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before changing anything in a protected context", Destination: &f.Yes},
	}
}

// Rolling are the flags for one group of nodes after the other.
func (f *Fanout) Rolling() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "batch", Usage: "with --all: `N` nodes at a time", Value: &f.Batch},
		&cli.GenericFlag{Name: "pause", Usage: "with --batch: wait `TIME` between them", Value: &f.Pause},
		&cli.GenericFlag{Name: "max-fail", Usage: "with --batch: start no further batch once `N` nodes have failed", Value: &f.MaxFail},
	}
}

// Check refuses several nodes when nobody said what to do with them: nothing is sent then.
func (f *Fanout) Check(nodes int) error {
	switch {
	case f.All && f.Route != "":
		return fail.Usage("leave one of them out", "--all and --route do not go together")
	case f.Route != "" && !isRoute(f.Route):
		return fail.Usage("round-robin, failover or least-pending", "--route %q is not one of the choices", f.Route)
	case f.Batch.Given && !f.All:
		return fail.Usage("such as --all --batch 5 --pause 10s --max-fail 1", "--batch goes with --all")
	case (f.Pause.Given || f.MaxFail.Given) && !f.Batch.Given:
		return fail.Usage("such as --all --batch 5 --pause 10s --max-fail 1", "--pause and --max-fail go with --batch")
	case nodes > 1 && !f.All && f.Route == "":
		return fail.Usage("--all sends to every one of them, --route failover to the first that answers, --node NAME to one",
			"%d nodes are selected; nothing was sent", nodes)
	}
	return nil
}

func isRoute(name string) bool { _, ok := RouteKinds[name]; return ok }

// An attempt is what one node is asked: it runs on a session that is logged in.
type attempt func(ctx context.Context, c *ami.Conn) (*ami.Reply, error)

// An Ending is how it ended on one node. Reply and err are as from Do.
type Ending struct {
	Node  string
	Reply *ami.Reply
	Err   error
}

// Each runs an attempt on the nodes, as the flags say, and hands every ending to show, one at a time as they come.
// Nodes that --max-fail keeps from being asked end with an error that says so.
func Each(ctx context.Context, r *run.Run, nodes []ami.Config, f *Fanout, try attempt, show func(Ending)) {
	if f.Route != "" && len(nodes) > 1 {
		show(onOne(ctx, r, nodes, f.Route, try))
		return
	}
	if len(nodes) > 1 { // a table comes when all have answered
		var ended atomic.Int64
		tell := show
		show = func(e Ending) { tell(e); ended.Add(1) }
		defer r.Progress(func() string { return fmt.Sprintf("%d of %d nodes done", ended.Load(), len(nodes)) })()
	}
	InTurns(ctx, r, nodes, f, func(ctx context.Context, n ami.Config) Ending { return Once(ctx, r, n, try) }, show)
}

// InTurns is Each for what needs more than a session, on every node: one batch of --batch after the other.
func InTurns(ctx context.Context, r *run.Run, nodes []ami.Config, f *Fanout, ask func(context.Context, ami.Config) Ending, show func(Ending)) {
	size, failed := len(nodes), 0
	if f.Batch.Given {
		size = f.Batch.Value
	}
	for at := 0; at < len(nodes); at += size {
		if at > 0 && ctx.Err() != nil { // the first batch fails by itself
			cutShort(ctx, nodes[at:], show)
			return
		}
		if f.MaxFail.Given && failed >= f.MaxFail.Value {
			for _, n := range nodes[at:] {
				show(Ending{Node: n.Name, Err: notAsked(n.Name, failed)})
			}
			return
		}
		if at > 0 && f.Pause.Given {
			r.Note("%d of %d nodes done, %d failed; next in %v", at, len(nodes), failed, f.Pause.Value)
			run.Pause(ctx, f.Pause.Value)
			if ctx.Err() != nil {
				cutShort(ctx, nodes[at:], show)
				return
			}
		}
		together(ctx, nodes[at:min(at+size, len(nodes))], ask, func(e Ending) {
			if e.Err != nil {
				failed++
			}
			if e.Err == nil || !run.BySignal(ctx) { // who stops a run knows why the rest of it failed
				show(e)
			}
		})
	}
}

// cutShort ends the nodes that were not asked because the run is over: with an error after --deadline, with nothing after
// a signal.
func cutShort(ctx context.Context, nodes []ami.Config, show func(Ending)) {
	if run.BySignal(ctx) {
		return
	}
	for _, n := range nodes {
		show(Ending{Node: n.Name, Err: &fail.Error{
			Code: fail.CodeUnsent, Sent: "no", Message: n.Name + ": not asked: the --deadline has passed", Hint: "run it again for the nodes that are left, with more time",
		}})
	}
}

func notAsked(node string, failed int) error {
	return &fail.Error{
		Code: fail.CodeUnsent, Sent: "no", Message: node + ": not asked: " + fail.Count(failed, "node") + " had failed before (--max-fail)",
		Hint: "fix what failed, then run it again for the nodes that are left",
	}
}

// Together runs an attempt on all nodes at once.
func Together(ctx context.Context, r *run.Run, nodes []ami.Config, try attempt, show func(Ending)) {
	together(ctx, nodes, func(ctx context.Context, n ami.Config) Ending { return Once(ctx, r, n, try) }, show)
}

func together(ctx context.Context, nodes []ami.Config, ask func(context.Context, ami.Config) Ending, show func(Ending)) {
	ends := make(chan Ending)
	slots := make(chan struct{}, MostDials)
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			slots <- struct{}{}
			e := ask(ctx, n)
			<-slots
			ends <- e
		})
	}
	go func() { all.Wait(); close(ends) }()
	for e := range ends {
		show(e)
	}
}

// Once dials a node, makes the attempt and leaves.
func Once(ctx context.Context, r *run.Run, n ami.Config, try attempt) Ending {
	c, err := Dial(ctx, r, n)
	if err != nil {
		return Ending{Node: n.Name, Err: err}
	}
	defer Leave(ctx, c)
	reply, err := try(ctx, c)
	r.NoteSent(c.Stats().Ledger.Accepted)
	return Ending{Node: n.Name, Reply: reply, Err: err}
}

// onOne makes the attempt on the first node that can be reached. Another one is tried only while nothing was sent.
func onOne(ctx context.Context, r *run.Run, nodes []ami.Config, route string, try attempt) (e Ending) {
	start := 0
	if route != "failover" { // a run has no memory: chance spreads many runs evenly
		start = rand.IntN(len(nodes))
	}
	for i := range nodes {
		e = Once(ctx, r, nodes[(start+i)%len(nodes)], try)
		if e.Err == nil || e.Reply != nil || ami.SentState(e.Err) != ami.SentNo || ctx.Err() != nil {
			return e
		}
	}
	return e
}

// A Tally gathers how several nodes or lines ended, for the exit status.
type Tally struct {
	Ended  int
	Status int // common to all so far
	Mixed  bool
}

// Add counts an end by its exit status.
func (t *Tally) Add(status int) {
	if t.Ended > 0 && t.Status != status {
		t.Mixed = true
	}
	t.Status = status
	t.Ended++
}

// Err is the error of the run: nil if all went well, without a message because each failure has been reported.
func (t *Tally) Err() error {
	switch {
	case t.Mixed:
		return fail.Silent(fail.ExitMixed)
	case t.Status != fail.ExitOK:
		return fail.Silent(t.Status)
	}
	return nil
}

// Report prints an ending of an action, at once: the next node may take its time.
func Report(r *run.Run, p *output.Printer, e Ending, origin output.Origin, several bool, t *Tally) error {
	return errors.Join(reportEnding(r, p, e, origin, several, t), p.Flush())
}

// reportEnding prints an ending of an action: a reply as data. A failure of one node and one action is returned, to be
// said on standard error only; with several it becomes an object of type error too.
func reportEnding(r *run.Run, p *output.Printer, e Ending, origin output.Origin, several bool, t *Tally) error {
	if e.Err == nil {
		var note string
		if note, e.Err = Incomplete(e.Reply, origin.Action); note != "" {
			r.Note("%s", note)
		}
	}
	if e.Err == nil {
		t.Add(fail.ExitOK)
		return p.Reply(e.Reply, &origin)
	}
	f := fail.Classify(e.Err)
	t.Add(f.Exit)
	if e.Reply != nil && (f.Code == fail.CodeCondition || e.Reply.Incomplete) { // what was answered is data
		if err := p.Reply(e.Reply, &origin); err != nil {
			return err
		}
	}
	if !several {
		return e.Err
	}
	r.Complain(f)
	return p.Failure(FailureObject(f, e.Node, origin))
}

// FailureObject makes the object of type error that a failure is on standard output.
func FailureObject(f fail.Failure, node string, origin output.Origin) *output.Failure {
	return &output.Failure{
		Node: node, Time: time.Now(), Origin: origin, Code: string(f.Code), Exit: f.Exit, Sent: f.Sent, Message: f.Message, Hint: f.Hint,
	}
}
