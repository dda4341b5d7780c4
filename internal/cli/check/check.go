package check

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/internal/testreport"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// options are those of check.
type options struct {
	args   []string
	rounds run.Rounds
	bus    target.Bus
	junit  string
	out    string
	yes    bool
	init   bool
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name: "check", Usage: "check every node against a profile: for monitors, smoke tests and CI", ArgsUsage: "[FILE]", Description: help,
		Flags: append(append(o.rounds.Flags(), o.bus.Flags()...),
			flags.Text("out", "", "write to `FILE` instead of standard output, whole or not at all", &o.out),
			&cli.BoolFlag{Name: "init", Usage: "write a commented profile from what the one server has now", Destination: &o.init},
			flags.Text("junit", "", "also write the results to `FILE` as JUnit XML", &o.junit),
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before a profile's call or command, which may change something in a protected context", Destination: &o.yes},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			o.args = c.Args().Slice()
			return check(ctx, r, o)
		},
	}, run.About{
		Args: run.Words{Kind: run.Files}, Failed: nagios.Report(service),
		Outputs: []run.Output{run.OutputNagios, run.OutputPrometheus, run.OutputJUnit, run.OutputTAP},
	})
}

// An inspection checks nodes by a profile, once or again and again.
type inspection struct {
	run     *run.Run
	options *options
	profile *profile
	nodes   []ami.Config
	form    run.Output // one of check's own, else ""
	sheet   run.Report
	said    map[string]string // with --watch: what was complained of, by the check
	acted   []bool            // nodes on which the profile's calls and commands may have been made
}

func check(ctx context.Context, r *run.Run, o *options) error {
	n := &inspection{run: r, options: o, sheet: run.Report{Run: r, Path: o.out, Again: o.rounds.Watch}, said: make(map[string]string)}
	switch form := r.Settings.Output; form {
	case run.OutputNagios, run.OutputPrometheus, run.OutputJUnit, run.OutputTAP:
		n.form = form
	}
	err := n.prepare(ctx)
	switch {
	case err != nil:
	case o.init:
		err = n.draft(ctx)
	default:
		err = n.watch(ctx)
	}
	if f := fail.Classify(err); n.form == run.OutputNagios && err != nil && !f.Silent {
		_ = n.sheet.Write(nagios.Failure(service, f))
		r.Complain(f)
		return fail.Foreign(nagios.Unknown)
	}
	return err
}

// prepare refuses what can be refused before a server is asked.
func (n *inspection) prepare(ctx context.Context) (err error) {
	r, o := n.run, n.options
	if len(o.args) > 1 {
		return fail.Usage("nodes are chosen with --node", "check takes one file, but got %q too", o.args[1])
	}
	if err := o.rounds.Check(); err != nil {
		return err
	}
	if n.form != "" && (r.Flags.Query != "" || r.Flags.Fields != "") {
		return fail.Usage("-o jsonl is for programs", "-o %s goes with neither --query nor --fields", n.form)
	}
	if o.init && (len(o.args) > 0 || o.rounds.Watch || o.junit != "" || r.Flags.Output != "") {
		return fail.Usage("such as amictl check --init -n pbx1 --out pbx1.toml", "--init writes a profile, and goes with --out alone")
	}
	n.profile = defaultProfile()
	if len(o.args) == 1 {
		if n.profile, err = readProfile(r, o.args[0]); err != nil {
			return err
		}
	}
	if err := n.sheet.Check(n.form); err != nil {
		return err
	}
	if o.junit != "" {
		if err := run.CheckOutput("--junit", o.junit); err != nil {
			return err
		}
	}
	if n.nodes, err = o.bus.Servers(ctx, r); err != nil {
		return err
	}
	if o.init && len(n.nodes) != 1 {
		return fail.Usage("a profile each: `amictl check --init --node NAME --out NAME.toml`, once for each of them", "--init looks at one server, and %s selected", fail.Are(len(n.nodes), "node"))
	}
	actions, err := n.profile.sends(r)
	if err != nil {
		return err
	}
	for _, action := range actions {
		if err := act.Permit(r, &target.Fanout{Yes: o.yes}, n.nodes, &action); err != nil {
			return err
		}
	}
	if n.form == "" {
		_, err = r.OutputOptions(run.Records)
	}
	return err
}

