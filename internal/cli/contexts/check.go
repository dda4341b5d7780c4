package contexts

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// check logs in to each node; a node whose settings are wrong is told of like one that is away.
func check(ctx context.Context, r *run.Run, o *options) error {
	if len(o.args) > 1 {
		return fail.Usage(listHint, "context check takes one name")
	}
	if err := r.RefuseTimeout("--connect-timeout"); err != nil {
		return err
	}
	name, chosen, err := chosen(r, o)
	if err != nil {
		return err
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
		{Key: "secret", Value: run.OrAbsent(cmp.Or(n.Secret, c.Secret)), Look: output.Minor},
		{Key: "code", Value: run.OrAbsent(string(f.Code))},
		{Key: "reason", Value: run.OrAbsent(f.Message), Text: strings.TrimPrefix(f.Message, node+": "), Look: output.Prose},
	}
}
