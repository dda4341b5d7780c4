package health

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
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
--watch keeps the sessions and looks again and again; only then is there a breaker to tell of.
--warn and --crit compare ping, login, uptime, calls or channels with a value; what is not known meets none, and
is told of. For Nagios it is UNKNOWN, and its performance data U.

Exits 0 when all are ready, 1 when one is degraded or meets a --warn or --crit, 6 when some cannot be reached,
3 or 4 when none can. With --min-ready it is 0 when that many are up and none of those counted is critical.
-o prometheus: 0 once written. -o nagios: 0 ok, 1 warning, 2 critical, 3 unknown, which a wrong command line or configuration is, too.`

// mostCheckups is how many nodes are examined at once: those that hang must not hold up the others for long.
const mostCheckups = 512

// options are those of health.
type options struct {
	watch      bool
	every      flags.Duration
	rounds     flags.Count
	warn, crit flags.List
	minReady   string
	out        string
}

func Command(r *run.Run) *cli.Command {
	f := &options{every: flags.Duration{Value: 10 * time.Second}}
	return r.Tell(&cli.Command{
		Name:        "health",
		Usage:       "check every node: login, ping time, version, channels, calls",
		Description: help,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Usage: "keep looking until stopped", Destination: &f.watch},
			&cli.GenericFlag{Name: "every", Usage: "with --watch: look each `TIME` (10s)", Value: &f.every},
			&cli.GenericFlag{Name: "rounds", Usage: "with --watch: end after looking `N` times", Value: &f.rounds},
			&cli.GenericFlag{Name: "warn", Usage: "a node that meets `CONDITION`, such as ping>50ms, is degraded; may repeat", Value: &f.warn},
			&cli.GenericFlag{Name: "crit", Usage: "a node that meets `CONDITION` is critical; may repeat", Value: &f.crit},
			flags.Text("min-ready", "", "well as long as `N` nodes are up, or a share such as 95%", &f.minReady),
			flags.Text("out", "", "write to `FILE`, whole or not at all, instead of standard output", &f.out),
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return fail.Usage("nodes are chosen with --node", "health takes no arguments, and got %q", c.Args().First())
			}
			return health(ctx, r, f)
		},
	}, run.About{Failed: reportFailure})
}

// A look looks at nodes, once or again and again.
type look struct {
	run        *run.Run
	flags      *options
	nodes      []ami.Config
	warn, crit []rule
	need       int          // nodes that --min-ready wants, 0: it was not given
	form       run.Output   // nagios, prometheus, else ""
	cluster    *ami.Cluster // with --watch
	said       map[string]string
	told       map[string]bool // of which nodes the user's rights were told of
	headed     bool            // standard output has the head of CSV
}

func health(ctx context.Context, r *run.Run, f *options) error {
	h := &look{run: r, flags: f, said: make(map[string]string), told: make(map[string]bool)}
	if form := r.Settings.Output; form == run.OutputNagios || form == run.OutputPrometheus {
		h.form = form
	}
	err := h.prepare()
	if err == nil {
		err = h.watch(ctx)
	}
	if h.form == run.OutputNagios && err != nil && !fail.Classify(err).Silent {
		_ = h.deliver(nagiosFailure(fail.Classify(err)))
		r.Complain(fail.Classify(err))
		return fail.Foreign(nagiosUnknown)
	}
	return err
}

func (r *look) prepare() (err error) {
	f := r.flags
	if !f.watch && (f.every.Given || f.rounds.Given) {
		return fail.Usage("such as --watch --every 15s --rounds 4", "--every and --rounds go with --watch")
	}
	if r.form != "" && (r.run.Flags.Query != "" || r.run.Flags.Fields != "") {
		return fail.Usage("-o jsonl is for programs", "-o %s goes with neither --query nor --fields", r.form)
	}
	if f.watch && f.out == "" && (r.form == run.OutputPrometheus || r.run.Settings.Output == run.OutputJSON) {
		return fail.Usage("--out FILE is written anew each time", "--watch has no end and -o %s is one document", r.run.Settings.Output)
	}
	if f.out != "" {
		if err := run.CheckOutput("--out", f.out); err != nil {
			return err
		}
	}
	if r.warn, err = parseRules(f.warn); err != nil {
		return err
	}
	if r.crit, err = parseRules(f.crit); err != nil {
		return err
	}
	if r.nodes, err = target.Nodes(r.run); err != nil {
		return err
	}
	r.need, err = parseMinReady(f.minReady, len(r.nodes))
	if err == nil && r.form == "" {
		_, err = r.run.OutputOptions(run.Records)
	}
	return err
}

// watch looks once, or with --watch until it is stopped; the last look decides the status.
func (r *look) watch(ctx context.Context) (err error) {
	if r.flags.watch {
		if r.cluster, err = target.Cluster(r.run, r.nodes); err != nil {
			return err
		}
		defer target.Finish(ctx, r.cluster)
	}
	for round := 1; ; round++ {
		found := r.look(ctx, round == 1)
		if ctx.Err() != nil && (r.flags.watch || r.form != "" || run.BySignal(ctx)) { // a look that was cut short says what is not so
			return ctx.Err()
		}
		if err := r.write(found); err != nil {
			return err
		}
		if ctx.Err() != nil { // --deadline: what was found by then is on standard output
			return ctx.Err()
		}
		if r.form != run.OutputNagios {
			r.complain(found)
		}
		if !r.flags.watch || round == r.flags.rounds.Value {
			return r.status(found)
		}
		select {
		case <-time.After(r.flags.every.Value):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look examines all nodes, many at once, in the order they were given.
func (r *look) look(ctx context.Context, first bool) []checkup {
	found := make([]checkup, len(r.nodes))
	slots := make(chan struct{}, mostCheckups)
	var all sync.WaitGroup
	for i, n := range r.nodes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if r.cluster == nil {
				found[i] = examine(ctx, r.run, n)
			} else if node, ok := r.cluster.Node(n.Name); ok {
				found[i] = revisit(ctx, r.run, node, first)
			}
			found[i].judge(r.warn, r.crit)
		})
	}
	all.Wait()
	return found
}

// write prints one look.
func (r *look) write(found []checkup) error {
	var text bytes.Buffer
	switch r.form {
	case run.OutputNagios:
		text.Write(r.nagios(found))
	case run.OutputPrometheus:
		if err := metrics.Write(&text, promFamilies(found)); err != nil {
			return err
		}
	default:
		if err := r.print(&text, found); err != nil {
			return err
		}
	}
	out := text.Bytes()
	if r.flags.out == "" && r.run.Settings.Output == run.OutputCSV {
		if r.headed {
			_, out, _ = bytes.Cut(out, []byte("\n"))
		}
		r.headed = true
	}
	return r.deliver(out)
}

// deliver writes to standard output, or replaces the file of --out.
func (r *look) deliver(text []byte) error {
	if r.flags.out == "" {
		_, err := r.run.Stdout.Write(text)
		return err
	}
	return run.ReplaceOutput(r.flags.out, text)
}

// clearScreen moves to the top left and clears what is below.
const clearScreen = "\x1b[H\x1b[2J"

func (r *look) print(w io.Writer, found []checkup) error {
	o, err := r.run.OutputOptions(run.Records)
	if err != nil {
		return err
	}
	if r.flags.out != "" {
		o.Terminal, o.Color, o.Width = false, false, 0
		if r.run.Settings.Output == run.OutputAuto {
			o.Format = output.JSONLines
		}
	}
	o.Nodes, o.Many = len(found) > 1, len(found) > 1
	if r.flags.watch && r.run.Redraws(o) {
		_, _ = io.WriteString(w, clearScreen)
	}
	p := output.NewPrinter(w, o)
	for i := range found {
		if err := p.Record(found[i].record()); err != nil {
			return err
		}
	}
	if !r.flags.watch {
		r.run.Printers = append(r.run.Printers, p)
	}
	return p.Close()
}

// complain tells on standard error why nodes are not reached; with --watch only when that changes.
func (r *look) complain(found []checkup) {
	var failures []fail.Failure
	for i := range found {
		h := &found[i]
		if h.err == nil {
			delete(r.said, h.node)
			r.tellRights(h)
			continue
		}
		if f := fail.Classify(h.err); r.said[h.node] != f.Message {
			r.said[h.node] = f.Message
			failures = append(failures, f)
		}
	}
	r.run.ComplainAll(failures)
}

// tellRights notes, once a node, why some of what a table usually shows is missing, and what was not judged for that.
func (r *look) tellRights(h *checkup) {
	if len(h.unjudged) > 0 && r.form != run.OutputNagios && !r.told[h.node] {
		r.told[h.node] = true
		r.run.Note("%s: %s", h.node, h.doubt())
		return
	}
	if h.refused && r.form == "" && !r.told[h.node] {
		r.told[h.node] = true
		r.run.Note("%s: version, uptime, calls and channels are unknown: the user's write= in manager.conf needs system or reporting", h.node)
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
func (r *look) status(found []checkup) error {
	switch {
	case r.form == run.OutputPrometheus:
		return nil
	case r.form == run.OutputNagios:
		if level := r.level(found); level != nagiosOK {
			return fail.Foreign(level)
		}
		return nil
	case r.need > 0 && up(found) >= r.need:
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
