package tail

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl tail
  amictl tail Hangup 'Queue*' --count 3
  amictl tail Hangup --where 'Cause!=16 && Channel=~^PJSIP/'
  amictl tail --for 1m --stats             how many of which, and how fast
  amictl tail 'Queue*' -- QueuePause Interface=PJSIP/100 Paused=true
  amictl tail --from capture.txt Hangup | jq .fields.Cause
  amictl tail --from full.2.gz --from full.1 --from full --follow Hangup
  amictl tail --from events.jsonl --since 09:00 --until 09:30 --speed 10
  amictl tail --record events.jsonl -q -o none
  amictl tail --spool 2G | slow-importer   what it cannot take yet is kept

On a terminal each event is a line that says what happened: first the headers that matter, causes and states with their
meaning, then as many others as fit. The lines of a call share a colour. -o wide shows all headers, in as many lines as they
take; --fields makes a column of each field that it names.

An action after "--" is sent once the subscription is in place, so that none of its events is missed.
A lost connection is restored; a gap marks what is missing. --for counts from the first session; with --count too, whichever
comes first ends it, with 0: ` + "`amictl wait`" + ` fails when something does not come. On a terminal --stats
shows the counts as they grow, with the overall rate and that of the last second. A time for --since and --until is
RFC 3339, a date, a time of today (09:30), or how long ago (10m).

--from reads records (of --record or -o jsonl) and captures: what a server sent, even inside other text, such as the
log of "manager set debug on", a quotation or a terminal recording, with time stamps or names before each line. gzip and
zstd are unpacked. A packet that is cut off, lacks its beginning or exceeds a limit is lost: a message gives the line of
the first, and the exit status is 7. A file that is neither a record nor a capture is refused with 2. --follow ends with
--for, --until or --count.

With --nats and --cluster, or a context that has them, events come from a bus (docs/bus.md), with the same output; -n
chooses among its nodes by name or glob. --durable NAME goes on where the last run with this name ended, or begins a new
one, where --since and --from-start hold. What is printed, or with -o none taken, is acknowledged: each event comes at
least once. One process at a time reads a NAME.

--record never overwrites anything: a file that is not empty needs --append. SIGHUP ends a tail as SIGINT and SIGTERM do;
one that records without a terminal, as under systemd, continues in a new file of the same name instead, for logrotate.

If the output is read slowly, the server is read as slowly, down to 9 MB/s; below that events are dropped, and a gap marks
them. With --spool they wait on disk instead, up to SIZE, in unnamed files in $TMPDIR or /var/tmp that vanish with the
process; nothing is dropped until SIZE is reached or the disk is full. What waits is still written after a signal (a second
one gives it up), and after --for and --until, but not after --deadline.

