package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/output"
)

func (a *app) configCommand() *cli.Command {
	return &cli.Command{
		Name:        "config",
		Usage:       "explain the settings in force",
		Description: "Examples:\n  amictl config explain",
		Commands: []*cli.Command{{
			Name: "explain", Usage: "show every setting and where its value came from",
			Description: "Examples:\n  amictl config explain\n  amictl -C lab config explain\n\nA flag wins over the environment, that over the context, that over the file, that over the default.",
			Action: func(_ context.Context, c *cli.Command) error {
				if err := noArguments(c); err != nil {
					return err
				}
				p, err := a.printer(records, false, true)
				if err != nil {
					return err
				}
				for _, s := range a.settings.list {
					r := output.Record{{Key: "setting", Value: s.name}, {Key: "value", Value: hidePassword(s.value)}, {Key: "source", Value: firstOf(s.source, "-")}}
					if err := p.Record(r); err != nil {
						return err
					}
				}
				return p.Close()
			},
		}},
	}
}
