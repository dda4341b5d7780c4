package main

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const healthHelp = `Examples:
  amictl health
  amictl health -o jsonl | jq 'select(.state!="ready")'
  amictl health --node 'pbx*' --connect-timeout 2s --min-ready 95%
  amictl health --warn 'ping>50ms' --crit 'calls>400' -o nagios
  amictl health --watch --every 15s -o prometheus --out amictl.prom

For each node: can it be reached, does the login work, how long does a Ping take, version, channels, calls.
--watch keeps the sessions and looks again and again; only then is there a breaker to tell of.
--warn and --crit compare ping, login, uptime, calls or channels with a value; what is not known meets none.

Exits 0 when all are ready, 1 when one is degraded or meets a --warn or --crit, 6 when some cannot be reached,
3 or 4 when none can. With --min-ready it is 0 when that many are up and none of those counted is critical.
-o prometheus: 0 once written. -o nagios: 0 ok, 1 warning, 2 critical, 3 unknown, which a wrong command line or configuration is, too.`

// mostCheckups is how many nodes are examined at once: those that hang must not hold up the others for long.
const mostCheckups = 512

// healthFlags are those of health.
type healthFlags struct {
	watch      bool
	every      duration
	rounds     count
	warn, crit list
	minReady   string
	out        string
}

func (a *app) healthCommand() *cli.Command {
	f := &healthFlags{every: duration{d: 10 * time.Second}}
	return &cli.Command{
		Name:        "health",
		Usage:       "check every node: login, ping time, version, channels, calls",
		Description: healthHelp,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Usage: "keep looking until stopped", Destination: &f.watch},
			&cli.GenericFlag{Name: "every", Usage: "with --watch: look each `TIME` (10s)", Value: &f.every},
			&cli.GenericFlag{Name: "rounds", Usage: "with --watch: end after looking `N` times", Value: &f.rounds},
			&cli.GenericFlag{Name: "warn", Usage: "a node that meets `CONDITION`, such as ping>50ms, is degraded; may repeat", Value: &f.warn},
			&cli.GenericFlag{Name: "crit", Usage: "a node that meets `CONDITION` is critical; may repeat", Value: &f.crit},
			text("min-ready", "", "well as long as `N` nodes are up, or a share such as 95%", &f.minReady),
			text("out", "", "write to `FILE`, whole or not at all, instead of standard output", &f.out),
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usageError("nodes are chosen with --node", "health takes no arguments, and got %q", c.Args().First())
			}
			return a.health(ctx, f)
		},
	}
}

// A healthRun looks at nodes, once or again and again.
type healthRun struct {
	app        *app
	flags      *healthFlags
	nodes      []ami.Config
	warn, crit []healthRule
	need       int          // nodes that --min-ready wants, 0: it was not given
	form       string       // nagios, prometheus, else ""
	cluster    *ami.Cluster // with --watch
	said       map[string]string
	told       map[string]bool // of which nodes the user's rights were told of
	headed     bool            // standard output has the head of CSV
}

func (a *app) health(ctx context.Context, f *healthFlags) error {
	r := &healthRun{app: a, flags: f, said: make(map[string]string), told: make(map[string]bool)}
	if form := a.settings.get("output"); form == "nagios" || form == "prometheus" {
		r.form = form
	}
	err := r.prepare()
	if err == nil {
		err = r.run(ctx)
	}
	if r.form == "nagios" && err != nil && !classify(err).Silent {
		_ = r.deliver(nagiosFailure(classify(err)))
		a.complain(classify(err))
		return silent(nagiosUnknown)
	}
	return err
}

func (r *healthRun) prepare() (err error) {
	f := r.flags
	if !f.watch && (f.every.set || f.rounds.set) {
		return usageError("such as --watch --every 15s --rounds 4", "--every and --rounds go with --watch")
	}
	if r.form != "" && (r.app.flags.query != "" || r.app.flags.fields != "") {
		return usageError("-o jsonl is for programs", "-o %s goes with neither --query nor --fields", r.form)
	}
	if f.watch && f.out == "" && (r.form == "prometheus" || r.app.settings.get("output") == "json") {
		return usageError("--out FILE is written anew each time", "--watch has no end and -o %s is one document", r.app.settings.get("output"))
	}
	if r.warn, err = parseHealthRules(f.warn); err != nil {
		return err
	}
	if r.crit, err = parseHealthRules(f.crit); err != nil {
		return err
	}
	if r.nodes, err = r.app.targets(); err != nil {
		return err
	}
	r.need, err = parseMinReady(f.minReady, len(r.nodes))
	if err == nil && r.form == "" {
		_, err = r.app.outputOptions(records)
	}
	return err
}

