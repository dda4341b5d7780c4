package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

func (a *app) configCommand() *cli.Command {
	return &cli.Command{
		Name:        "config",
		Usage:       "explain the settings in force",
		Description: "Examples:\n  amictl config explain",
		Commands: []*cli.Command{{
			Name: "explain", Usage: "show every setting and where its value came from",
			Description: "Examples:\n  amictl config explain\n  amictl -C lab config explain\n\nA flag wins over the environment, that over the context, that over the file, that over the default.\nOf each node that is selected it shows address, user, where the secret is, and how its certificate is verified.",
			Action: func(_ context.Context, c *cli.Command) error {
				if err := noArguments(c); err != nil {
					return err
				}
				p, err := a.printer(records, false, true)
				if err != nil {
					return err
				}
				for _, s := range a.explain() {
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

// explain returns the settings of the run, and those of each node that it would be about.
func (a *app) explain() (all []setting) {
	for _, s := range a.settings.list {
		if s.name == "connect-timeout" && s.value == "" {
			s.value, s.source = ami.DefaultDialTimeout.String()+", and "+ami.DefaultLoginTimeout.String()+" for the login", "default"
		}
		all = append(all, s)
	}
	c := a.settings.config.Contexts[a.settings.context]
	if c == nil || a.flags.local || a.flags.managerConf != "" {
		return all
	}
	for _, name := range c.nodeNames() {
		if a.selects(name, c) {
			all = append(all, a.explainNode(name, c.Nodes[name], c)...)
		}
	}
	return all
}

// selects reports whether --node, its variable and -l choose a node of a context.
func (a *app) selects(name string, c *contextConfig) bool {
	words := []string(a.flags.nodes)
	if v, _ := a.env("AMICTL_NODE"); v != "" && len(words) == 0 {
		words = []string{v}
	}
	chosen := len(words) == 0
	for _, word := range words {
		chosen = chosen || c.matches(word, name)
	}
	return chosen && hasLabels(c.Nodes[name].Labels, a.flags.labels)
}

// explainNode tells where a node's own values come from: the first that says one wins.
func (a *app) explainNode(name string, n *nodeConfig, c *contextConfig) (all []setting) {
	user := ""
	if u, err := parseNodeURL(n.URL); err == nil {
		user = u.user
	}
	file, fileFrom := a.settings.source("secret-file")
	if file != "" {
		file = "file:" + file
	}
	if a.flags.secretStdin {
		file, fileFrom = "standard input", "flag"
	}
	type candidate struct{ value, source string }
	for _, v := range []struct {
		key string
		of  []candidate
	}{
		{"url", []candidate{{n.URL, "context"}}},
		{"user", []candidate{{user, "url"}, {n.User, "node"}, {c.User, "context"}}},
		{"secret", []candidate{{file, fileFrom}, {n.Secret, "node"}, {c.Secret, "context"}}},
		{"auth", []candidate{{n.Auth, "node"}, {c.Auth, "context"}}},
		{"ca", []candidate{{a.flags.ca, "flag"}, {n.CA, "node"}, {c.CA, "context"}}},
		{"tls_name", []candidate{{a.flags.tlsName, "flag"}, {n.TLSName, "node"}}},
		{"pin", []candidate{{n.Pin, "node"}}},
	} {
		for _, from := range v.of {
			if from.value != "" {
				all = append(all, setting{"nodes." + name + "." + v.key, from.value, from.source})
				break
			}
		}
	}
	return all
}
