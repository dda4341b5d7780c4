package drain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl drain -n pbx1     until it has no calls
  amictl drain -n pbx1 --run 'core restart gracefully'
  amictl drain -n pbx1 --hangup-after 30m --run 'core restart now'
  amictl drain -n pbx1 --timeout 2h --run 'core stop gracefully'
  amictl drain --all --batch 1 --max-fail 1 --run 'core restart gracefully'

Waits until a server has no channels, for as long as it takes or --timeout allows. --hangup-after then hangs up what is left,
and gives up 30 s later. Keep new calls away yourself: pause its queue members, or take it out of the trunk's list.
--run runs a console command once the server is empty. "gracefully" takes no new calls from then on and waits for those
that came in between; "now" cuts them off. If the command ends the session, the server must come back, restarted, within
--back-within; after "core stop" nothing has to come back. One session is kept throughout, because a server that is stopping
accepts no logins, and somebody else may have told it to stop.

Prints an object with the time of each part. Exits 0 when all is done; 1 when the server was not empty in time (nothing was
run) or refused the command; 4 when the user may not ask; 5 when the server did not come back, be it that it was lost before
anything was run; 7 when the session was lost and the server was not restarted.`

// options are those of drain.
type options struct {
	target.Fanout
	command     string
	hangupAfter flags.Duration
	backWithin  flags.Duration
}

// newOptions returns the options of a drain that has no flags.
func newOptions() *options {
	return &options{backWithin: flags.Duration{Value: 2 * time.Minute}}
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := newOptions()
	return r.Tell(&cli.Command{
		Name:        "drain",
		Usage:       "wait until a server has no calls, then restart or stop it",
		Description: help,
		Flags: slices.Concat([]cli.Flag{
			flags.Text("run", "", "run this console `COMMAND` once there are no calls", &o.command),
			&cli.GenericFlag{Name: "hangup-after", Usage: "hang up what is left after `TIME`", Value: &o.hangupAfter},
			&cli.GenericFlag{Name: "back-within", Usage: "how long a server may be away: `TIME` (2m)", Value: &o.backWithin},
		}, o.Flags(), o.Rolling()),
		Action: func(ctx context.Context, _ *cli.Command) error { return drain(ctx, r, o) },
	}, run.About{})
}

// drain drains the nodes selected and prints how long it took.
func drain(ctx context.Context, r *run.Run, o *options) error {
	command, err := o.action()
	if err != nil {
		return err
	}
	nodes, done, err := aim(r, o, command)
	if err != nil || done {
		return err
	}
	several := len(nodes) > 1
	p, err := r.Printer(run.Records, several, several)
	if err != nil {
		return err
	}
	d := &drainer{run: r, options: o, command: command, left: make(map[string]string)}
	defer r.Progress(d.progress)()
	var t target.Tally
	var failed error
	records := make(chan output.Record, len(nodes)) // of those that went well
	ask := func(ctx context.Context, n ami.Config) target.Ending {
		record, err := d.node(ctx, n)
		if err == nil {
			records <- record
		}
		return target.Ending{Node: n.Name, Err: err}
	}
	target.InTurns(ctx, r, nodes, &o.Fanout, ask, func(e target.Ending) {
		if e.Err != nil {
			failed = errors.Join(failed, target.Report(r, p, e, output.Origin{}, several, &t))
			return
		}
		t.Add(fail.ExitOK)
		failed = errors.Join(failed, p.Record(<-records), p.Flush())
	})
	if run.BySignal(ctx) {
		return ctx.Err()
	}
	if err := p.Close(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return t.Err()
}

// action makes the action of --run; nil: there is none.
func (o *options) action() (*ami.Action, error) {
	if strings.TrimSpace(o.command) == "" {
		return nil, nil
	}
	action := ami.NewAction("Command", "Command", o.command)
	action.Timeout = o.backWithin.Value // a graceful one answers when it is done, if ever
	return &action, act.CheckAction(&action)
}

// aim is act.Aim for the actions that change something: the hangups, and the command.
func aim(r *run.Run, o *options, command *ami.Action) (nodes []ami.Config, done bool, err error) {
	if nodes, err = target.Nodes(r); err != nil {
		return nil, false, err
	}
	if o.Route != "" {
		return nil, false, fail.Usage("--all, or choose one with --node", "--route takes whichever node is available, and drain is about particular ones")
	}
	if err := o.Check(len(nodes)); err != nil {
		return nil, false, err
	}
	var actions []ami.Action
	if o.hangupAfter.Given {
		actions = append(actions, ami.NewAction("Hangup", "Channel", "CHANNEL"))
	}
	if command != nil {
		actions = append(actions, *command)
	}
	if o.DryRun {
		if len(actions) == 0 {
			r.Note("dry run: without --run and --hangup-after nothing is sent that changes anything")
		}
		return nil, true, act.DryRun(r, &o.Fanout, nodes, actions...)
	}
	for i := range actions {
		if err := act.Permit(r, &o.Fanout, nodes, &actions[i]); err != nil {
			return nil, false, err
		}
	}
	return nodes, false, nil
}

// progress says what every node waits for.
func (d *drainer) progress() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	const most = 3
	var texts []string
	for _, node := range slices.Sorted(maps.Keys(d.left)) {
		if len(texts) == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(d.left)-most))
			break
		}
		texts = append(texts, node+": "+d.left[node])
	}
	return strings.Join(texts, "; ")
}
