package health

import (
	"bytes"
	"context"
	"sync"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl health
  amictl health -o jsonl | jq 'select(.state!="ready")'
  amictl health --node 'pbx*' --connect-timeout 2s --min-ready 95%
  amictl health --warn 'ping>50ms' --crit 'calls>400' -o nagios
  amictl health --watch --every 15s -o prometheus --out amictl.prom

For each node: can it be reached, does the login work, how long does a Ping take, version, channels, calls.
--watch keeps the sessions open and checks repeatedly; only then is a breaker shown.
--warn and --crit compare ping, login, uptime, calls or channels with a value, by > >= < <= = or !=: a smaller grammar than
that of --where elsewhere, without && and ||; each flag may repeat. An unknown value meets no condition, and a message says so. For Nagios it is UNKNOWN, and its performance data U.

Exits 0 when all are ready, 1 when one is degraded or meets a --warn or --crit, 6 when some cannot be reached, 3 or 4
when none can. With --min-ready it is 0 when that many nodes are up and none of those is critical.
-o prometheus: 0 once written. -o nagios: 0 ok, 1 warning, 2 critical, 3 unknown, which includes a wrong command line or configuration; its first line tells which
nodes are not ready, as far as 200 characters hold it, and where there are several each has a line of its own behind it.`

// service is what Nagios calls what is looked at.
const service = "AMI"

// mostCheckups is how many nodes are examined at once: those that hang must not hold up the others for long.
const mostCheckups = 512

// options are those of health.
type options struct {
	rounds     run.Rounds
	bus        target.Bus
	warn, crit flags.List
	minReady   string
	out        string
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "health",
		Usage:       "check every node: login, ping time, version, channels, calls",
		Description: help,
		Flags: append(append(o.rounds.Flags(), o.bus.Flags()...),
			&cli.GenericFlag{Name: "warn", Usage: "a node that meets `CONDITION`, such as ping>50ms, is degraded; may repeat", Value: &o.warn},
			&cli.GenericFlag{Name: "crit", Usage: "a node that meets `CONDITION` is critical; may repeat", Value: &o.crit},
			flags.Text("min-ready", "", "healthy while at least `N` nodes are up, or a share such as 95%", &o.minReady),
			flags.Text("out", "", "write to `FILE` instead of standard output, whole or not at all", &o.out),
		),
		Action: func(ctx context.Context, _ *cli.Command) error { return health(ctx, r, o) },
	}, run.About{
		Args: run.Words{Hint: "nodes are chosen with --node"}, Outputs: []run.Output{run.OutputNagios, run.OutputPrometheus}, Failed: nagios.Report(service),
		Figures: map[string]func() []string{"warn": figureNames, "crit": figureNames}, Fields: recordKeys,
	})
}

// A look looks at nodes, once or again and again.
type look struct {
	run        *run.Run
	options    *options
	nodes      []ami.Config
	warn, crit []rule
	need       int          // nodes that --min-ready wants, 0: it was not given
	form       run.Output   // nagios, prometheus, else ""
	cluster    *ami.Cluster // with --watch
	said       map[string]string
	told       map[string]bool // of which nodes the user's rights were told of
	sheet      run.Report
	screen     *screen   // of --watch on a terminal
	last       []checkup // what the last look found
}

func health(ctx context.Context, r *run.Run, o *options) error {
	l := &look{
		run: r, options: o, said: make(map[string]string), told: make(map[string]bool),
		sheet: run.Report{Run: r, Path: o.out, Again: o.rounds.Watch},
	}
	if form := r.Settings.Output; form == run.OutputNagios || form == run.OutputPrometheus {
		l.form = form
	}
	err := l.prepare(ctx)
	if err == nil {
		err = l.watch(ctx)
	}
	if l.form == run.OutputNagios && err != nil && !fail.Classify(err).Silent {
		_ = l.sheet.Write(nagios.Failure(service, fail.Classify(err)))
		r.Complain(fail.Classify(err))
		return fail.Foreign(nagios.Unknown)
	}
	return err
}

func (l *look) prepare(ctx context.Context) (err error) {
	o := l.options
	if err := o.rounds.Check(); err != nil {
		return err
	}
	if l.form != "" && (l.run.Flags.Query != "" || l.run.Flags.Fields != "") {
		return fail.Usage("-o jsonl is for programs", "-o %s goes with neither --query nor --fields", l.form)
	}
	if err := l.sheet.Check(l.form); err != nil {
		return err
	}
	if l.warn, err = parseRules(o.warn); err != nil {
		return err
	}
	if l.crit, err = parseRules(o.crit); err != nil {
		return err
	}
	if l.nodes, err = o.bus.Servers(ctx, l.run); err != nil {
		return err
	}
	l.need, err = parseMinReady(o.minReady, len(l.nodes))
	if err == nil && l.form == "" {
		_, err = l.run.OutputOptions(run.Records)
	}
	return err
}

// watch looks once, or with --watch until it is stopped; the last look decides the status.
func (l *look) watch(ctx context.Context) (err error) {
	if l.options.rounds.Watch {
		if l.cluster, err = target.Cluster(l.run, l.nodes); err != nil {
			return err
		}
		defer target.Finish(ctx, l.cluster)
		l.screen = newScreen(l.run, l.options)
		l.run.OnDeath(l.screen.close)
		defer l.screen.close()
	}
	for round := 1; ; round++ {
		found := l.look(ctx, round == 1)
		if ctx.Err() != nil && (l.options.rounds.Watch || l.form != "" || run.BySignal(ctx)) { // a look that was cut short says what is not so
			return ctx.Err()
		}
		if err := l.write(found); err != nil {
			return err
		}
		if ctx.Err() != nil { // --deadline: what was found by then is on standard output
			return ctx.Err()
		}
		last := l.options.rounds.Last(round)
		if last && l.screen != nil { // it stays on the terminal
			l.screen.close()
			l.screen, l.sheet.Again = nil, false
			if err := l.write(found); err != nil {
				return err
			}
		}
		if l.form != run.OutputNagios && l.screen == nil { // there each node stands with its reason
			l.complain(found)
		}
		if last {
			return l.status(found)
		}
		if err := l.options.rounds.Wait(ctx); err != nil {
			return err
		}
	}
}

// look examines all nodes, many at once, in the order they were given.
func (l *look) look(ctx context.Context, first bool) []checkup {
	names := make([]string, len(l.nodes))
	for i := range l.nodes {
		names[i] = l.nodes[i].Name
	}
	p := newProgress(names, l.last)
	slots := make(chan struct{}, mostCheckups)
	var all sync.WaitGroup
	for i, n := range l.nodes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var h checkup
			if l.cluster == nil {
				h = examine(ctx, l.run, n)
			} else if node, ok := l.cluster.Node(n.Name); ok {
				h = revisit(ctx, l.run, node, first)
			}
			h.judge(l.warn, l.crit)
			p.answer(i, h)
		})
	}
	l.last = p.await(&all, func(found []checkup) {
		if l.screen != nil && ctx.Err() == nil {
			_ = l.screen.draw(found, l.options.rounds.Every.Value) // the look's own drawing tells that it cannot be
		}
	})
	return l.last
}

// write prints one look.
func (l *look) write(found []checkup) error {
	if l.screen != nil {
		return l.screen.draw(found, l.options.rounds.Every.Value)
	}
	switch l.form {
	case run.OutputNagios:
		return l.sheet.Write(l.nagios(found))
	case run.OutputPrometheus:
		var text bytes.Buffer
		if err := metrics.Write(&text, promFamilies(found)); err != nil {
			return err
		}
		return l.sheet.Write(text.Bytes())
	}
	return l.sheet.Records(len(found) > 1, func(yield func(output.Record) bool) {
		for i := range found {
			record := found[i].record()
			if l.options.rounds.Watch {
				record = found[i].onScreen()
			}
			if !yield(record) {
				return
			}
		}
	})
}

// complain tells on standard error why nodes are not reached; with --watch only when that changes.
func (l *look) complain(found []checkup) {
	var failures []fail.Failure
	for i := range found {
		h := &found[i]
		if h.err == nil {
			delete(l.said, h.node)
			l.tellRights(h)
			continue
		}
		if f := fail.Classify(h.err); l.said[h.node] != f.Message {
			l.said[h.node] = f.Message
			failures = append(failures, f)
		}
	}
	l.run.ComplainAll(failures)
}

// tellRights notes, once a node, why some of what a table usually shows is missing, and what was not judged for that.
func (l *look) tellRights(h *checkup) {
	if len(h.unjudged) > 0 && l.form != run.OutputNagios && !l.told[h.node] {
		l.told[h.node] = true
		l.run.Note("%s: %s", h.node, h.doubt())
		return
	}
	if h.refused && l.form == "" && !l.told[h.node] {
		l.told[h.node] = true
		l.run.Note("%s: some of version, uptime, calls and channels is unknown: the user's write= in manager.conf needs reporting", h.node)
	}
}

// up counts the nodes that --min-ready means: those that take actions and are not critical.
func up(found []checkup) (n int) {
	for i := range found {
		if found[i].err == nil && !found[i].critical {
			n++
		}
	}
	return n
}

// status is nil if all is well; else its status is 1 for degraded, 6 for mixed, 3 or 4 for none reached.
func (l *look) status(found []checkup) error {
	switch {
	case l.form == run.OutputPrometheus:
		return nil
	case l.form == run.OutputNagios:
		if level := l.level(found); level != nagios.OK {
			return fail.Foreign(level)
		}
		return nil
	case l.need > 0 && up(found) >= l.need:
		return nil
	}
	return statusOf(found)
}

func statusOf(found []checkup) error {
	var down target.Tally
	degraded := false
	for i := range found {
		if found[i].err != nil {
			down.Add(fail.Classify(found[i].err).Exit)
		}
		degraded = degraded || found[i].degraded != ""
	}
	switch {
	case down.Ended == len(found) && down.Mixed:
		return fail.Silent(fail.ExitConnect)
	case down.Ended == len(found):
		return fail.Silent(down.Status)
	case down.Ended > 0:
		return fail.Silent(fail.ExitMixed)
	case degraded:
		return fail.Silent(fail.ExitFailed)
	}
	return nil
}
