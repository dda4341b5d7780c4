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
  amictl bench report new.json --markdown  a result again, as Markdown
  amictl bench report a.json b.json --merge --html all.html
  amictl bench compare base.json new.json --fail-if 'p99>+10%'

Without --node or -l it drives simulated servers in a process of its own; only these two flags on its own command line
choose real ones. Servers that are not on this host need --confirm-target COUNT and a --rate, calls also --max-calls.

Workloads: actions (the --mix), calls (Originate to Hangup), events (UserEvent to its delivery), biglist, login-storm.
Profiles: even, one-slow, one-flooding, one-stalled, flapping, storm, mixed.
Response time counts from when an action was meant to start, service time from the write. Thresholds are METRIC OP VALUE;
a wrong metric's error lists them. Exits 0, 99 when a threshold failed, 98 when the result is invalid: the generator
could not keep up, the ledgers differ, a session was not ready at the start, nothing was answered, or a
threshold's figure was not measured. What was due and dropped counts among the errors.`

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

	markdown, merge, force bool
}

// The forms of bench: the flags that each has a use for. The rest of the flags are for a run.
var forms = map[string]string{
	"report":    " html markdown merge ",
	"compare":   " fail-if force ",
	"simulator": " ",
}

func Command(r *run.Run) *cli.Command {
	f := &options{}
	return r.Tell(&cli.Command{
		Name:        "bench",
		Usage:       "load servers, simulated or real, and judge latency, fairness and memory",
		ArgsUsage:   "[report FILE... | compare BASE NEW]",
		Description: help,
		Flags:       f.flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			form, files := c.Args().First(), c.Args().Tail()
			if err := checkForm(c, form); err != nil {
				return err
			}
			if err := checkOutput(r, f); err != nil {
				return err
			}
			switch form {
			case "report":
				return reportFiles(r, f, files)
			case "compare":
				return compare(r, f, files)
			case "simulator": // the child process of a run
				return bench.ServeSimulator(context.WithoutCancel(ctx), r.Stdin, r.Stdout)
			}
			return load(ctx, r, f)
		},
	}, run.About{Words: func() []string { return []string{"report", "compare"} }})
}

// checkForm refuses flags and words that the form has no use for.
func checkForm(c *cli.Command, form string) error {
	use, ok := forms[form]
	if !ok && form != "" {
		return fail.Usage("`bench report FILE...`, `bench compare BASE NEW`, or flags alone for a run", "bench takes no argument %q", form)
	}
	if !ok {
		for _, name := range []string{"markdown", "merge", "force"} {
			if c.IsSet(name) {
				return fail.Usage("it is for `bench report` or `bench compare`", "--%s has no use with a run", name)
			}
		}
		return nil
	}
	for _, flag := range c.Flags {
		if name := flag.Names()[0]; c.IsSet(name) && !strings.Contains(use, " "+name+" ") {
			return fail.Usage("see `amictl bench --help`", "--%s has no use with bench %s", name, form)
		}
	}
	return nil
}

// checkOutput refuses formats that bench has no use for, and files that cannot be written.
func checkOutput(r *run.Run, f *options) error {
	switch o := r.Settings.Output; {
	case o == run.OutputCSV || o == run.OutputRaw || o == run.OutputNagios || o == run.OutputPrometheus:
		return fail.Usage("table, json, jsonl or none", "output format %q does not fit bench", o)
	case r.Flags.Query != "" || r.Flags.Fields != "":
		return fail.Usage("pipe -o json into jq", "bench has no use for --query and --fields")
	}
	for flag, path := range map[string]string{"--out": f.out, "--html": f.html} {
		if path == "" || flag == "--html" && path == "-" { // the page of `bench report` may go to standard output
			continue
		}
		if err := run.CheckOutput(flag, path); err != nil {
			return err
		}
	}
	return nil
}

