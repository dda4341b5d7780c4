package contexts

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

func checkCommand(r *run.Run) *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "log in to every node of a context", ArgsUsage: "[CONTEXT]",
		Description: "Examples:\n  amictl context check\n  amictl context check lab\n\n" +
			"Tries address, TLS, user and secret of each node. Exits 0 when all are right, else as `amictl health` does.",
		Action: func(ctx context.Context, c *cli.Command) error { return check(ctx, r, c) },
	}
}

// check logs in to each node; a node whose settings are wrong is told of like one that is away.
func check(ctx context.Context, r *run.Run, c *cli.Command) error {
	name := cmp.Or(c.Args().First(), r.Settings.Context)
	chosen := r.Settings.Config.Contexts[name]
	switch {
	case c.Args().Len() > 1:
		return fail.Usage("`amictl context list` shows all", "context check takes one name")
	case name == "":
		return fail.Usage("`amictl context list` shows all", "no context is in force")
	case chosen == nil:
		return fail.Usage(fail.NearHint(name, r.Settings.Config.ContextNames(), "`amictl context list` shows all"), "there is no context %q", name)
	}
	p, err := r.Printer(run.Records, true, true)
	if err != nil {
		return err
	}
	names := chosen.NodeNames()
	ends := make(map[string]error, len(names))
	var nodes []ami.Config
	for _, node := range names {
		cfg, err := target.Node(r, node, chosen.Nodes[node], chosen)
		if err != nil {
			ends[node] = err
			continue
		}
		target.Watched(r, &cfg)
		nodes = append(nodes, cfg)
	}
	loggedIn := func(context.Context, *ami.Conn) (*ami.Reply, error) { return nil, nil }
	target.Together(ctx, r, nodes, loggedIn, func(e target.Ending) { ends[e.Node] = e.Err })
	if run.BySignal(ctx) {
		return ctx.Err()
	}
	return reportNodes(r, p, name, chosen, ends)
}

// reportNodes prints how each node of a context ended, in the nodes' own order, and then why some failed.
func reportNodes(r *run.Run, p *output.Printer, name string, chosen *config.Context, ends map[string]error) error {
	var t target.Tally
	var failures []fail.Failure
	for _, node := range chosen.NodeNames() {
		f := fail.Classify(ends[node])
		t.Add(f.Exit)
		if ends[node] != nil {
			failures = append(failures, f)
		}
		if err := p.Record(checkedNode(name, node, chosen, f)); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	r.ComplainAll(failures)
	return t.Err()
}

func checkedNode(context, node string, c *config.Context, f fail.Failure) output.Record {
	n := c.Nodes[node]
	return output.Record{
		{Key: "type", Value: "context-check"},
		{Key: "context", Value: context},
		{Key: "node", Value: node},
		{Key: "time", Value: time.Now(), Text: time.Now().Format(time.TimeOnly), Look: output.Minor},
		{Key: "ok", Value: f.Code == "", Text: run.Yes(f.Code == ""), Tone: run.GoodIf(f.Code == "")},
		{Key: "url", Value: config.HidePassword(n.URL)},
		{Key: "secret", Value: run.OrNil(cmp.Or(n.Secret, c.Secret)), Look: output.Minor},
		{Key: "code", Value: run.OrNil(string(f.Code))},
		{Key: "reason", Value: run.OrNil(f.Message), Text: strings.TrimPrefix(f.Message, node+": "), Look: output.Prose},
	}
}