// run looks once, or with --watch until it is stopped; the last look decides the status.
func (r *healthRun) run(ctx context.Context) (err error) {
	if r.flags.watch {
		if r.cluster, err = r.app.cluster(r.nodes); err != nil {
			return err
		}
		defer finish(ctx, r.cluster)
	}
	for round := 1; ; round++ {
		found := r.look(ctx, round == 1)
		if ctx.Err() != nil && (r.flags.watch || r.form != "" || bySignal(ctx)) { // a look that was cut short says what is not so
			return ctx.Err()
		}
		if err := r.write(found); err != nil {
			return err
		}
		if ctx.Err() != nil { // --deadline: what was found by then is on standard output
			return ctx.Err()
		}
		if r.form != "nagios" {
			r.complain(found)
		}
		if !r.flags.watch || round == r.flags.rounds.n {
			return r.status(found)
		}
		select {
		case <-time.After(r.flags.every.d):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look examines all nodes, many at once, in the order they were given.
func (r *healthRun) look(ctx context.Context, first bool) []checkup {
	found := make([]checkup, len(r.nodes))
	slots := make(chan struct{}, mostCheckups)
	var all sync.WaitGroup
	for i, n := range r.nodes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if r.cluster == nil {
				found[i] = r.app.examine(ctx, n)
			} else if node, ok := r.cluster.Node(n.Name); ok {
				found[i] = r.app.revisit(ctx, node, first)
			}
			found[i].judge(r.warn, r.crit)
		})
	}
	all.Wait()
	return found
}

// write prints one look.
func (r *healthRun) write(found []checkup) error {
	var text bytes.Buffer
	switch r.form {
	case "nagios":
		text.Write(r.nagios(found))
	case "prometheus":
		if err := metrics.Write(&text, promFamilies(found)); err != nil {
			return err
		}
	default:
		if err := r.print(&text, found); err != nil {
			return err
		}
	}
	out := text.Bytes()
	if r.flags.out == "" && r.app.settings.get("output") == "csv" {
		if r.headed {
			_, out, _ = bytes.Cut(out, []byte("\n"))
		}
		r.headed = true
	}
	return r.deliver(out)
}

// deliver writes to standard output, or replaces the file of --out.
func (r *healthRun) deliver(text []byte) error {
	if r.flags.out == "" {
		_, err := r.app.stdout.Write(text)
		return err
	}
	return replaceOutput("--out", r.flags.out, text)
}

// clearScreen moves to the top left and clears what is below.
const clearScreen = "\x1b[H\x1b[2J"

func (r *healthRun) print(w io.Writer, found []checkup) error {
	o, err := r.app.outputOptions(records)
	if err != nil {
		return err
	}
	if r.flags.out != "" {
		o.Terminal, o.Color, o.Width = false, false, 0
		if r.app.settings.get("output") == "auto" {
			o.Format = output.JSONLines
		}
	}
	o.Nodes, o.Many = len(found) > 1, len(found) > 1
	if r.flags.watch && r.app.redraws(o) {
		_, _ = io.WriteString(w, clearScreen)
	}
	p := output.NewPrinter(w, o)
	for i := range found {
		if err := p.Record(found[i].record()); err != nil {
			return err
		}
	}
	if !r.flags.watch {
		r.app.printers = append(r.app.printers, p)
	}
	return p.Close()
}

// complain tells on standard error why nodes are not reached; with --watch only when that changes.
func (r *healthRun) complain(found []checkup) {
	var failures []failure
	for i := range found {
		h := &found[i]
		if h.err == nil {
			delete(r.said, h.node)
			r.tellRights(h)
			continue
		}
		if f := classify(h.err); r.said[h.node] != f.Message {
			r.said[h.node] = f.Message
			failures = append(failures, f)
		}
	}
	r.app.complainAll(failures)
}

// tellRights notes, once a node, why some of what a table usually shows is missing.
func (r *healthRun) tellRights(h *checkup) {
	if h.refused && r.form == "" && !r.told[h.node] {
		r.told[h.node] = true
		r.app.note("%s: version, uptime, calls and channels are unknown: the user's write= in manager.conf needs system or reporting", h.node)
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
func (r *healthRun) status(found []checkup) error {
	switch {
	case r.form == "prometheus":
		return nil
	case r.form == "nagios":
		if level := r.level(found); level != nagiosOK {
			return silent(level)
		}
		return nil
	case r.need > 0 && up(found) >= r.need:
		return nil
	}
	return healthStatus(found)
}

func healthStatus(found []checkup) error {
	var down tally
	degraded := false
	for i := range found {
		if found[i].err != nil {
			down.add(classify(found[i].err).Exit)
		}
		degraded = degraded || found[i].degraded != ""
	}
	switch {
	case down.ended == len(found) && down.mixed:
		return silent(exitConnect)
	case down.ended == len(found):
		return silent(down.status)
	case down.ended > 0:
		return silent(exitMixed)
	case degraded:
		return silent(exitFailed)
	}
	return nil
}
