package dial

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
)

const help = `Examples:
  amictl dial numbers.csv -c 'PJSIP/{number}@trunk' -e 200@default
  amictl dial numbers.csv -c 'PJSIP/{number}@trunk' -e 200@default \
    --var NAME={name} --concurrency 20 --rate 5 --ring 30s \
    --retry busy:2@5m --retry no-answer:1@1h --out results.csv
  amictl dial list.jsonl -c 'Local/{number}@out' -e 200@default --dry-run
  amictl dial new.csv -c 'PJSIP/{number}@trunk' -e 200@default \
    --skip done.csv --between 09:00-18:00

Calls every number of a list and prints an object for each, of type "dialed", when it is done. The list is CSV with a
header, or JSON lines; "-" is standard input. It needs a column called number. In the values of the call's flags {column}
stands for the row's value in that column; {{ is a {, and ${…} stays as it is. A number that is listed twice is called once.
The whole list is checked before anything is sent.

A call counts towards --concurrency until it is over. --retry OUTCOME:N@TIME calls a number again, TIME later and at most N
times, after busy, no-answer, congestion, failed or unknown. No call begins outside --between. Several servers need --route,
which chooses one for each call.

--out keeps a journal: a row is on the disk before its call is sent. Run the same line again after an interruption, a crash
or kill -9, and it continues where it stopped: nobody is called twice, and calls that are still up are counted and followed. A
call whose end nobody saw is "unknown", and only --retry unknown:… calls it again. Without --out nothing is remembered.

Ctrl-C stops new calls, and the run ends once the calls that are up are over; a second Ctrl-C hangs them up.
Exits 0 when all numbers are done, however their calls ended; 7 when some are unknown, or the journal cannot be written; 5
when --deadline has passed; 4 when the user may not originate.`

// options are those of dial.
type options struct {
	call.Options
	file        string
	fields      []string // Key=Value, further headers of the action
	concurrency flags.Count
	rate        flags.Count
	retry       retries
	between     window
	out, skip   string
}

// newOptions returns the options of a dial that has no flags.
func newOptions() *options {
	return &options{
		Options:     call.Options{Wait: "answer", Ring: flags.Duration{Value: 30 * time.Second}},
		concurrency: flags.Count{Value: 1},
	}
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := newOptions()
	return r.Tell(&cli.Command{
		Name:        "dial",
		Usage:       "call a list of numbers",
		ArgsUsage:   "FILE [Key=Value]...",
		Description: help,
		Flags: slices.Concat(o.CallFlags(), []cli.Flag{
			&cli.GenericFlag{Name: "concurrency", Usage: "`N` calls at once (1)", Value: &o.concurrency},
			&cli.GenericFlag{Name: "rate", Usage: "begin at most `N` calls a second", Value: &o.rate},
			&cli.GenericFlag{Name: "retry", Usage: "call again as `OUTCOME:TIMES@AFTER` says, such as busy:2@5m; may repeat", Value: &o.retry},
			&cli.GenericFlag{Name: "between", Usage: "begin calls only in this `TIME` of day, such as 09:00-18:00 (local)", Value: &o.between},
			flags.Text("out", "", "keep a journal in `FILE`, and go on where it ends", &o.out),
			flags.Text("skip", "", "do not call the numbers in `FILE`", &o.skip),
		}, o.Fanout.Flags()),
		Action: func(ctx context.Context, c *cli.Command) error {
			if args := c.Args().Slice(); len(args) > 0 {
				o.file, o.fields = args[0], args[1:]
			}
			return dial(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.Files}, Aliases: call.Aliases})
}

// dial calls the list.
func dial(ctx context.Context, r *run.Run, o *options) error {
	p, err := prepare(r, o)
	if err != nil {
		return err
	}
	nodes, err := aim(r, o)
	if err != nil {
		return err
	}
	skip := map[string]bool{}
	if o.skip != "" {
		if skip, err = readNumbers(r, o.skip); err != nil {
			return err
		}
	}
	if o.DryRun {
		return dry(r, o, p, nodes, skip)
	}
	if err := permit(r, o, p, nodes); err != nil {
		return err
	}
	out, err := r.Printer(run.Records, len(nodes) > 1, true)
	if err != nil {
		return err
	}
	var j *journal
	var steps []step
	if o.out != "" {
		if j, steps, err = openJournal(o.out); err != nil {
			return err
		}
	}
	d := newDialer(r, o, p, j, out)
	d.resume(steps, skip, nodes)
	return errors.Join(d.run(ctx, nodes), j.close())
}

// prepare reads the list and makes sure that every row of it can be called.
func prepare(r *run.Run, o *options) (*plan, error) {
	if o.file == "" {
		return nil, fail.Usage("such as `amictl dial numbers.csv --channel PJSIP/{number}@trunk --exten 200`", "the list's file is missing")
	}
	if err := o.SettleContext(r); err != nil {
		return nil, err
	}
	l, err := readList(r, o.file)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(r, o, l)
	if err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if l.twice > 0 {
		r.Note("%s: each number is called once, so %s left out", l.name, fail.Are(l.twice, "row"))
	}
	return p, nil
}

// aim returns the nodes that the calls are made on.
func aim(r *run.Run, o *options) ([]ami.Config, error) {
	nodes, err := target.Nodes(r)
	if err != nil {
		return nil, err
	}
	if o.All {
		return nil, fail.Usage("--route round-robin spreads the calls over the nodes", "--all would call each number once for each node")
	}
	if err := o.Check(len(nodes)); err != nil {
		return nil, err
	}
	for i := range nodes {
		nodes[i].Events = "call"
	}
	return nodes, nil
}

// permit asks before calls on a protected server.
func permit(r *run.Run, o *options, p *plan, nodes []ami.Config) error {
	if len(p.list.rows) == 0 {
		return nil
	}
	action, err := p.action(0, "")
	if err != nil {
		return err
	}
	return act.Permit(r, &o.Fanout, nodes, &action)
}

// dry prints what would be sent, but for the ChannelId, which is another one each time: to every number that the journal does
// not have, or has to be called again.
func dry(r *run.Run, o *options, p *plan, nodes []ami.Config, skip map[string]bool) error {
	out, err := r.Printer(run.CommandText, false, true)
	if err != nil {
		return err
	}
	steps, err := peekJournal(o.out)
	if err != nil {
		return err
	}
	book := readBook(steps)
	for i := range p.list.rows {
		number := p.list.number(i)
		if what := book[number].remains(skip[number], o.retry); what != toCall && what != toCallAgain {
			continue
		}
		action, err := p.action(i, "")
		if err != nil {
			return err
		}
		if err := act.PrintDry(r, out, &nodes[0], &action, p.list.rows[i].line); err != nil {
			return err
		}
	}
	if len(nodes) > 1 {
		r.Note("dry run: or to another of %d nodes; --route %s decides", len(nodes), o.Route)
	}
	return out.Close()
}
