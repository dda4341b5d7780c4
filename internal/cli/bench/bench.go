package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/atomicfile"
	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/fleet"
	"github.com/apntalk/amictl/internal/bench/report"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
)

const help = `Examples:
  amictl bench                             8 simulated nodes, for 5 s
  amictl bench --sim 50 --profile one-stalled --fail-if 'starvation>250ms'
  amictl bench --rate 2000 --duration 30s --out new.json --html new.html
  amictl bench --stage 10s:1000 --stage 30s:=1000 --mix ping=9,command=1
  amictl bench --node ami://admin@127.0.0.1 --concurrency 256 --mix ping
  amictl bench --workload calls --rate 20 --max-calls 100 --hold 2s
  amictl bench --workers 4 --rate 50000    from four processes
  amictl bench --workers 2 --listen :4222 --secret-file T --cert C --key K
  amictl bench worker --connect HOST:4222 --secret-file T --ca C
  amictl bench report new.json --markdown  a result again, as Markdown
  amictl bench report a.json b.json --merge --html all.html
  amictl bench compare base.json new.json --fail-if 'p99>+10%'

Without --node or -l it drives simulated servers in a process of its own; only these two flags on its own command line
choose real ones. Servers that are not on this host need --confirm-target COUNT and a --rate, and calls --max-calls too.

With --listen or --nats the workers are other hosts', and --secret-file is a token that all of them share; the servers'
secrets come from a context then. C and K are the coordinator's certificate and key; docs/bench.md shows how to make them.

Workloads: actions (the --mix), calls (Originate to Hangup), events (UserEvent to its delivery), biglist, login-storm.
Profiles: even, one-slow, one-flooding, one-stalled, flapping, storm, mixed.
Response time counts from when an action was meant to start, service time from the write. Thresholds are METRIC OP
VALUE; the error for an unknown metric lists them all. Exits 0, 99 when a threshold failed, 98 when the result is
invalid: the generator could not keep up, the ledgers differ, a session was not ready at the start, nothing succeeded
(no call answered, no event back), or a threshold's figure was not measured. Actions that were due but dropped count as errors.`

// options are those of `bench`, `bench report` and `bench compare`.
type options struct {
	workload, profile, mix, channel string
	sim, sessions, concurrency      flags.Count
	window, backlog, actions        flags.Count
	repeat, confirm, maxCalls, list flags.Count
	rate, eventRate                 positive
	seed                            flags.Count
	duration, warmUp, grace, every  flags.Duration
	maxLag, hold, watch             flags.Duration
	stages, weights                 flags.List
	failIf, abortIf                 flags.List
	abortOnFail, yes                bool
	maxMemory                       size
	out, html                       string
	here                            bool

	workers                                flags.Count
	nats, listen, connect, name, cert, key string
	once                                   bool
	allow                                  flags.List

	markdown, merge, force bool

	transport fleet.Transport // nil: amictld has one

	form  string   // "" for a run
	files []string // of the other forms
	given []string // the names of the flags that are given
}

// The forms of bench: the flags that each has a use for. The rest of the flags are for a run.
var forms = map[string]string{
	"report":    " html markdown merge ",
	"compare":   " fail-if force ",
	"simulator": " ",
	formWorker:  " nats connect name once allow in-process ",
}

// Flags that only one form has a use for.
var ofForm = map[string]string{
	"markdown": "`bench report` or `bench compare`", "merge": "`bench report` or `bench compare`", "force": "`bench report` or `bench compare`",
	"connect": "`bench worker`", "name": "`bench worker`", "once": "`bench worker`", "allow": "`bench worker`",
}

// Command makes the subcommand as amictl has it: it runs amictld where the run needs a bus.
func Command(r *run.Run) *cli.Command { return command(r, nil) }

// With makes the subcommand with what carries the words of workers and their coordinator.
func With(t fleet.Transport) func(r *run.Run) *cli.Command {
	return func(r *run.Run) *cli.Command { return command(r, t) }
}