// watch checks once, or with --watch until it is stopped; the last round decides the status.
func (n *inspection) watch(ctx context.Context) error {
	for round := 1; ; round++ {
		results := n.examineAll(ctx)
		if run.BySignal(ctx) { // what --deadline cut short is told, as far as it went
			return ctx.Err()
		}
		if err := n.write(results); err != nil {
			return err
		}
		if n.form != run.OutputNagios {
			n.complain(results)
		}
		if ctx.Err() != nil && n.form != run.OutputNagios { // to Nagios that a server did not answer in time is what was found
			return ctx.Err()
		}
		if ctx.Err() != nil || n.options.rounds.Last(round) {
			return n.status(results)
		}
		if err := n.options.rounds.Wait(ctx); err != nil {
			return err
		}
	}
}

// examineAll runs the profile on all nodes at once, each on a session of its own; the results are in the order of the nodes.
func (n *inspection) examineAll(ctx context.Context) [][]result {
	results := make([][]result, len(n.nodes))
	if n.acted == nil {
		n.acted = make([]bool, len(n.nodes))
	}
	var ended atomic.Int64
	defer n.run.Progress(func() string { return fmt.Sprintf("%d of %s checked", ended.Load(), fail.Count(len(n.nodes), "node")) })()
	slots := make(chan struct{}, target.MostDials)
	var all sync.WaitGroup
	for i, node := range n.nodes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c := &checker{run: n.run, profile: n.profile, node: node, acted: n.acted[i]}
			c.all(ctx)
			results[i] = c.results
			n.acted[i] = c.acted || c.conn != nil && n.profile.acts()
			ended.Add(1)
		})
	}
	all.Wait()
	return results
}

// write writes what was found in the format that is asked for, and for --junit.
func (n *inspection) write(results [][]result) error {
	if n.options.junit != "" {
		var b bytes.Buffer
		if err := testreport.JUnit(&b, suites(results)); err != nil {
			return err
		}
		if err := run.ReplaceOutput(n.options.junit, b.Bytes()); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	var err error
	switch n.form {
	case run.OutputNagios:
		text.Write(nagiosText(results))
	case run.OutputPrometheus:
		err = metrics.Write(&text, families(results))
	case run.OutputJUnit:
		err = testreport.JUnit(&text, suites(results))
	case run.OutputTAP:
		err = testreport.TAP(&text, suites(results))
	default:
		return n.sheet.Records(true, func(yield func(output.Record) bool) {
			for _, node := range results {
				for i := range node {
					if !yield(node[i].record()) {
						return
					}
				}
			}
		})
	}
	if err != nil {
		return err
	}
	return n.sheet.Write(text.Bytes())
}

// complain tells on standard error what is not well; with --watch only when that changes.
func (n *inspection) complain(results [][]result) {
	var failures []fail.Failure
	for _, node := range results {
		for i := range node {
			r := &node[i]
			name := r.node + ": " + r.check
			if r.err == nil {
				delete(n.said, name)
				continue
			}
			if n.said[name] != r.detail {
				n.said[name] = r.detail
				failures = append(failures, fail.Failure{Message: name + ": " + r.detail, Hint: fail.Classify(r.err).Hint})
			}
		}
	}
	n.run.ComplainAll(failures)
}

// status is the error of the run: a node's is that of the first check that is not well.
func (n *inspection) status(results [][]result) error {
	switch n.form {
	case run.OutputPrometheus:
		return nil
	case run.OutputNagios:
		if l := level(results); l != nagios.OK {
			return fail.Foreign(l)
		}
		return nil
	}
	var t target.Tally
	for _, node := range results {
		status := fail.ExitOK
		for i := range node {
			if node[i].err != nil && status == fail.ExitOK {
				status = node[i].exit()
			}
		}
		t.Add(status)
	}
	return t.Err()
}
