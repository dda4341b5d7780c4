package calls

import (
	"context"
	"errors"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/replay"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/state"
)

const help = `Examples:
  amictl calls                              each call when it ends
  amictl calls --where 'outcome!=answered' --for 1h
  amictl calls --where queue=sales -o csv --fields end,caller.number,by
  amictl calls --where 'duration>1h || wait>5m'
  amictl calls --live                       the calls that are up now
  amictl calls --from events.jsonl --where legs.cause=34
  amictl calls --timeline 1795435200.12     one call's events, to its end
  amictl calls --timeline 1795435200.12 --from events.jsonl
  amictl calls --timeline 1795435200.12 --from full.log VarSet 'Queue*'
  amictl -C prod calls --timeline 1795435200.12 --since 1h

A call is all channels that share a Linkedid: transfers, pickups, parking and Local channels stay within it, and two calls
that are joined become one. When its last channel is hung up it is printed as one object of type call-record: who called
whom, when, how long it rang, talked, was on hold and waited in queues (keys that end in _us are microseconds), its legs,
its transfers, its outcome, and who ended it. Times are the events' Timestamp (timestampevents=yes in manager.conf), or
else those of receipt. "partial" says that some of it was not seen: it was up before, or events are missing. A gap says where
that may be so: calls that began and ended within it are missing. With --count and --for, whichever comes first ends it, with 0.

With --nats and --cluster, or a context that has a bus and no nodes, calls are those of the events on a bus (docs/bus.md), with --since
of those that it has stored. --live asks the servers over the bus, and so does --timeline without --since.

--live prints the calls that are up, as ` + "`amictl state calls`" + ` does, and ends. --from reads records (of tail --record or
-o jsonl) and captures instead of a server, as tail --from does; calls that are still up at its end are counted on
standard error; with --live it is those that are printed.

--timeline shows one call, which is named by its linkedid, or by the uniqueid or name of one of its channels: a column for
each channel, and the time since the first event. Later channels take the columns of those that have left. With -o jsonl it
prints the events. Names of events choose which are shown; without any, all but VarSet, RTCP and the like.

` + cond.Grammar + "\n" + cond.Keys

// options are those of calls.
type options struct {
	where    flags.List
	live     bool
	from     flags.List
	timeline string
	names    []string // of the timeline's events
	length   flags.Duration
	count    flags.Count
	bus      target.Bus
	since    string
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "calls",
		Usage:       "print calls when they end, those that are up, or one call's story",
		ArgsUsage:   "[EVENT]...",
		Description: help,
		Flags: append([]cli.Flag{
			&cli.GenericFlag{Name: "where", Aliases: []string{"w"}, Usage: "only calls that meet `CONDITION`, such as outcome=busy; may repeat, all must hold", Value: &o.where},
			&cli.BoolFlag{Name: "live", Usage: "print the calls that are up, and end", Destination: &o.live},
			&cli.GenericFlag{Name: "from", Usage: "read a record or a capture from `FILE` (- is standard input) instead of a server; may repeat, oldest first", Value: &o.from},
			flags.Text("timeline", "", "show the events of the call with this `ID`", &o.timeline),
			&cli.GenericFlag{Name: "count", Usage: "end after `N` calls", Value: &o.count},
			&cli.GenericFlag{Name: "for", Usage: "end after `TIME`", Value: &o.length},
			flags.Text("since", "", "from a bus: read its events from `TIME` on, such as 1h (ago) or 09:30", &o.since),
		}, o.bus.Flags()...),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.names = c.Args().Slice()
			return calls(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.EventNames}})
}

func calls(ctx context.Context, r *run.Run, o *options) error {
	if err := o.check(r); err != nil {
		return err
	}
	q, onBus, err := o.query(r)
	if err != nil {
		return err
	}
	if onBus && r.Bus == nil {
		return r.RunDaemon("calls of a bus")
	}
	if o.timeline != "" {
		return tell(ctx, r, o, q, onBus)
	}
	part, kind := objects.Records, run.Endless
	if o.live {
		part = objects.PartOf(state.KindCall)
	}
	if o.live || len(o.from) > 0 {
		kind = run.Records
	}
	var servers *target.Bus
	if len(o.from) == 0 && !onBus {
		servers = &o.bus
	}
	v, err := held.NewView(ctx, r, []*objects.Part{part}, o.where, kind, servers)
	switch {
	case err != nil:
		return err
	case len(o.from) > 0:
		return read(ctx, v, o)
	case onBus:
		return fromBus(ctx, v, o, q)
	case o.live:
		return v.Snapshot(ctx)
	}
	return follow(ctx, v, o)
}

// check refuses what has no use together.
func (o *options) check(r *run.Run) error {
	switch {
	case len(o.names) > 0 && o.timeline == "":
		if at, _, _ := strings.Cut(o.names[0], "."); at != "" && strings.Trim(at, "0123456789") == "" {
			return fail.Usage("such as `amictl calls --timeline "+o.names[0]+"`", "one call is shown by --timeline")
		}
		return fail.Usage("--where chooses among calls, --live shows those that are up, --timeline ID one call's events; `amictl send Hangup Channel=NAME` ends one",
			"calls takes no word such as %q: names of events go with --timeline ID", o.names[0])
	case o.timeline != "" && (o.live || len(o.where) > 0 || o.count.Given):
		return fail.Usage("leave one of them out", "--timeline shows one call, and --live, --where and --count choose among calls")
	case o.live && (o.length.Given || o.count.Given):
		return fail.Usage("leave one of them out", "--live ends by itself, and --for and --count end a run that does not")
	case len(o.from) > 0 && o.length.Given:
		return fail.Usage("leave one of them out", "--from ends with the file, and --for ends a run that does not")
	case len(o.from) > 0:
		return replay.RefuseServers(r)
	case !o.live && o.timeline == "":
		return r.RefuseTimeout("--for")
	}
	return nil
}

// errEnough ends a run whose --count is reached.
var errEnough = errors.New("enough")

// An end is a view of calls that end.
type end struct {
	*held.View
	lines bool // people get a line a call
	left  int  // of --count; negative: no bound
}

func newEnd(v *held.View, o *options) *end {
	e := &end{View: v, left: -1}
	if o.count.Given {
		e.left = o.count.Value
	}
	return e
}

// record prints a call, if it meets the condition.
func (e *end) record(r *state.Record) error {
	object := objects.Records.Record(r)
	if !e.Meets(objects.Records, r.Node, object, r.End) {
		return nil
	}
	var err error
	if e.lines {
		err = e.Out.Text("", e.line(r, object))
	} else {
		err = e.Out.Record(object)
	}
	if err != nil || e.left < 0 {
		return err
	}
	if e.left--; e.left <= 0 {
		return errEnough
	}
	return nil
}