func command(r *run.Run, t fleet.Transport) *cli.Command {
	o := &options{transport: t}
	return r.Tell(&cli.Command{
		Name:        "bench",
		Usage:       "load servers, simulated or real, and judge latency, fairness and memory",
		ArgsUsage:   "[report FILE... | compare BASE NEW | worker]",
		Description: help,
		Flags:       o.flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.form, o.files = c.Args().First(), c.Args().Tail()
			for _, flag := range c.Flags {
				if name := flag.Names()[0]; c.IsSet(name) {
					o.given = append(o.given, name)
				}
			}
			return dispatch(ctx, r, o)
		},
	}, run.About{
		Args:    run.Words{Kind: run.FormAndFiles, Choices: func() []string { return []string{"report", "compare", formWorker} }},
		Figures: map[string]func() []string{"fail-if": bench.MetricNames},
	})
}

// dispatch does what the form says.
func dispatch(ctx context.Context, r *run.Run, o *options) error {
	if err := checkForm(o); err != nil {
		return err
	}
	if o.needsBus() && o.transport == nil {
		return r.RunDaemon("amictl bench with workers")
	}
	if err := checkOutput(r, o); err != nil {
		return err
	}
	switch o.form {
	case "report":
		return reportFiles(r, o)
	case "compare":
		return compare(r, o)
	case "simulator": // the child process of a run
		return bench.ServeSimulator(context.WithoutCancel(ctx), r.Stdin, r.Stdout)
	}
	if o.form == formWorker {
		return worker(ctx, r, o, o.transport)
	}
	return load(ctx, r, o)
}

// checkForm refuses flags and words that the form has no use for.
func checkForm(o *options) error {
	use, ok := forms[o.form]
	if !ok && o.form != "" {
		return fail.Usage("`bench report FILE...`, `bench compare BASE NEW`, or flags alone for a run", "bench takes no argument %q", o.form)
	}
	for _, name := range o.given {
		switch {
		case ok && !strings.Contains(use, " "+name+" "):
			return fail.Usage("see `amictl bench --help`", "--%s does not apply to bench %s", name, o.form)
		case !ok && ofForm[name] != "":
			return fail.Usage("it is for "+ofForm[name], "--%s does not apply to a run", name)
		}
	}
	return nil
}