` + cond.Grammar + "\n\n" + cond.Globs

// options are those of tail; wait shares most.
type options struct {
	target.Fanout
	names     []string // of events
	where     flags.List
	count     flags.Count
	length    flags.Duration
	stats     bool
	failOnGap bool
	packets   bool
	record    string
	appends   bool // to the record
	from      flags.List
	follow    bool
	require   string
	spool     flags.Size
	since     string
	until     string
	speed     string
	bus       target.Bus
	fromStart bool
	durable   durableName
	address   run.BusAddress // with onBus
	onBus     bool
	ofBus     []string   // names and globs of its nodes
	span      replaySpan // what since, until and speed say
}

// Command makes the subcommand tail.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "tail",
		Usage:       "follow events",
		ArgsUsage:   "[EVENT]... [-- ACTION [Key=Value]...]",
		Description: help,
		Flags: append([]cli.Flag{
			whereFlag(&o.where),
			&cli.GenericFlag{Name: "count", Usage: "end after `N` events", Value: &o.count},
			&cli.GenericFlag{Name: "for", Usage: "end after `TIME`", Value: &o.length},
			&cli.BoolFlag{Name: "stats", Usage: "count instead of printing, and show the counts at the end", Destination: &o.stats},
			&cli.BoolFlag{Name: "packets", Usage: "also show packets that are neither events nor answers", Destination: &o.packets},
			&cli.BoolFlag{Name: "fail-on-gap", Usage: "end with status 7 when events are missing", Destination: &o.failOnGap},
			flags.Text("record", "", "also write the events to `FILE`, with time stamps and without secrets", &o.record),
			&cli.BoolFlag{Name: "append", Usage: "with --record: add to a file that is not empty", Destination: &o.appends},
			&cli.GenericFlag{Name: "from", Usage: "read a record or a capture from `FILE` (- is standard input) instead of a server; may repeat, oldest first", Value: &o.from},
			&cli.BoolFlag{Name: "follow", Usage: "with --from: wait for more at the end of the last file, even when it is rotated", Destination: &o.follow},
			flags.Text("since", "", "with --from or a bus: only events from `TIME` on", &o.since),
			&cli.BoolFlag{Name: "from-start", Usage: "from a bus: begin with the oldest event that it has", Destination: &o.fromStart},
			&cli.GenericFlag{Name: "durable", Usage: "from a bus: go on where the last run with this `NAME` ended; each event at least once", Value: &o.durable},
			flags.Text("until", "", "only events before `TIME`; a live tail ends then, and so does --follow", &o.until),
			flags.Text("speed", "", "with --from: replay at `N` times the original speed, such as 1 or 0.5 (as fast as possible)", &o.speed),
			&cli.GenericFlag{Name: "spool", Usage: "keep up to `SIZE` of events on disk, such as 1G, when the output is read too slowly", Value: &o.spool},
			flags.Choice("require", "", "start when `N` nodes are ready, or all (1)", &o.require, "all"),
		}, append(o.bus.Flags(), o.Fanout.Flags()...)...),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.names = c.Args().Slice()
			return tail(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.EventNames}, Rest: run.Words{Kind: run.ActionWords}})
}

func whereFlag(to *flags.List) cli.Flag {
	return &cli.GenericFlag{Name: "where", Aliases: []string{"w"}, Usage: "only events that meet `CONDITION`, such as Cause!=16; may repeat, all must hold", Value: to}
}

func tail(ctx context.Context, r *run.Run, o *options) (err error) {
	run.FavourStreams()
	if err := o.findBus(r); err != nil {
		return err
	}
	if o.onBus && r.Bus == nil {
		return r.RunDaemon("tail from a bus")
	}
	if !r.HasTo {
		if err := r.RefuseTimeout("--for"); err != nil {
			return err
		}
	}
	if o.span, err = newReplaySpan(o, time.Now()); err != nil {
		return err
	}
	t, err := newTailer(r, o, run.Endless)
	if err != nil {
		return act.NotDry(err)
	}
	defer func() { err = errors.Join(err, t.closeRecord()) }()
	if err := t.openSpool(); err != nil {
		return err
	}
	if len(o.from) == 0 && !o.span.until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, o.span.until, errForIsOver)
		defer cancel()
	}
	switch {
	case len(o.from) > 0:
		err = t.replay(ctx)
	case o.onBus:
		err = t.fromBus(ctx)
	default:
		err = t.live(ctx)
	}
	err = errors.Join(notOver(ctx, err), t.end())
	if r.Dropped > 0 && len(o.from) == 0 {
		r.Note("%s dropped: the reader of this output, or this host, was too slow", fail.Were(r.Dropped, "event"))
	}
	return err
}

// errForIsOver is why a run ends whose --for or --until is over.
var errForIsOver = errors.New("the time of --for is up")

// notOver returns err, but nil for the end that --for or --until brings.
func notOver(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errForIsOver) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// limit begins --for, which counts what was followed and not the way to a session.
func (o *options) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if !o.length.Given {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, o.length.Value, errForIsOver)
}

// need returns how many nodes must be ready at the start.
func (o *options) need(nodes int) (int, error) {
	switch o.require {
	case "":
		return 1, nil
	case "all":
		return nodes, nil
	}
	n, err := strconv.Atoi(o.require)
	if err != nil || n < 1 || n > nodes {
		return 0, fail.Usage("such as --require all", "--require %q is neither all nor a number from 1 to %d", o.require, nodes)
	}
	return n, nil
}

// errEnough ends a tail whose --count is reached.
var errEnough = errors.New("enough")

// A tailer takes the events of a tail or a wait: it prints, records and counts them.
type tailer struct {
	run     *run.Run
	options *options
	names   []string
	where   *ami.Where
	action  *ami.Action
	nodes   []ami.Config
	out     *output.Printer
	record  *output.Recorder
	file    *os.File               // of the record
	reopen  atomic.Bool            // it is to be opened anew
	nudge   atomic.Pointer[func()] // wakes the goroutine that waits for events
	stats   *eventStats
	rings   buffers
	sub     *ami.Subscription // of the servers, while they are followed
	spool   *spool.Spool      // nil: none
	durable acknowledger      // nil: nobody wants to know what is written
	matched int
	// quietReply keeps the reply to the action out of the data: wait prints what it waited for alone.
	quietReply bool
	gaps       int
	acted      target.Tally // how the action ended on several nodes
}

// buffers bound what a subscription holds of each node.
type buffers struct{ events, bytes int }

func newTailer(r *run.Run, o *options, kind run.Stream) (*tailer, error) {
	t := &tailer{run: r, options: o, names: o.names, rings: buffers{target.RingEvents, target.RingBytes}}
	var err error
	if t.where, err = act.ParseWhere(r, o.where); err != nil {
		return nil, err
	}
	if err := act.CheckEvents(r, o.names); err != nil {
		return nil, err
	}
	act.WarnLacking(r, t.where, o.names)
	if r.HasTo {
		action, err := act.ParseAction(r, r.Rest)
		if err != nil {
			return nil, err
		}
		t.action = &action
	}
	if o.DryRun && !r.HasTo {
		return nil, fail.Usage("-- ACTION [Key=Value]...", "--dry-run shows the action after `--`, and there is none")
	}
	switch {
	case len(o.from) > 0:
		if err := checkReplay(r, o); err != nil {
			return nil, err
		}
	case !o.onBus:
		if t.nodes, err = target.Nodes(r); err != nil {
			return nil, err
		}
		if t.action != nil {
			if err := o.Check(len(t.nodes)); err != nil {
				return nil, err
			}
			if o.DryRun {
				return nil, act.DryRunOnly(r, &o.Fanout, t.nodes, t.action)
			}
			if err := act.Permit(r, &o.Fanout, t.nodes, t.action); err != nil {
				return nil, err
			}
		}
	}
	if o.stats {
		kind = run.Records
		t.stats = newEventStats(len(o.from) > 0)
	}
	if t.out, err = r.Printer(kind, len(t.nodes) > 1 || o.onBus, true); err != nil {
		return nil, err
	}
	switch {
	case o.record != "":
		err = t.openRecord()
	case o.appends:
		err = fail.Usage("such as --record events.jsonl --append", "--append goes with --record")
	}
	return t, err
}

// take handles one event or gap. It returns errEnough when --count is reached.
func (t *tailer) take(ev *ami.Event) error {
	if ev.Gap != nil {
		return t.gap(ev)
	}
	if err := t.show(ev); err != nil {
		return err
	}
	return t.matches(1)
}

// matches counts events that were asked for, and returns errEnough when --count is reached.
func (t *tailer) matches(n uint64) error {
	if !t.options.count.Given {
		return nil
	}
	if left := t.options.count.Value - t.matched; n < uint64(max(left, 0)) {
		t.matched += int(n)
		return nil
	}
	return errEnough
}

// show records an event, and prints or counts it.
func (t *tailer) show(ev *ami.Event) error {
	if err := t.reopenRecord(); err != nil {
		return err
	}
	switch {
	case t.stats == nil && t.record == nil:
		return t.out.Event(ev)
	case t.stats == nil:
		return t.record.EventAnd(t.out, ev)
	}
	t.stats.add(ev)
	if t.record == nil {
		return nil
	}
	return t.record.Event(ev)
}

func (t *tailer) gap(ev *ami.Event) error {
	t.gaps++
	t.run.Dropped += ev.Gap.Dropped
	if t.record != nil {
		if err := t.record.Event(ev); err != nil {
			return err
		}
	}
	if t.stats != nil {
		t.stats.gap(ev)
	} else if err := t.out.Event(ev); err != nil {
		return err
	}
	if t.options.failOnGap {
		return &fail.Error{Code: fail.CodeGap, Message: ev.Node + ": events are missing (" + string(ev.Gap.Reason) + ")", Hint: "a slow reader, or a lost connection; without --fail-on-gap tail continues"}
	}
	if t.quietReply || len(t.options.from) > 0 {
		return nil // a wait is for an event that it can show, and a record has an end
	}
	return t.matches(ev.Gap.Dropped) // they happened, and no others may come
}

func (t *tailer) flush() error {
	t.stats.draw()
	if t.record != nil {
		if err := errors.Join(t.reopenRecord(), t.record.Flush()); err != nil {
			return err
		}
	}
	err := t.out.Flush()
	if err == nil && t.durable != nil {
		t.durable.Acknowledge()
	}
	return err
}

// end prints what is left: the counts, or the end of a document.
func (t *tailer) end() error {
	act.NoteMissing(t.run, t.where)
	if t.stats != nil {
		t.stats.clear()
		for _, r := range t.stats.records(t.out.Options().Format == output.TableText) {
			if err := t.out.Record(r); err != nil {
				return err
			}
		}
	}
	return t.out.Close()
}
