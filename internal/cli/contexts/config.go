package contexts

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// ConfigCommand makes the subcommand config, with its own.
func ConfigCommand(r *run.Run) *cli.Command {
	return r.Tell(&cli.Command{
		Name:        "config",
		Usage:       "explain the settings in use",
		Description: "Examples:\n  amictl config explain",
		Commands: []*cli.Command{plain(r, run.NoWords, explain, &cli.Command{
			Name: "explain", Usage: "show every setting and where its value came from",
			Description: "Examples:\n  amictl config explain\n  amictl -C lab config explain\n\nA flag takes precedence; then come the environment, the context, the file and the default.\n[serve] and [[users]] are shown too, which amictl serve alone reads.\nFor each selected node it shows the address, the user, where the secret is, and how the certificate is verified.",
		})},
	}, run.About{})
}

func explain(_ context.Context, r *run.Run, _ *options) error {
	p, err := r.Printer(run.Records, false, true)
	if err != nil {
		return err
	}
	all, err := settings(r)
	if err != nil {
		return err
	}
	for _, s := range all {
		rec := output.Record{{Key: "setting", Value: s.Name}, {Key: "value", Value: config.HidePassword(s.Value)}, {Key: "source", Value: cmp.Or(s.Source, "-")}}
		if err := p.Record(rec); err != nil {
			return err
		}
	}
	return p.Close()
}

// settings returns the settings of the run, those of `amictl serve`, and those of each node that it would be about.
func settings(r *run.Run) (all []run.Setting, err error) {
	for _, s := range r.Settings.Explain() {
		if s.Name == "connect-timeout" && s.Value == "" {
			s.Value, s.Source = ami.DefaultDialTimeout.String()+", and "+ami.DefaultLoginTimeout.String()+" for the login", "default"
		}
		all = append(all, s)
	}
	daemon, err := r.Settings.Config.Daemon()
	if err != nil {
		return nil, err
	}
	all = append(all, explainTable("serve", daemon.Serve)...)
	for _, u := range daemon.Users {
		all = append(all, explainTable("users."+u.Name, u)...)
	}
	c := r.Settings.Config.Contexts[r.Settings.Context]
	if c == nil || r.Flags.Local || r.Flags.ManagerConf != "" {
		return all, nil
	}
	for _, name := range c.NodeNames() {
		if selects(r, name, c) {
			all = append(all, explainNode(r, name, c.Nodes[name], c)...)
		}
	}
	return all, nil
}

// explainTable tells which keys of a table are given.
func explainTable(name string, table any) (all []run.Setting) {
	for i, v := 0, reflect.ValueOf(table); i < v.NumField(); i++ {
		value := v.Field(i).Interface()
		if list, ok := value.([]string); ok {
			value = strings.Join(list, ", ")
		}
		if !v.Field(i).IsZero() {
			all = append(all, run.Setting{Name: name + "." + v.Type().Field(i).Tag.Get("toml"), Value: fmt.Sprint(value), Source: "file"})
		}
	}
	return all
}

// selects reports whether --node, its variable and -l choose a node of a context.
func selects(r *run.Run, name string, c *config.Context) bool {
	words := []string(r.Flags.Nodes)
	if v, _ := r.Env("AMICTL_NODE"); v != "" && len(words) == 0 {
		words = []string{v}
	}
	chosen := len(words) == 0
	for _, word := range words {
		chosen = chosen || c.Matches(word, name)
	}
	return chosen && target.HasLabels(c.Nodes[name].Labels, r.Flags.Labels)
}

// explainNode tells where a node's own values come from: the first that says one wins.
func explainNode(r *run.Run, name string, n *config.Node, c *config.Context) (all []run.Setting) {
	user := ""
	if u, err := config.ParseURL(n.URL); err == nil {
		user = u.User
	}
	file, fileFrom := r.Settings.SecretFile, r.Settings.SecretFileFrom
	if file != "" {
		file = "file:" + file
	}
	if r.Flags.SecretStdin {
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
		{"ca", []candidate{{r.Flags.CA, "flag"}, {n.CA, "node"}, {c.CA, "context"}}},
		{"tls_name", []candidate{{r.Flags.TLSName, "flag"}, {n.TLSName, "node"}}},
		{"pin", []candidate{{n.Pin, "node"}}},
	} {
		for _, from := range v.of {
			if from.value != "" {
				all = append(all, run.Setting{Name: "nodes." + name + "." + v.key, Value: from.value, Source: from.source})
				break
			}
		}
	}
	return all
}