// checkOutput refuses formats that bench has no use for, and files that cannot be written.
func checkOutput(r *run.Run, o *options) error {
	switch form := r.Settings.Output; {
	case form == run.OutputCSV || form == run.OutputRaw || form == run.OutputNagios || form == run.OutputPrometheus:
		return fail.Usage("table, json, jsonl or none", "output format %q does not fit bench", form)
	case r.Flags.Query != "" || r.Flags.Fields != "":
		return fail.Usage("pipe -o json into jq", "bench does not take --query or --fields")
	}
	for flag, path := range map[string]string{"--out": o.out, "--html": o.html} {
		if path == "" || flag == "--html" && path == "-" { // the page of `bench report` may go to standard output
			continue
		}
		if err := run.CheckOutput(flag, path); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) flags() []cli.Flag {
	g := func(name, usage string, v cli.Value) cli.Flag {
		return &cli.GenericFlag{Name: name, Usage: usage, Value: v}
	}
	on := func(name, usage string, to *bool) cli.Flag {
		return &cli.BoolFlag{Name: name, Usage: usage, Destination: to}
	}
	return []cli.Flag{
		flags.Choice("workload", "", "`NAME`: actions, calls, events, biglist or login-storm", &o.workload,
			"actions", "calls", "events", "biglist", "login-storm"),
		g("sim", "simulate `N` nodes (8)", &o.sim),
		flags.Choice("profile", "", "what goes wrong on simulated nodes: `NAME`", &o.profile,
			"even", "one-slow", "one-flooding", "one-stalled", "flapping", "storm", "mixed"),
		g("sessions", "`N` sessions to each node (1)", &o.sessions),
		flags.Text("mix", "", "actions by weight, as `ping=8,command=1`, or @FILE with JSON", &o.mix),
		g("concurrency", "closed loop: `N` callers per node (64 over all nodes, at least 1 each)", &o.concurrency),
		g("rate", "open loop: `N` actions a second over all nodes", &o.rate),
		g("stage", "open loop: `TIME:RATE`, a ramp to a rate, TIME:=RATE a step; may repeat", &o.stages),
		g("window", "at most `N` actions in flight on a session (256, or as many as --concurrency needs)", &o.window),
		g("backlog", "open loop: drop due actions beyond `N` per node (10000)", &o.backlog),
		g("weight", "`NODE=N`: N times the share of the others; may repeat", &o.weights),
		g("actions", "end after `N` actions", &o.actions),
		g("duration", "end after `TIME` (5s, if nothing else ends it)", &o.duration),
		g("warm-up", "do not measure the first `TIME`", &o.warmUp),
		g("grace", "open loop: at the end, spend up to `TIME` on actions that are due but not sent (10s)", &o.grace),
		g("seed", "seed `N` for the choice of actions (1)", &o.seed),
		g("repeat", "run `N` times; the median run is the result, with the figures of all runs", &o.repeat),
		g("fail-if", "a `CONDITION` that means failure, such as p99>50ms; may repeat", &o.failIf),
		on("abort-on-fail", "end the run as soon as it has failed", &o.abortOnFail),
		g("abort-if", "end the run on this `CONDITION`; may repeat", &o.abortIf),
		g("max-memory", "fail above this `SIZE` of resident memory; refuse a run that would not fit", &o.maxMemory),
		g("max-lag", "call the result invalid when the generator is late by more than `TIME` (20ms, p99)", &o.maxLag),
		g("every", "report every `TIME` (1s)", &o.every),
		flags.Text("out", "", "write the result to `FILE`, JSON", &o.out),
		flags.Text("html", "", "write a page with plots to `FILE`", &o.html),
		g("event-rate", "`N` numbered events a second from each simulated node (50, fewer for many nodes)", &o.eventRate),
		g("watch", "watch events for `TIME` at least", &o.watch),
		g("list", "biglist: `N` items (1000)", &o.list),
		g("max-calls", "calls: at most `N` at one time (100)", &o.maxCalls),
		g("hold", "calls: each lasts `TIME` (2s)", &o.hold),
		flags.Text("channel", "", "calls: what to dial (`Local/s@default`)", &o.channel),
		g("confirm-target", "confirm that `COUNT` servers that are not on this host may be loaded", &o.confirm),
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before loading servers of a protected context", Destination: &o.yes},
		on("in-process", "simulate in this process, whose figures then include the servers", &o.here),
		g("workers", "share the load out to `N` workers", &o.workers),
		flags.Text("nats", "", "meet the workers, or the coordinator, on the NATS servers at `URL`", &o.nats),
		flags.Text("listen", "", "wait for workers from other hosts at `ADDR`, such as :4222", &o.listen),
		flags.Text("cert", "", "with --listen: TLS certificate chain, a PEM `FILE`", &o.cert),
		flags.Text("key", "", "with --listen: its private key, a PEM `FILE`", &o.key),
		flags.Text("connect", "", "worker: the coordinator's `HOST:PORT`", &o.connect),
		flags.Text("name", "", "worker: its `NAME` in results (the host's)", &o.name),
		on("once", "worker: leave after one run", &o.once),
		g("allow", "worker: load only servers in the network `CIDR`; may repeat", &o.allow),
		on("markdown", "report: as Markdown", &o.markdown),
		on("merge", "report: merge the files of several machines into one", &o.merge),
		on("force", "compare: even if the configurations differ", &o.force),
	}
}

// config makes the run's configuration from the flags.
func config(r *run.Run, o *options) (bench.Config, *bench.Mix, error) {
	c := bench.Config{
		Workload: o.workload, Profile: o.profile, Nodes: o.sim.Value, Sessions: o.sessions.Value, Concurrency: o.concurrency.Value,
		Window: o.window.Value, Backlog: o.backlog.Value, Rate: o.rate.v, EventRate: o.eventRate.v, List: o.list.Value, Actions: uint64(o.actions.Value),
		Duration: bench.Duration(o.duration.Value), WarmUp: bench.Duration(o.warmUp.Value), Grace: bench.Duration(o.grace.Value),
		Every: bench.Duration(o.every.Value), MaxLag: bench.Duration(o.maxLag.Value), Hold: bench.Duration(o.hold.Value), Watch: bench.Duration(o.watch.Value),
		MaxCalls: o.maxCalls.Value, Channel: o.channel, Timeout: bench.Duration(r.Flags.Timeout.Value), MaxMemory: o.maxMemory.v,
		FailIf: o.failIf, AbortIf: o.abortIf, AbortOnFail: o.abortOnFail,
	}
	for _, s := range o.stages {
		st, err := bench.ParseStage(s)
		if err != nil {
			return c, nil, err
		}
		c.Stages = append(c.Stages, st)
	}
	for _, s := range o.weights {
		node, weight, ok := strings.Cut(s, "=")
		w, err := strconv.ParseFloat(weight, 64)
		if !ok || err != nil || !(w > 0) || math.IsInf(w, 0) {
			return c, nil, fail.Usage("such as --weight pbx1=2", "--weight %q is not NODE=N", s)
		}
		if c.Weights == nil {
			c.Weights = bench.Weights{}
		}
		c.Weights[node] = w
	}
	mix, err := mix(r, o, &c)
	return c, mix, err
}

func mix(r *run.Run, o *options, c *bench.Config) (*bench.Mix, error) {
	if o.mix != "" && (o.workload == bench.WorkloadCalls || o.workload == bench.WorkloadLoginStorm) {
		return nil, fail.Usage("leave --mix out", "--mix does not apply to --workload %s", o.workload)
	}
	c.Mix = o.mix
	name, isFile := strings.CutPrefix(o.mix, "@")
	if !isFile {
		return nil, nil
	}
	in, err := r.Open(name, "--mix "+o.mix)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	mix, err := bench.ReadMix(in)
	if err == nil {
		c.Mix = mix.String()
	}
	return mix, err
}

// load runs the load, writes what came of it, and judges.
func load(ctx context.Context, r *run.Run, o *options) error {
	r.Patience.Store(run.WhileRead) // it hangs up the calls that it made
	cfg, mix, err := config(r, o)
	if err != nil {
		return usage(err)
	}
	if o.needsBus() {
		if err := checkFleet(r, o); err != nil {
			return err
		}
	}
	token := ""
	if o.away() { // before the servers' secrets are looked for
		if token, err = busToken(ctx, r); err != nil {
			return err
		}
	}
	targets, err := targets(ctx, r, o, &cfg)
	if err != nil {
		return err
	}
	var bus *fleetBus
	if o.needsBus() {
		if err := checkSecrecy(o, targets); err != nil {
			return err
		}
		if bus, err = openBus(ctx, r, o, token); err != nil {
			return err
		}
		defer bus.Close()
	}
	v := run.ThisBuild().Version
	seed := uint64(max(1, o.seed.Value))
	var runs []*bench.Result
	for i := range max(1, o.repeat.Value) {
		live := newLive(r, &cfg, i, o.repeat.Value)
		l := bench.Launch{
			Config: cfg, Seed: seed, ID: newID(), Version: v, Mix: mix, Targets: targets,
			Simulator: simulator(o.here), Live: live.interval,
		}
		res, err := do(ctx, r, o, bus, &l, live)
		live.end()
		if err != nil {
			return runFailed(usage(fleetError(err, false)), len(runs))
		}
		r.NoteSent(1)
		runs = append(runs, res)
		if ctx.Err() != nil {
			break
		}
		debug.FreeOSMemory() // the next run starts from as little
	}
	res := runs[0]
	if o.repeat.Value > 1 {
		if res, err = report.Repeats(runs); err != nil {
			return err
		}
	}
	return printResult(r, o, res)
}

// do does one run of the load, here or with workers.
func do(ctx context.Context, r *run.Run, o *options, bus *fleetBus, l *bench.Launch, live *live) (*bench.Result, error) {
	if bus == nil {
		return l.Run(ctx)
	}
	return together(ctx, r, o, bus, l, live)
}

// runFailed is why a run came to nothing. When others have loaded the servers before it, nobody may take that for a load that
// never began.
func runFailed(err error, before int) error {
	if before == 0 {
		return err
	}
	f := fail.Classify(err)
	return &fail.Error{Code: fail.CodeLost, Message: fmt.Sprintf("run %d failed: %s", before+1, f.Message), Hint: "the runs before it loaded the servers: " + f.Hint}
}

// printResult writes the result everywhere it is to go, files first, and returns its verdict as an error.
func printResult(r *run.Run, o *options, res *bench.Result) error {
	var err error
	if o.out != "" {
		err = res.WriteFile(o.out)
	}
	if o.html != "" {
		err = errors.Join(err, atomicfile.Write(o.html, atomicfile.Public, func(w io.Writer) error { return report.HTML(w, res) }))
	}
	switch r.Settings.Output {
	case run.OutputNone:
	case run.OutputJSON:
		err = errors.Join(err, res.Write(r.Stdout))
	case run.OutputJSONLines:
		err = errors.Join(err, writeLine(r.Stdout, "result", res))
	default:
		err = errors.Join(err, report.Table(r.Stdout, res, r.Columns(), r.Colors()))
	}
	if err != nil {
		return err
	}
	if form := r.Settings.Output; verdictError(res.Verdict) != nil && (form == run.OutputNone || form == run.OutputJSON || form == run.OutputJSONLines) {
		for _, reason := range res.Reasons { // only the table says it to people
			r.Complain(fail.Failure{Message: fmt.Sprintf("bench: %s: %s", res.Verdict, reason)})
		}
	}
	return verdictError(res.Verdict)
}

// verdictError is nil unless the verdict has an exit status of its own; the table has said why.
func verdictError(v bench.Verdict) error {
	if status := v.ExitStatus(); status != 0 {
		return fail.Silent(status)
	}
	return nil
}

// usage makes the run's refusals errors of the command line, and leaves others as they are.
func usage(err error) error {
	var (
		config    *bench.ConfigError
		mix       *bench.MixError
		stage     *bench.StageError
		threshold *bench.ThresholdError
		memory    *bench.MemoryError
		files     *bench.DescriptorError
		different *report.DifferentConfigsError
	)
	msg := strings.TrimPrefix(err.Error(), "bench: ")
	switch {
	case errors.As(err, &threshold):
		return fail.Usage(threshold.Hint, "threshold %q: %s", threshold.Text, threshold.Why)
	case errors.As(err, &memory):
		return fail.Usage("fewer nodes, fewer sessions, a smaller --window, or more --max-memory", "%s", msg)
	case errors.As(err, &files):
		return fail.Usage("raise it with `ulimit -n`, or use fewer nodes", "%s", msg)
	case errors.As(err, &different):
		return fail.Usage("--force compares them anyway", "%s", msg)
	case errors.As(err, &config), errors.As(err, &mix), errors.As(err, &stage):
		return fail.Usage("see `amictl bench --help`", "%s", msg)
	case errors.Is(err, bench.ErrNotReady):
		return &fail.Error{Code: fail.CodeConnect, Message: msg, Hint: "`amictl health` shows why"}
	}
	return err
}

// newID returns a new run's id, which is part of the channel ids that it leaves in servers' logs.
func newID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
