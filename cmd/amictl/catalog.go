package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

const actionsHelp = `Examples:
  amictl actions
  amictl actions 'Queue*'
  amictl actions Originate                   its parameters, the rights it needs, what ends its answer
  amictl actions --live --node pbx1 'Queue*' what that server has for this user

What Asterisk's documentation says, without asking a server, unless --live does; * marks required parameters.`

func (a *app) actionsCommand() *cli.Command {
	live := false
	return &cli.Command{
		Name:        "actions",
		Usage:       "what actions there are, and what they take",
		ArgsUsage:   "[NAME or glob]",
		Description: actionsHelp,
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "live", Usage: "ask the server instead of the catalogue", Destination: &live}},
		Action: func(ctx context.Context, c *cli.Command) error {
			if live {
				return a.liveActions(ctx, c)
			}
			if one, ok := ami.LookupAction(c.Args().First()); ok && c.Args().Len() == 1 {
				if p, err := a.printer(records, false, false); err == nil && p.Options().Format == output.TableText && len(p.Options().Fields) == 0 {
					return actionDetail(p, &one)
				}
			}
			var rows []output.Record
			var names []string
			for _, action := range ami.Actions() {
				names = append(names, action.Name)
				if !c.Args().Present() || ami.MatchGlob(c.Args().First(), action.Name) {
					rows = append(rows, actionRecord(&action))
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
		ArgsUsage:   "[NAME or glob]",
		Description: "Examples:\n  amictl events\n  amictl events 'Queue*'",
		Action: func(_ context.Context, c *cli.Command) error {
			var rows []output.Record
			names := ami.EventNames()
			for _, name := range names {
				if !c.Args().Present() || ami.MatchGlob(c.Args().First(), name) {
					rows = append(rows, output.Record{{Key: "event", Value: name}})
				}
			}
			return a.catalogue(c, rows, names, "event")
		},
	}
}

func actionRecord(action *ami.CatalogAction) output.Record {
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
