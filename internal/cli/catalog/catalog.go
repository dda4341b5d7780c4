package catalog

import (
	"cmp"
	"context"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

const actionsHelp = `Examples:
  amictl actions
  amictl actions 'Queue*'
  amictl actions Originate                   parameters, rights, example
  amictl actions --live --node pbx1 'Queue*' what this user may do there

Shows what Asterisk's documentation says. Only --live asks a server. Needs: a class that the user must have in
write=. A * marks what is required.`

// options are those of actions; events has no flags.
type options struct {
	args []string // a name or a glob
	live bool
}

// pattern is the name or the glob, "*" if there is none.
func (o *options) pattern() string {
	if len(o.args) == 0 {
		return "*"
	}
	return o.args[0]
}

// check refuses more than one pattern.
func (o *options) check(what string) error {
	if len(o.args) > 1 {
		return fail.Usage("quote a glob: the shell expands it", "amictl %ss takes one name", what)
	}
	return nil
}

// ActionsCommand makes the subcommand actions.
func ActionsCommand(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "actions",
		Usage:       "what actions there are, and what they take",
		ArgsUsage:   "[NAME|GLOB]",
		Description: actionsHelp,
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "live", Usage: "ask the server instead of the catalogue", Destination: &o.live}},
		Action: func(ctx context.Context, c *cli.Command) error {
			o.args = c.Args().Slice()
			return actions(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.ActionName}})
}

// actions prints the actions that there are: in the catalogue, or on a server.
func actions(ctx context.Context, r *run.Run, o *options) error {
	if err := o.check("action"); err != nil {
		return err
	}
	if o.live {
		return liveActions(ctx, r, o)
	}
	row := actionRecord
	if p := peoplesPrinter(r); p != nil {
		if one, ok := catalog.Lookup(o.pattern()); ok {
			return actionDetail(p, &one)
		}
		row = actionRow
	}
	var rows []output.Record
	var names []string
	for _, action := range catalog.Actions() {
		names = append(names, action.Name)
		if ami.MatchGlob(o.pattern(), action.Name) {
			rows = append(rows, row(&action))
		}
	}
	return catalogue(r, o, rows, names, "action")
}

func actionRecord(action *catalog.Action) output.Record {
	params := make([]string, 0, len(action.Params))
	required := []string{}
	for _, p := range action.Params {
		if p.Required {
			required = append(required, p.Name)
			params = append(params, p.Name+"*")
		} else {
			params = append(params, p.Name)
		}
	}
	all := make([]string, len(params))
	for i, p := range params {
		all[i] = strings.TrimSuffix(p, "*")
	}
	classes := action.Classes
	if classes == nil {
		classes = []string{}
	}
	return output.Record{
		{Key: "action", Value: action.Name},
		{Key: "classes", Value: classes, Text: cmp.Or(strings.Join(action.Classes, ","), "-")},
		{Key: "read_only", Value: action.ReadOnly, Text: run.Yes(action.ReadOnly)},
		{Key: "legacy", Value: action.Legacy, Text: run.Yes(action.Legacy)},
		{Key: "end_event", Value: run.OrAbsent(action.EndEvent)},
		{Key: "odd_answer", Value: run.OrAbsent(string(action.Odd))},
		{Key: "params", Value: all, Text: strings.Join(params, " ")},
		{Key: "required", Value: required, Text: strings.Join(required, " ")},
	}
}

// actionRow is what a table shows of an action: the same in fewer columns, without the ActionID, which is amictl's own.
func actionRow(action *catalog.Action) output.Record {
	var params []string
	for _, p := range action.Params {
		switch {
		case p.Required:
			params = append(params, p.Name+"*")
		case !wire.EqualFold(p.Name, "ActionID"):
			params = append(params, p.Name)
		}
	}
	does := "changes"
	if action.ReadOnly {
		does = "reads"
	}
	if action.Legacy {
		does += ", old"
	}
	return output.Record{
		{Key: "action", Value: action.Name},
		{Key: "needs", Value: strings.Join(action.Classes, ",")},
		{Key: "does", Value: does},
		{Key: "parameters", Value: strings.Join(params, " "), Look: output.Prose},
		{Key: "list ends with", Value: action.EndEvent, Look: output.Minor},
	}
}

// peoplesPrinter returns a printer for people, who want a table without having chosen its columns, or nil.
func peoplesPrinter(r *run.Run) *output.Printer {
	p, err := r.Printer(run.Records, false, false)
	if err != nil || p.Options().Format != output.TableText || len(p.Options().Fields) > 0 {
		return nil
	}
	return p
}

// catalogue prints rows; a name that nothing matches is an error.
func catalogue(r *run.Run, o *options, rows []output.Record, names []string, what string) error {
	if len(rows) == 0 {
		return fail.Usage(fail.NearHint(o.pattern(), names, "a newer server may still have it"), "the catalogue has no %s %q", what, o.pattern())
	}
	p, err := r.Printer(run.Records, false, len(o.args) == 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := p.Record(row); err != nil {
			return err
		}
	}
	return p.Close()
}
