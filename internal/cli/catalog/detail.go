package catalog

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
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
	legacy := ""
	if action.Legacy {
		legacy = "gone from current releases"
	}
	return detail(p, [][2]string{
		{"action", action.Name},
		{"required", cmp.Or(strings.Join(required, " "), "-")},
		{"optional", cmp.Or(strings.Join(optional, " "), "-")},
		{"classes", cmp.Or(strings.Join(action.Classes, " or "), "none") + " (in write= of the user in manager.conf)"},
		{"answer", answer(action)},
		{"odd", oddAnswers[action.Odd]},
		{"only reads", run.Yes(action.ReadOnly)},
		{"example", sendExample(action)},
		{"legacy", legacy},
	})
}

// sendExample is a command that sends an action, with what it requires.
func sendExample(action *catalog.Action) string {
	line := "amictl send " + action.Name
	for _, param := range action.Params {
		if param.Required {
			line += " " + param.Name + "=…"
		}
	}
	return line
}

// answer says what an action is answered with.
func answer(action *catalog.Action) string {
	if action.EndEvent == "" {
		return "the response"
	}
	var items []string
	for _, e := range catalog.Events() {
		if slices.Contains(e.Answers, action.Name) {
			items = append(items, e.Name)
		}
	}
	if len(items) == 0 {
		return "a list; ends with " + action.EndEvent
	}
	return "a list of " + strings.Join(items, ", ") + "; ends with " + action.EndEvent
}

// oddAnswers say how an answer is unlike others.
var oddAnswers = map[catalog.Oddity]string{
	catalog.Unnamed:      "without an ActionID: it is what comes before the answer to the next action",
	catalog.UnnamedEnd:   "without an ActionID in the event that ends the list",
	catalog.UnnamedItems: "without an ActionID in the items",
	catalog.Glued:        "without a blank line between the items",
}

// detail shows one thing to people, a line for each thing that is known of it; what is empty is left out.
func detail(p *output.Printer, rows [][2]string) error {
	for _, row := range rows {
		head := row[0]
		if row[1] == "" {
			continue
		}
		for _, line := range output.Wrap(row[1], p.Options().Width-detailIndent) {
			if err := p.Text("", head+strings.Repeat(" ", detailIndent-len(head))+line); err != nil {
				return err
			}
			head = ""
		}
	}
	return p.Close()
}

// detailIndent is the width of the first column of a detail.
const detailIndent = 12

// liveActions lists what one server lets this user do, as its ListCommands says.
func liveActions(ctx context.Context, r *run.Run, o *options) error {
	nodes, err := target.Nodes(r)
	if err != nil {
		return err
	}
	if len(nodes) > 1 {
		return fail.Usage("choose one with --node", "--live asks one server, and %d are selected", len(nodes))
	}
	p, err := r.Printer(run.Records, false, true)
	if err != nil {
		return err
	}
	e := target.Once(ctx, r, nodes[0], func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
		return c.Do(ctx, ami.NewAction("ListCommands"))
	})
	if e.Err != nil {
		return e.Err
	}
	found := false
	for name, text := range e.Reply.All() {
		if name == "" || wire.EqualFold(name, "Response") || wire.EqualFold(name, "ActionID") || !ami.MatchGlob(o.pattern(), name) {
			continue
		}
		found = true
		if err := p.Record(liveRecord(e.Node, name, text)); err != nil {
			return err
		}
	}
	if !found {
		return &fail.Error{Code: fail.CodeCondition, Message: e.Node + ": no action " + o.pattern() + " for this user", Hint: "its write= may lack a class, or the module is not loaded"}
	}
	return p.Close()
}

// liveRecord reads a line of ListCommands: "Originate: Originate a call.  (Priv: originate,all)".
func liveRecord(node, name, text string) output.Record {
	summary, _, _ := strings.Cut(text, "(Priv: ")
	classes := act.LiveClasses(text)
	_, inCatalogue := catalog.Lookup(name)
	return output.Record{
		{Key: "type", Value: "live-action"},
		{Key: "node", Value: node},
		{Key: "action", Value: name},
		{Key: "classes", Value: classes, Text: cmp.Or(strings.Join(classes, ","), "-")},
		{Key: "in_catalogue", Value: inCatalogue, Text: run.Yes(inCatalogue)},
		{Key: "summary", Value: strings.TrimSpace(summary), Look: output.Prose},
	}
}