func (f *options) flags() []cli.Flag {
	g := func(name, usage string, v cli.Value) cli.Flag {
		return &cli.GenericFlag{Name: name, Usage: usage, Value: v}
	}
	on := func(name, usage string, to *bool) cli.Flag {
		return &cli.BoolFlag{Name: name, Usage: usage, Destination: to}
	}
	return []cli.Flag{
		flags.Text("workload", "", "`NAME`: actions, calls, events, biglist or login-storm", &f.workload),
		g("sim", "simulate `N` nodes (8)", &f.sim),
		flags.Text("profile", "", "what befalls simulated nodes: `NAME`", &f.profile),
		g("sessions", "`N` sessions to each node (1)", &f.sessions),
		flags.Text("mix", "", "actions by weight, as `ping=8,command=1`, or @FILE with JSON", &f.mix),
		g("concurrency", "closed loop: `N` callers a node (64 over all, at least 1)", &f.concurrency),
		g("rate", "open loop: `N` actions a second over all nodes", &f.rate),
		g("stage", "open loop: `TIME:RATE`, a ramp to a rate, TIME:=RATE a step; may repeat", &f.stages),
		g("window", "at most `N` actions in flight on a session (256, or as many as --concurrency needs)", &f.window),
		g("backlog", "open loop: drop what is due beyond `N` a node (10000)", &f.backlog),
		g("weight", "`NODE=N`: N times the share of the others; may repeat", &f.weights),
		g("actions", "end after `N` actions", &f.actions),
		g("duration", "end after `TIME` (5s, if nothing else ends it)", &f.duration),
		g("warm-up", "do not measure the first `TIME`", &f.warmUp),
		g("grace", "open loop: at the end go on for `TIME` with what is due and not sent (10s)", &f.grace),
		g("seed", "the `N` that chooses the actions (1)", &f.seed),
		g("repeat", "run `N` times; the median run is the result, with all their figures", &f.repeat),
		g("fail-if", "a `CONDITION` that means failure, such as p99>50ms; may repeat", &f.failIf),
		on("abort-on-fail", "end the run as soon as it has failed", &f.abortOnFail),
		g("abort-if", "end the run on this `CONDITION`; may repeat", &f.abortIf),
		g("max-memory", "fail above this `SIZE` of resident memory; refuse a run that would not fit", &f.maxMemory),
		g("max-lag", "call the result invalid when the generator is later than `TIME` (20ms, p99)", &f.maxLag),
		g("every", "report each `TIME` (1s)", &f.every),
		flags.Text("out", "", "write the result to `FILE`, JSON", &f.out),
		flags.Text("html", "", "write a page with plots to `FILE`", &f.html),
		g("event-rate", "`N` numbered events a second from each simulated node (50, fewer for many nodes)", &f.eventRate),
		g("watch", "watch events for `TIME` at least", &f.watch),
		g("list", "biglist: `N` items (1000)", &f.list),
		g("max-calls", "calls: at most `N` at one time (100)", &f.maxCalls),
		g("hold", "calls: each lasts `TIME` (2s)", &f.hold),
		flags.Text("channel", "", "calls: what to dial (`Local/s@default`)", &f.channel),
		g("confirm-target", "there are `COUNT` servers that are not on this host, and they may be loaded", &f.confirm),
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before loading servers of a protected context", Destination: &f.yes},
		on("in-process", "simulate in this process, whose figures then include the servers", &f.here),
		on("markdown", "report: as Markdown", &f.markdown),
		on("merge", "report: files of several machines as one", &f.merge),
		on("force", "compare: even if the configurations differ", &f.force),
	}
}

