package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const checkHelp = `Examples:
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

What the user may not ask is skipped. Exits 0 when nothing failed, 1 when a check failed, 3 or 4 when a node cannot
be reached or logged in to, 6 when nodes ended differently.`

// checkFlags are those of check.
type checkFlags struct {
	junit string
	yes   bool
}

func (a *app) checkCommand() *cli.Command {
	f := &checkFlags{}
	return &cli.Command{
		Name: "check", Usage: "smoke-test every node by a profile", ArgsUsage: "[FILE]", Description: checkHelp,
		Flags: []cli.Flag{
			text("junit", "", "also write the results to `FILE` as JUnit XML", &f.junit),
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before a profile's call or command may change what a protected context holds", Destination: &f.yes},
		},
		Action: func(ctx context.Context, c *cli.Command) error { return a.check(ctx, f, c.Args().Slice()) },
	}
}

// A checkResult is how one check of one node ended.
type checkResult struct {
	node, check string
	at          time.Time
	took        time.Duration
	skipped     bool
	detail      string // what was found, or why it failed or was skipped
	err         error
}

func (r *checkResult) status() string {
	switch {
	case r.err != nil:
		return "fail"
	case r.skipped:
		return "skip"
	}
	return "pass"
}

func (r *checkResult) record() output.Record {
	took := cmp.Or(span(r.took), "-")
	return output.Record{
		{Key: "type", Value: "check"},
		{Key: "node", Value: r.node},
		{Key: "time", Value: r.at, Text: r.at.Local().Format(time.TimeOnly), Look: output.Minor},
		{Key: "check", Value: r.check},
		{Key: "status", Value: r.status(), Tone: map[string]output.Tone{"pass": output.Good, "skip": output.Doubtful, "fail": output.Bad}[r.status()]},
		{Key: "took_us", Value: r.took.Microseconds(), Text: took},
		{Key: "code", Value: text0(string(classify(r.err).Code))},
		{Key: "detail", Value: text0(r.detail), Look: output.Prose},
	}
}

func (a *app) check(ctx context.Context, f *checkFlags, args []string) error {
	if len(args) > 1 {
		return usageError("nodes are chosen with --node", "check takes one file, and got %q too", args[1])
	}
	profile := defaultProfile()
	if len(args) == 1 {
		var err error
		if profile, err = a.readProfile(args[0]); err != nil {
			return err
		}
	}
	nodes, err := a.targets()
	if err != nil {
		return err
	}
	for _, action := range profile.sends() {
		if err := a.permit(&fanout{yes: f.yes}, nodes, &action); err != nil {
			return err
		}
	}
	form := a.settings.get("output")
	var p *output.Printer
	if form != "junit" {
		if p, err = a.printer(records, true, true); err != nil {
			return err
		}
	}
	results := a.checkAll(ctx, profile, nodes)
	if bySignal(ctx) { // what --deadline cut short is told, as far as it went
		return ctx.Err()
	}
	if f.junit != "" || form == "junit" {
		var b bytes.Buffer
		if err := writeJUnit(&b, results); err != nil {
			return err
		}
		if f.junit != "" {
			if err := replaceOutput("--junit", f.junit, b.Bytes()); err != nil {
				return err
			}
		}
		if form == "junit" {
			if _, err := a.stdout.Write(b.Bytes()); err != nil {
				return err
			}
		}
	}
	if err := a.reportChecks(p, results); err != nil && ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}

// checkAll runs the profile on all nodes at once; the results are in the order of the nodes.
func (a *app) checkAll(ctx context.Context, profile *checkProfile, nodes []ami.Config) [][]checkResult {
	results := make([][]checkResult, len(nodes))
	var ended atomic.Int64
	defer a.progress(func() string { return fmt.Sprintf("%d of %d nodes checked", ended.Load(), len(nodes)) })()
	slots := make(chan struct{}, mostDials)
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c := &checker{run: a, profile: profile, node: n}
			c.all(ctx)
			results[i] = c.results
			ended.Add(1)
		})
	}
	all.Wait()
	return results
}

// reportChecks prints the results, if p is not nil, and returns the error of the run: a node's is that of the first
// check that failed.
func (a *app) reportChecks(p *output.Printer, results [][]checkResult) error {
	var t tally
	var failures []failure
	for _, node := range results {
		status := exitOK
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
			f := classify(res.err)
			failures = append(failures, failure{Message: res.node + ": " + res.check + ": " + res.detail, Hint: f.Hint})
			if status == exitOK {
				status = f.Exit
			}
		}
		t.add(status)
	}
	if p != nil {
		if err := p.Close(); err != nil {
			return err
		}
	}
	a.complainAll(failures)
	return t.err()
}
