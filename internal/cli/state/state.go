package state

import (
	"context"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/internal/objects"
)

func help() string {
	return `Examples:
  amictl state                        everything, a table for each part
  amictl state channels calls -n pbx1
  amictl state channels --where 'state=up && application=Queue'
  amictl state members --where paused=true -o csv --fields queue,name
  amictl state calls --query 'caller.number'
  amictl state channels --where 'duration>2h && bridge='
  amictl state callers --follow -o jsonl
  amictl state registrations --where 'state!=registered'
  amictl state queues --stats --for 1h --sl 15s
  amictl state queues --stats --last 30m --follow -o jsonl

The parts are ` + strings.Join(objects.PartNames(), ", ") + `; without one it is all of them.
Each thing is one object: its "type", its "node" and its keys, which ` + "`amictl schema`" + ` describes. --where tests these
keys, and what follows from them.

--follow prints what there is and then every change to it: the whole object with "op" (add, change or remove), its "time"
and the keys that "changed". {"type":"synced"} says that a node has been listed completely. A node whose connection is lost
has "stale":true, and everything it held is stale until it is synced again; what has ended meanwhile is removed then. An
object that begins to meet --where is an add, one that no longer meets it a remove; that is seen when it changes, not when
an age such as duration>2h comes true. Unless nodes is among the parts, nodes are printed whatever --where says. An object of type gap says that the reader was too slow: everything before it is void,
and the current state follows anew.

--stats counts calls in queues from events, until Ctrl-C, --for or the end of --from: offered, answered, abandoned; the service
level, which is the percentage of answered calls that waited at most --sl; the wait (average and 95th percentile); the time
that members talked. Members have the same figures. On a terminal the figures are redrawn as they grow; with --follow those of
a queue are printed when they change, at most once a second. Without gaps, and once no call is under way, they equal what
QueueStatus counts: Asterisk, too, counts a call as abandoned when its time in the queue runs out. "gaps" says how often events
were missing; the figures are then too low.

With --nats and --cluster, or in a context that has a bus and no nodes, servers are followed over the bus (docs/bus.md): no session to any of
them is opened.

A node that is away is reported on standard error. What a server lacks, or the user may not list, is mentioned once.
Exits 0 when all nodes were listed, 6 when some were, 3 or 4 when none could be reached, 5 when a list took too long.

` + cond.Grammar + "\n" + cond.Keys
}

// options are those of state.
type options struct {
	parts  []string
	where  flags.List
	follow bool
	length flags.Duration

	stats       bool
	last, level flags.Duration
	from        flags.List

	bus target.Bus
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "state",
		Usage:       "show what there is now: channels, calls, queues, endpoints",
		ArgsUsage:   "[PART]...",
		Description: help(),
		Flags: append([]cli.Flag{
			&cli.GenericFlag{Name: "where", Aliases: []string{"w"}, Usage: "only what meets `CONDITION`, such as state=up; may repeat, all must hold", Value: &o.where},
			&cli.BoolFlag{Name: "follow", Usage: "then print every change until stopped", Destination: &o.follow},
			&cli.GenericFlag{Name: "for", Usage: "with --follow or --stats: end after `TIME`", Value: &o.length},
			&cli.BoolFlag{Name: "stats", Usage: "of queues: count the calls that go through them, and print the counts at the end", Destination: &o.stats},
			&cli.GenericFlag{Name: "last", Usage: "with --stats: only what happened within the last `TIME`, such as 1h", Value: &o.last},
			&cli.GenericFlag{Name: "sl", Usage: "with --stats: the `TIME` within which a call is to be answered (20s)", Value: &o.level},
			&cli.GenericFlag{Name: "from", Usage: "with --stats: count in a record or a capture, `FILE` (- is standard input), instead of a server; may repeat, oldest first", Value: &o.from},
		}, o.bus.Flags()...),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.parts = c.Args().Slice()
			return show(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.SomeOf, Choices: objects.PartNames}, Fields: objects.KeysOf})
}

func show(ctx context.Context, r *run.Run, o *options) error {
	if o.length.Given && !o.follow && !o.stats {
		return fail.Usage("such as --follow --for 1m", "--for goes with --follow, or with --stats")
	}
	if err := o.checkStats(r); err != nil {
		return err
	}
	if o.follow || o.stats {
		if err := r.RefuseTimeout("--for"); err != nil {
			return err
		}
	}
	if o.stats {
		return count(ctx, r, o)
	}
	parts, err := parseParts(o.parts)
	if err != nil {
		return err
	}
	kind := run.Records
	if o.follow {
		kind = run.Endless
	}
	v, err := held.NewView(ctx, r, parts, o.where, kind, &o.bus)
	switch {
	case err != nil:
		return err
	case o.follow:
		return newFollow(v).changes(ctx, o.length)
	}
	return v.Snapshot(ctx)
}

// parseParts finds the parts that are named; all if none is.
func parseParts(names []string) (found []*objects.Part, err error) {
	known := objects.PartNames()
	for i := range objects.Parts {
		if p := objects.Parts[i]; len(names) == 0 || slices.Contains(names, p.Name) {
			found = append(found, p)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			hint := fail.NearHint(name, known, "the parts are "+strings.Join(known, ", "))
			if meant := objects.PartMeant(name); meant != "" {
				hint = "they are in `amictl state " + meant + "`"
			}
			return nil, fail.Usage(hint, "there is no part %q", name)
		}
	}
	return found, nil
}