// config makes the run's configuration from the flags.
func config(r *run.Run, f *options) (bench.Config, *bench.Mix, error) {
	c := bench.Config{
		Workload: f.workload, Profile: f.profile, Nodes: f.sim.Value, Sessions: f.sessions.Value, Concurrency: f.concurrency.Value,
		Window: f.window.Value, Backlog: f.backlog.Value, Rate: f.rate.v, EventRate: f.eventRate.v, List: f.list.Value, Actions: uint64(f.actions.Value),
		Duration: bench.Duration(f.duration.Value), WarmUp: bench.Duration(f.warmUp.Value), Grace: bench.Duration(f.grace.Value),
		Every: bench.Duration(f.every.Value), MaxLag: bench.Duration(f.maxLag.Value), Hold: bench.Duration(f.hold.Value), Watch: bench.Duration(f.watch.Value),
		MaxCalls: f.maxCalls.Value, Channel: f.channel, Timeout: bench.Duration(r.Flags.Timeout.Value), MaxMemory: f.maxMemory.v,
		FailIf: f.failIf, AbortIf: f.abortIf, AbortOnFail: f.abortOnFail,
	}
	for _, s := range f.stages {
		st, err := bench.ParseStage(s)
		if err != nil {
			return c, nil, err
		}
		c.Stages = append(c.Stages, st)
	}
	for _, s := range f.weights {
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
	mix, err := mix(r, f, &c)
	return c, mix, err
}

func mix(r *run.Run, f *options, c *bench.Config) (*bench.Mix, error) {
	if f.mix != "" && (f.workload == bench.WorkloadCalls || f.workload == bench.WorkloadLoginStorm) {
		return nil, fail.Usage("leave --mix out", "--mix has no use with --workload %s", f.workload)
	}
	c.Mix = f.mix
	name, isFile := strings.CutPrefix(f.mix, "@")
	if !isFile {
		return nil, nil
	}
	in, err := r.Open(name, "--mix "+f.mix)
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
func load(ctx context.Context, r *run.Run, f *options) error {
	r.Patience.Store(run.WhileRead) // it hangs up the calls that it made
	cfg, mix, err := config(r, f)
	if err != nil {
		return usage(err)
	}
	targets, err := targets(ctx, r, f, &cfg)
	if err != nil {
		return err
	}
	v, _ := run.BuildVersion()
	seed := uint64(max(1, f.seed.Value))
	var runs []*bench.Result
	for i := range max(1, f.repeat.Value) {
		live := newLive(r, i, f.repeat.Value)
		l := bench.Launch{
			Config: cfg, Seed: seed, ID: newID(), Version: v, Mix: mix, Targets: targets,
			Simulator: simulator(f.here), Live: live.interval,
		}
		res, err := l.Run(ctx)
		live.end()
		if err != nil {
			return runFailed(usage(err), len(runs))
		}
		r.NoteSent(1)
		runs = append(runs, res)
		if ctx.Err() != nil {
			break
		}
		debug.FreeOSMemory() // the next run starts from as little
	}
	res := runs[0]
	if f.repeat.Value > 1 {
		if res, err = report.Repeats(runs); err != nil {
			return err
		}
	}
	return printResult(r, f, res)
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
func printResult(r *run.Run, f *options, res *bench.Result) error {
	var err error
	if f.out != "" {
		err = res.WriteFile(f.out)
	}
	if f.html != "" {
		err = errors.Join(err, atomicfile.Write(f.html, atomicfile.Public, func(w io.Writer) error { return report.HTML(w, res) }))
	}
	switch r.Settings.Output {
	case run.OutputNone:
	case run.OutputJSON:
		err = errors.Join(err, res.Write(r.Stdout))
	case run.OutputJSONLines:
		err = errors.Join(err, writeLine(r.Stdout, "result", res))
	default:
		err = errors.Join(err, report.Table(r.Stdout, res, r.Columns()))
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
		return fail.Usage("--force compares them all the same", "%s", msg)
	case errors.As(err, &config), errors.As(err, &mix), errors.As(err, &stage):
		return fail.Usage("see `amictl bench --help`", "%s", msg)
	case errors.Is(err, bench.ErrNotReady):
		return &fail.Error{Code: fail.CodeConnect, Message: msg, Hint: "`amictl health` says why"}
	}
	return err
}

// newID returns a new run's id, which is part of the channel ids that it leaves in servers' logs.
func newID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
