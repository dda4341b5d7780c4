package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const sendHelp = `Examples:
  amictl send CoreStatus
  amictl send QueueStatus Queue=support -o json
  amictl send Setvar Variable=DEVICE Value=1234
  amictl send DBPut Family=cid Key=100 Val@=name.txt   value from a file
  amictl send PJSIPShowEndpoints --query 'events.#.fields.ObjectName'
  amictl send CoreStatus --all                         on every node
  amictl send QueueReload --all --batch 5 --pause 10s --max-fail 1
  amictl send PJSIPShowContacts --min-items 10         fails on fewer
  amictl send QueuePause Interface=PJSIP/100 Paused=true --dry-run
  jq -c '{action:"Hangup",fields:{Channel:.}}' chans | amictl send -  many

An answer is one JSON object: response, message, fields, and events for a list. The first "=" of
Key=Value splits; order and repeats are kept; "Key=" sends an empty value.

With "-" each line of standard input is an action:
  {"action":"Hangup","fields":{"Channel":"PJSIP/100-1"},"id":"7"}
"node" and "timeout" may be there too. An array repeats a header. Answers come as they arrive, each with its line and the id given.`

// sendFlags are those of send.
type sendFlags struct {
	fanout
	items     bool
	minItems  count
	emptyOK   bool
	parallel  count
	rate      count
	keepGoing bool
}

func (a *app) sendCommand() *cli.Command {
	f := &sendFlags{}
	return &cli.Command{
		Name:        "send",
		Usage:       "send an action, or many from standard input",
		ArgsUsage:   "ACTION [Key=Value]... | -",
		Description: sendHelp,
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{Name: "items", Usage: "print each element of a list as it arrives", Destination: &f.items},
			&cli.GenericFlag{Name: "min-items", Usage: "fail unless the list has at least `N` items", Value: &f.minItems},
			&cli.BoolFlag{Name: "empty-ok", Usage: "an Error that only says that a list is empty is no failure", Destination: &f.emptyOK},
			&cli.GenericFlag{Name: "parallel", Usage: "with -: at most `N` actions in flight (2000)", Value: &f.parallel},
			&cli.GenericFlag{Name: "rate", Usage: "with -: at most `N` actions a second", Value: &f.rate},
			&cli.BoolFlag{Name: "keep-going", Usage: "with -: go on after a failure", Destination: &f.keepGoing},
		}, f.fanout.flags(), f.rolling()),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Len() == 1 && c.Args().First() == "-" {
				if f.minItems.set || f.emptyOK || f.batch.set || f.pause.set || f.maxFail.set {
					return usageError("leave them out, or send that action by itself", "--min-items, --empty-ok, --batch, --pause and --max-fail are for one action")
				}
				return a.sendLines(ctx, f)
			}
			if f.parallel.set || f.rate.set || f.keepGoing {
				return usageError("`amictl send -` reads them from standard input", "--parallel, --rate and --keep-going are for many actions")
			}
			action, err := a.parseAction(c.Args().Slice())
			if err != nil {
				return err
			}
			return a.sendAction(ctx, f, action)
		},
	}
}

// sendAction sends one action to the nodes selected and prints the answers.
func (a *app) sendAction(ctx context.Context, f *sendFlags, action ami.Action) error {
	nodes, done, err := a.aim(&f.fanout, &action)
	if err == nil {
		a.warnUnknown(&action)
	}
	if err != nil || done {
		return err
	}
	several := len(nodes) > 1 && f.route == ""
	p, err := a.printer(answers, len(nodes) > 1, several || f.items)
	if err != nil {
		return err
	}
	origin := output.Origin{Action: action.Name}
	ask := func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
		r, err := c.Do(ctx, action)
		return r, f.judge(c.Name(), r, err, 0)
	}
	if f.items {
		if several {
			return usageError("choose one with --node", "--items is for one node")
		}
		ask = func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
			r, n, err := doItems(ctx, c, action, origin, p)
			return r, f.judge(c.Name(), r, err, n)
		}
	}
	var t tally
	var failed error
	a.each(ctx, nodes, &f.fanout, ask, func(e ending) {
		failed = errors.Join(failed, a.report(p, e, origin, several, &t))
	})
	if err := p.Close(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return t.err()
}

// judge applies --empty-ok and --min-items to an answer; streamed is how many items were printed before.
func (f *sendFlags) judge(node string, r *ami.Reply, err error, streamed int) error {
	if f.emptyOK && err != nil && r != nil && cond.SaysEmpty(r) {
		err = nil
	}
	if err != nil || !f.minItems.set {
		return err
	}
	if n := streamed + len(r.Events); n < f.minItems.n {
		return &cliError{code: codeCondition, msg: fmt.Sprintf("%s: %d items, and --min-items wants %d", node, n, f.minItems.n), hint: "the answer is on standard output"}
	}
	return nil
}

// doItems sends an action and prints every item of its list at once. It returns how many there were.
func doItems(ctx context.Context, c *ami.Conn, action ami.Action, origin output.Origin, p *output.Printer) (_ *ami.Reply, items int, _ error) {
	b := ami.NewBatch(ami.BatchOptions{Items: true})
	if err := c.Submit(ctx, action, b, 0); err != nil {
		return nil, 0, err
	}
	for {
		r, ok := b.Poll()
		if !ok {
			if err := p.Flush(); err != nil {
				return nil, items, err
			}
			var err error
			if r, err = b.Next(ctx); err != nil {
				return nil, items, err
			}
		}
		if r.Item == nil {
			return r.Reply, items, r.Err
		}
		items++
		if err := p.Item(r.Item, &origin); err != nil {
			return nil, items, err
		}
	}
}

// noteLeft tells which columns of a table did not fit, and which of CSV held nothing: a name may be mistyped.
func (a *app) noteLeft(p *output.Printer) {
	if empty := p.Empty(); len(empty) > 0 {
		a.note("nothing printed has a value for %s; names are as the server spells them", strings.Join(empty, ", "))
	}
	switch left := p.Left(); len(left) {
	case 0:
	case 1:
		a.note("the column %q did not fit; --fields chooses", left[0])
	default:
		a.note("%d columns did not fit, such as %q; --fields chooses", len(left), left[0])
	}
}
