package check

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl check                      reached, Asterisk, logged in, booted
  amictl check smoke.toml --junit report.xml
  amictl check smoke.toml --node 'pbx*' -o jsonl

A smoke test of every node. Without a file it looks at connection, banner, certificate, login, boot and Ping;
a file asks for more:

  banner = "^Asterisk Call Manager/"    # a regular expression
  tls_days = 14                         # days the certificate must last
  classes = ["call", "originate"]       # in write= of the user
  actions = ["QueueStatus"]             # that the user may send
  modules = ["chan_pjsip", "app_queue"] # loaded
  endpoints = ["100", "trunk"]          # reachable PJSIP endpoints
  queues = ["support"]                  # with at least one member
  [[command]]
  run = "core show uptime"
  expect = "System uptime"              # and reject = …
  [call]                                # a test call that must be answered
  channel = "Local/100@default"
  application = "Wait"                  # or exten = … and context = …
  data = "1"
  ring = "10s"

Checks that the user has no rights for are skipped. Exits 0 when nothing failed, 1 when a check failed, 3 or 4 when a
node cannot be reached or logged in to, 6 when nodes ended differently.`

// options are those of check.
type options struct {
	args  []string
	junit string
	yes   bool
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name: "check", Usage: "smoke-test every node by a profile", ArgsUsage: "[FILE]", Description: help,
		Flags: []cli.Flag{
			flags.Text("junit", "", "also write the results to `FILE` as JUnit XML", &o.junit),
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before a profile's call or command may change what a protected context holds", Destination: &o.yes},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			o.args = c.Args().Slice()
			return check(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.Files}, Outputs: []run.Output{run.OutputJUnit}})
}

// A result is how one check of one node ended.
type result struct {
	node, check string
	at          time.Time
	took        time.Duration
	skipped     bool
	detail      string // what was found, or why it failed or was skipped
	err         error
	inSession   bool // behind the login, when there may have been others before it
}

// exit is the status that the check asks for. One that failed on a session does not say that nothing was executed: a call
// or a command of the profile may have been, before it.
func (r *result) exit() int {
	f := fail.Classify(r.err)
	switch {
	case !r.inSession:
	case f.Exit == fail.ExitConnect:
		return fail.ExitLost
	case f.Exit == fail.ExitLogin, f.Exit == fail.ExitUsage:
		return fail.ExitFailed
	}
	return f.Exit
}

func (r *result) status() string {
	switch {
	case r.err != nil:
		return "fail"
	case r.skipped:
		return "skip"
	}
	return "pass"
}

func (r *result) record() output.Record {
	took := cmp.Or(run.Span(r.took), "-")
	return output.Record{
		{Key: "type", Value: "check"},
		{Key: "node", Value: r.node},
		{Key: "time", Value: r.at, Text: r.at.Local().Format(time.TimeOnly), Look: output.Minor},
		{Key: "check", Value: r.check},
		{Key: "status", Value: r.status(), Tone: map[string]output.Tone{"pass": output.Good, "skip": output.Doubtful, "fail": output.Bad}[r.status()]},
		{Key: "took_us", Value: r.took.Microseconds(), Text: took},
		{Key: "code", Value: run.OrAbsent(string(fail.Classify(r.err).Code))},
		{Key: "detail", Value: run.OrAbsent(r.detail), Look: output.Prose},
	}
}

func check(ctx context.Context, r *run.Run, o *options) error {
	if len(o.args) > 1 {
		return fail.Usage("nodes are chosen with --node", "check takes one file, but got %q too", o.args[1])
	}
	profile := defaultProfile()
	if len(o.args) == 1 {
		var err error
		if profile, err = readProfile(r, o.args[0]); err != nil {
			return err
		}
	}
	if o.junit != "" {
		if err := run.CheckOutput("--junit", o.junit); err != nil {
			return err
		}
	}
	nodes, err := target.Nodes(r)
	if err != nil {
		return err
	}
	actions, err := profile.sends(r)
	if err != nil {
		return err
	}
	for _, action := range actions {
		if err := act.Permit(r, &target.Fanout{Yes: o.yes}, nodes, &action); err != nil {
			return err
		}
	}
	form := r.Settings.Output
	var p *output.Printer
	if form != run.OutputJUnit {
		if p, err = r.Printer(run.Records, true, true); err != nil {
			return err
		}
	}
	results := examineAll(ctx, r, profile, nodes)
	if run.BySignal(ctx) { // what --deadline cut short is told, as far as it went
		return ctx.Err()
	}
	if o.junit != "" || form == run.OutputJUnit {
		var b bytes.Buffer
		if err := writeJUnit(&b, results); err != nil {
			return err
		}
		if o.junit != "" {
			if err := run.ReplaceOutput(o.junit, b.Bytes()); err != nil {
				return err
			}
		}
		if form == run.OutputJUnit {
			if _, err := r.Stdout.Write(b.Bytes()); err != nil {
				return err
			}
		}
	}
	if err := report(r, p, results); err != nil && ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}

// examineAll runs the profile on all nodes at once; the results are in the order of the nodes.
func examineAll(ctx context.Context, r *run.Run, profile *profile, nodes []ami.Config) [][]result {
	results := make([][]result, len(nodes))
	var ended atomic.Int64
	defer r.Progress(func() string { return fmt.Sprintf("%d of %s checked", ended.Load(), fail.Count(len(nodes), "node")) })()
	slots := make(chan struct{}, target.MostDials)
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c := &checker{run: r, profile: profile, node: n}
			c.all(ctx)
			results[i] = c.results
			ended.Add(1)
		})
	}
	all.Wait()
	return results
}

// report prints the results, if p is not nil, and returns the error of the run: a node's is that of the first
// check that failed.
func report(r *run.Run, p *output.Printer, results [][]result) error {
	var t target.Tally
	var failures []fail.Failure
	for _, node := range results {
		status := fail.ExitOK
		for i := range node {
			res := &node[i]
			if p != nil {
				if err := p.Record(res.record()); err != nil {
					return err
				}
			}
			if res.err == nil {
				continue
			}
			f := fail.Classify(res.err)
			failures = append(failures, fail.Failure{Message: res.node + ": " + res.check + ": " + res.detail, Hint: f.Hint})
			if status == fail.ExitOK {
				status = res.exit()
			}
		}
		t.Add(status)
	}
	if p != nil {
		if err := p.Close(); err != nil {
			return err
		}
	}
	r.ComplainAll(failures)
	return t.Err()
}
