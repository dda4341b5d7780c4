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

const actionsHelp = `Examples:
  amictl actions
  amictl actions 'Queue*'
  amictl actions Originate                   parameters, rights, example
  amictl actions --live --node pbx1 'Queue*' what this user may do there

What Asterisk's documentation says, without asking a server, unless --live does. Needs: a class that the user must have
in write=. A * marks what is required.`

const eventsHelp = `Examples:
  amictl events
  amictl events 'Queue*'
  amictl events --query ends.0 QueueStatusComplete   whose list it ends

The events that Asterisk is known to send, without asking a server.`

func (a *app) actionsCommand() *cli.Command {
	live := false
	return &cli.Command{
		Name:        "actions",
		Usage:       "what actions there are, and what they take",
		ArgsUsage:   "[NAME|GLOB]",
		Description: actionsHelp,
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "live", Usage: "ask the server instead of the catalogue", Destination: &live}},
		Action: func(ctx context.Context, c *cli.Command) error {
			if live {
				return a.liveActions(ctx, c)
			}
			if one, ok := catalog.Lookup(c.Args().First()); ok && c.Args().Len() == 1 {
				if p, err := a.printer(records, false, false); err == nil && p.Options().Format == output.TableText && len(p.Options().Fields) == 0 {
					return actionDetail(p, &one)
				}
			}
			row := actionRecord
			if o, err := a.outputOptions(records); err == nil && o.Format == output.TableText && len(o.Fields) == 0 {
				row = actionRow
			}
			var rows []output.Record
			var names []string
			for _, action := range catalog.Actions() {
				names = append(names, action.Name)
				if !c.Args().Present() || ami.MatchGlob(c.Args().First(), action.Name) {
					rows = append(rows, row(&action))
				}
			}
			return a.catalogue(c, rows, names, "action")
		},
	}
}

func (a *app) eventsCommand() *cli.Command {
	return &cli.Command{
		Name:        "events",
		Usage:       "what events there are",
		Metadata:    map[string]any{"config": configMayBeBroken},
		ArgsUsage:   "[NAME|GLOB]",
		Description: eventsHelp,
		Action: func(_ context.Context, c *cli.Command) error {
			var rows []output.Record
			names := catalog.Events()
			for _, name := range names {
				if !c.Args().Present() || ami.MatchGlob(c.Args().First(), name) {
					rows = append(rows, eventRecord(name))
				}
			}
			return a.catalogue(c, rows, names, "event")
		},
	}
}

// eventRecord is an event, with the actions whose lists it ends.
func eventRecord(name string) output.Record {
	var ends []string
	for _, action := range catalog.Actions() {
		if wire.EqualFold(action.EndEvent, name) {
			ends = append(ends, action.Name)
		}
	}
	var value any // left out if there is none
	if len(ends) > 0 {
		value = ends
	}
	return output.Record{
		{Key: "event", Value: name},
		{Key: "ends", Value: value, Text: strings.Join(ends, " ")},
	}
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
		{Key: "classes", Value: classes, Text: firstOf(strings.Join(action.Classes, ","), "-")},
		{Key: "read_only", Value: action.ReadOnly, Text: yes(action.ReadOnly)},
		{Key: "legacy", Value: action.Legacy, Text: yes(action.Legacy)},
		{Key: "end_event", Value: text0(action.EndEvent)},
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

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// catalogue prints rows; a name that nothing matches is an error.
func (a *app) catalogue(c *cli.Command, rows []output.Record, names []string, what string) error {
	if c.Args().Len() > 1 {
		return usageError("quote a glob: the shell expands it", "%s takes one name", c.UsageText)
	}
	if len(rows) == 0 {
		return usageError(nearHint(c.Args().First(), names, "a newer server may have it all the same"), "the catalogue has no %s %q", what, c.Args().First())
	}
	p, err := a.printer(records, false, !c.Args().Present())
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := p.Record(r); err != nil {
			return err
		}
	}
	return p.Close()
}
