package send

import (
	"context"
	"errors"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/actionline"
	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl send CoreStatus
  amictl send QueueStatus Queue=support -o json
  amictl send Setvar Variable=DEVICE Value=1234
  amictl send DBPut Family=cid Key=100 Val@=name.txt   value from a file
  amictl send PJSIPShowEndpoints --query 'events.#.fields.ObjectName'
  amictl send CoreStatus --all                         on every node
  amictl send QueueReload --all --batch 5 --pause 10s --max-fail 1
  amictl send CoreShowChannels --where 'Duration>10m'  only the long ones
  amictl send PJSIPShowContacts --where Status!=Reachable --found none
  amictl send QueuePause Interface=PJSIP/100 Paused=true --dry-run
  jq -c '{action:"Hangup",fields:{Channel:.}}' chans | amictl send -  many

An answer is one JSON object: response, message, fields, and events for a list. Key=Value is
split at the first "="; order and repeats are kept; "Key=" sends an empty value. With --items only the elements of its list
are printed; if they are not all, it is an error.

A shell ends a command at a ;, so quote the names of Local channels: Channel='Local/200@default-1;2'. Hangup also takes a regular
expression between slashes, such as Channel=/^PJSIP/ or, for all channels, Channel='/.*/'.

--where leaves out the items that do not meet a condition. --found any|all|none|N|N..M then counts those that do, in
each answer, and sets the exit status to 0 or 1. An answer that is not a list counts as one item.

The Success of an Originate only says that it was queued. --wait answer waits until the call is answered or has
failed; --wait hangup follows the call to its end and prints that too.

With "-" each line of standard input is an action:
  {"action":"Hangup","fields":{"Channel":"PJSIP/100-1"},"id":"7"}
"node", "timeout" and "wait" are allowed too. An array repeats a header. Answers are printed as they arrive, each with
its line number and id; with --items each stands behind its elements. Lines for a server that is away wait until it is back,
each for its timeout. Failures are objects too, and where the output has no place for them, lines on standard error.

` + cond.Grammar

// options are those of send.
type options struct {
	target.Fanout
	bus       target.Bus
	args      []string
	items     bool
	where     flags.List
	found     cond.Found
	minItems  flags.Count
	emptyOK   bool
	wait      string
	parallel  flags.Count
	rate      flags.Count
	keepGoing bool
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "send",
		Usage:       "send an action, or many from standard input",
		ArgsUsage:   "ACTION [Key=Value]... | -",
		Description: help,
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{Name: "items", Usage: "print each element of a list as it arrives, and nothing else of the answer", Destination: &o.items},
			&cli.GenericFlag{Name: "where", Usage: "only items that meet the `CONDITION`; may repeat, all must hold", Value: &o.where},
			&cli.GenericFlag{Name: "found", Usage: "fail unless that many items are left: `HOW` is any, all, none, N or N..M", Value: &o.found},
			&cli.GenericFlag{Name: "min-items", Usage: "fail unless the list has at least `N` items: --found N..", Value: &o.minItems},
			&cli.BoolFlag{Name: "empty-ok", Usage: "an Error that only says that a list is empty is not a failure", Destination: &o.emptyOK},
			flags.Text("wait", "", "an Originate ends when its call does: `WHAT` is answer or hangup", &o.wait),
			&cli.GenericFlag{Name: "parallel", Usage: "with -: at most `N` actions in flight (2000)", Value: &o.parallel},
			&cli.GenericFlag{Name: "rate", Usage: "with -: at most `N` actions a second", Value: &o.rate},
			&cli.BoolFlag{Name: "keep-going", Usage: "with -: go on after a failure", Destination: &o.keepGoing},
		}, o.Fanout.Flags(), o.Rolling(), o.bus.Flags()),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.args = c.Args().Slice()
			return send(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.ActionWords}})
}

// send sends one action, or those of standard input.
func send(ctx context.Context, r *run.Run, o *options) error {
	if err := checkWait(o.wait); err != nil {
		return err
	}
	if len(o.args) == 1 && o.args[0] == "-" {
		if len(o.where) > 0 || o.found.Asks() || o.minItems.Given || o.emptyOK || o.Batch.Given || o.Pause.Given || o.MaxFail.Given {
			return fail.Usage("leave them out, or send that action by itself", "--where, --found, --min-items, --empty-ok, --batch, --pause and --max-fail are for one action")
		}
		return sendLines(ctx, r, o)
	}
	if o.parallel.Given || o.rate.Given || o.keepGoing {
		return fail.Usage("`amictl send -` reads them from standard input", "--parallel, --rate and --keep-going are for many actions")
	}
	action, err := act.ParseAction(r, o.args)
	if err != nil {
		return err
	}
	return sendAction(ctx, r, o, action)
}

// sendAction sends one action to the nodes selected and prints the answers.
func sendAction(ctx context.Context, r *run.Run, o *options, action ami.Action) error {
	judge, err := newJudge(r, o)
	if err != nil {
		return err
	}
	nodes, done, err := act.Aim(ctx, r, &o.Fanout, &o.bus, &action)
	if err != nil || done {
		return err
	}
	if o.wait != "" && o.wait != actionline.WaitNot {
		if err := awaitCall(&action, o.wait); err != nil {
			return fail.Usage("leave it out", "--%v", err)
		}
		until := call.Answered
		if o.wait == actionline.WaitHangup {
			if err := o.bus.NeedsServers("--wait hangup"); err != nil {
				return err
			}
			until = call.Over
		}
		return call.Make(ctx, r, &o.Fanout, nodes, action, until)
	}
	several := len(nodes) > 1 && o.Route == ""
	if o.items && several {
		return fail.Usage("one with --node NAME; for several leave --items out: each answer then has its list in events, and -o csv --fields node,Channel prints a row for each item",
			"--items is for one node, and %d are selected", len(nodes))
	}
	kind := run.Answers
	if o.items {
		kind = run.ManyAnswers
	}
	p, err := r.Printer(kind, len(nodes) > 1, several || o.items)
	if err != nil {
		return err
	}
	origin := output.Origin{Action: action.Name}
	ask := func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
		reply, err := c.Do(ctx, action)
		return reply, judge.answer(c.Name(), reply, err)
	}
	if o.items {
		ask = func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
			s := streamed{judge: judge, out: p, origin: &origin}
			return s.do(ctx, c, action)
		}
	}
	var t target.Tally
	var failed error
	target.Each(ctx, r, nodes, &o.Fanout, ask, func(e target.Ending) {
		if o.items {
			failed = itemsEnd(r, e, &origin)
			return
		}
		failed = errors.Join(failed, target.Report(r, p, e, origin, several, &t))
	})
	act.NoteMissing(r, judge.where)
	if err := p.Close(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return t.Err()
}
