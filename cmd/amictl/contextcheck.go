package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

func (a *app) contextCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "log in to every node of a context", ArgsUsage: "[CONTEXT]",
		Description: "Examples:\n  amictl context check\n  amictl context check lab\n\n" +
			"Tries address, TLS, user and secret of each node. Exits 0 when all are right, else as `amictl health` does.",
		Action: func(ctx context.Context, c *cli.Command) error { return a.contextCheck(ctx, c) },
	}
}

// contextCheck logs in to each node; a node whose settings are wrong is told of like one that is away.
func (a *app) contextCheck(ctx context.Context, c *cli.Command) error {
	name := cmp.Or(c.Args().First(), a.settings.context)
	chosen := a.settings.config.Contexts[name]
	switch {
	case c.Args().Len() > 1:
		return usageError("`amictl context list` shows all", "context check takes one name")
	case name == "":
		return usageError("`amictl context list` shows all", "no context is in force")
	case chosen == nil:
		return usageError(nearHint(name, a.settings.config.contextNames(), "`amictl context list` shows all"), "there is no context %q", name)
	}
	p, err := a.printer(records, true, true)
	if err != nil {
		return err
	}
	names := chosen.nodeNames()
	ends := make(map[string]error, len(names))
	var nodes []ami.Config
	for _, node := range names {
		cfg, err := a.node(node, chosen.Nodes[node], chosen)
		if err != nil {
			ends[node] = err
			continue
		}
		a.watched(&cfg)
		nodes = append(nodes, cfg)
	}
	loggedIn := func(context.Context, *ami.Conn) (*ami.Reply, error) { return nil, nil }
	a.together(ctx, nodes, loggedIn, func(e ending) { ends[e.node] = e.err })
	if bySignal(ctx) {
		return ctx.Err()
	}
	return a.reportNodes(p, name, chosen, ends)
}

// reportNodes prints how each node of a context ended, in the nodes' own order, and then why some failed.
func (a *app) reportNodes(p *output.Printer, name string, chosen *contextConfig, ends map[string]error) error {
	var t tally
	var failures []failure
	for _, node := range chosen.nodeNames() {
		f := classify(ends[node])
		t.add(f.Exit)
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
	a.complainAll(failures)
	return t.err()
}

func checkedNode(context, node string, c *contextConfig, f failure) output.Record {
	n := c.Nodes[node]
	return output.Record{
		{Key: "type", Value: "context-check"},
		{Key: "context", Value: context},
		{Key: "node", Value: node},
		{Key: "time", Value: time.Now(), Text: time.Now().Format(time.TimeOnly), Look: output.Minor},
		{Key: "ok", Value: f.Code == "", Text: yes(f.Code == ""), Tone: goodIf(f.Code == "")},
		{Key: "url", Value: hidePassword(n.URL)},
		{Key: "secret", Value: text0(cmp.Or(n.Secret, c.Secret)), Look: output.Minor},
		{Key: "code", Value: text0(string(f.Code))},
		{Key: "reason", Value: text0(f.Message), Text: strings.TrimPrefix(f.Message, node+": "), Look: output.Prose},
	}
}

func goodIf(ok bool) output.Tone {
	if ok {
		return output.Good
	}
	return output.Bad
}
