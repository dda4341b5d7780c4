package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// actionDetail shows one action to people, a line for each thing that is known.
func actionDetail(p *output.Printer, action *catalog.Action) error {
	required, optional := make([]string, 0, 4), make([]string, 0, len(action.Params))
	for _, param := range action.Params {
		switch {
		case param.Required:
			required = append(required, param.Name)
		case !wire.EqualFold(param.Name, "ActionID"):
			optional = append(optional, param.Name)
		}
	}
	example := "amictl send " + action.Name
	for _, name := range required {
		example += " " + name + "=…"
	}
	end := "the response"
	if action.EndEvent != "" {
		end = "a list; ends with " + action.EndEvent
	}
	for _, row := range [][2]string{
		{"action", action.Name},
		{"required", firstOf(strings.Join(required, " "), "-")},
		{"optional", firstOf(strings.Join(optional, " "), "-")},
		{"classes", firstOf(strings.Join(action.Classes, " or "), "none") + " (in write= of the user in manager.conf)"},
		{"answer", end},
		{"only reads", yes(action.ReadOnly)},
		{"example", example},
	} {
		head := row[0]
		for _, line := range output.Wrap(row[1], p.Options().Width-detailIndent) {
			if err := p.Text("", head+strings.Repeat(" ", detailIndent-len(head))+line); err != nil {
				return err
			}
			head = ""
		}
	}
	if action.Legacy {
		if err := p.Text("", "legacy      gone from current releases"); err != nil {
			return err
		}
	}
	return p.Close()
}

// detailIndent is the width of the first column of an action's detail.
const detailIndent = 12

// liveActions lists what one server lets this user do, as its ListCommands says.
func (a *app) liveActions(ctx context.Context, c *cli.Command) error {
	if c.Args().Len() > 1 {
		return usageError("quote a glob: the shell expands it", "%s takes one name", c.UsageText)
	}
	nodes, err := a.targets()
	if err != nil {
		return err
	}
	if len(nodes) > 1 {
		return usageError("choose one with --node", "--live asks one server, and %d are selected", len(nodes))
	}
	p, err := a.printer(records, false, true)
	if err != nil {
		return err
	}
	e := a.once(ctx, nodes[0], func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
		return c.Do(ctx, ami.NewAction("ListCommands"))
	})
	if e.err != nil {
		return e.err
	}
	found := 0
	for name, text := range e.reply.All() {
		if name == "" || wire.EqualFold(name, "Response") || wire.EqualFold(name, "ActionID") || c.Args().Present() && !ami.MatchGlob(c.Args().First(), name) {
			continue
		}
		found++
		if err := p.Record(liveRecord(e.node, name, text)); err != nil {
			return err
		}
	}
	if found == 0 {
		return &cliError{code: codeCondition, msg: e.node + ": no action " + c.Args().First() + " for this user", hint: "its write= may lack a class, or the module is not loaded"}
	}
	return p.Close()
}

// liveRecord reads a line of ListCommands: "Originate: Originate a call.  (Priv: originate,all)".
func liveRecord(node, name, text string) output.Record {
	summary, _, _ := strings.Cut(text, "(Priv: ")
	classes := liveClasses(text)
	_, inCatalogue := catalog.Lookup(name)
	return output.Record{
		{Key: "type", Value: "live-action"},
		{Key: "node", Value: node},
		{Key: "action", Value: name},
		{Key: "classes", Value: classes, Text: firstOf(strings.Join(classes, ","), "-")},
		{Key: "in_catalogue", Value: inCatalogue, Text: yes(inCatalogue)},
		{Key: "summary", Value: strings.TrimSpace(summary), Look: output.Prose},
	}
}

// liveClasses are the classes of an action in ListCommands, without "all", which stands behind every one.
func liveClasses(text string) []string {
	_, privilege, _ := strings.Cut(text, "(Priv: ")
	classes := []string{}
	for class := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(privilege), ")"), ",") {
		if class != "" && class != "all" && class != "<none>" {
			classes = append(classes, class)
		}
	}
	return classes
}
