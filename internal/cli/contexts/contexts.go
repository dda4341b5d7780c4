package contexts

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl context list
  amictl context add lab
  amictl context use lab
  amictl context use -             back to the one before
  amictl context check

A context is a named set of servers in the configuration (~/.config/amictl/config.toml):

  context = "lab"                  # the current one
  redact = ['\+49[0-9]{6,}']       # RE2; hidden in traces, logs, records

  [contexts.lab]
  user = "admin"
  secret = "file:~/lab.secret"     # or env:NAME, cmd:COMMAND, cred:NAME
  protect = true                   # ask before a change

  [contexts.lab.nodes.pbx1]
  url = "ami://127.0.0.1:5038"
  labels = { site = "fra" }

  [contexts.lab.nodes.pbx2]
  url = "amis://pbx2.example.com"
  ca = "/etc/amictl/ca.pem"

At the top and in a context there may also be output, timeout, connect_timeout and color, as the flags are called; in a
context and in a node auth ("auto", "md5" or "plain") and ca, and in a node a user and a secret of its own, tls_name, pin
(the certificate's SHA-256, in hex) and filters (of events, each as the action Filter takes it). A
context's bus is nats (its URL), cluster, nats_creds, nats_nkey and nats_ca (files), and nats_user, in whose name actions are
asked for: see docs/bus.md. [serve] and [[users]] are for amictl serve, whose help has them.

A secret is never in the configuration itself. The file must belong to you or to root, and nobody else may write to
it or replace it: its commands are run. Paths in it are relative to its folder.

protect applies to the server, not to its name: another context's node, a URL or an address with the same host and
port is protected, too. localhost and all addresses of this host count as one host, and ports 5038 and 5039 of a host
as one server. amictl cannot see where a tunnel or a forwarded port leads.`

// options are the words of a subcommand of context that has no flags.
type options struct{ args []string }

// Command makes the subcommand context, with its own.
func Command(r *run.Run) *cli.Command {
	return r.Tell(&cli.Command{
		Name:        "context",
		Usage:       "named sets of servers: list, use, show, add, remove, rename, edit, check",
		Description: help,
		Commands: []*cli.Command{
			plain(r, run.NoWords, list, &cli.Command{
				Name: "list", Usage: "list the contexts", Description: "Examples:\n  amictl context list",
			}),
			plain(r, run.ContextName, use, &cli.Command{
				Name: "use", Usage: "choose the current context", ArgsUsage: "NAME | -", Description: "Examples:\n  amictl context use lab\n  amictl context use -        the one before",
			}),
			plain(r, run.ContextName, show, &cli.Command{
				Name: "show", Usage: "show the nodes of a context", ArgsUsage: "[NAME]", Description: "Examples:\n  amictl context show\n  amictl context show lab",
			}),
			addCommand(r),
			plain(r, run.ContextName, remove, &cli.Command{
				Name: "remove", Usage: "take a context out of the configuration", ArgsUsage: "NAME",
				Description: "Examples:\n  amictl context remove lab\n\nThe rest of the configuration stays as it is, and so do files with secrets.",
			}),
			plain(r, run.ContextName, rename, &cli.Command{
				Name: "rename", Usage: "give a context another name", ArgsUsage: "OLD NEW", Description: "Examples:\n  amictl context rename lab test",
			}),
			editCommand(r),
			plain(r, run.ContextName, check, &cli.Command{
				Name: "check", Usage: "log in to every node of a context", ArgsUsage: "[CONTEXT]",
				Description: "Examples:\n  amictl context check\n  amictl context check lab\n\n" +
					"Tries address, TLS, user and secret of each node. Exits 0 when all are right, else as `amictl health` does.",
			}),
		},
	}, run.About{})
}

// plain makes a subcommand without flags do what it is for.
func plain(r *run.Run, args run.WordKind, do func(context.Context, *run.Run, *options) error, c *cli.Command) *cli.Command {
	c.Action = func(ctx context.Context, c *cli.Command) error { return do(ctx, r, &options{args: c.Args().Slice()}) }
	return r.Tell(c, run.About{Args: run.Words{Kind: args}})
}

func list(_ context.Context, r *run.Run, _ *options) error {
	p, err := r.Printer(run.Records, false, true)
	if err != nil {
		return err
	}
	cfg := r.Settings.Config
	for _, name := range cfg.ContextNames() {
		current := name == r.Settings.Context
		rec := output.Record{
			{Key: "context", Value: name},
			{Key: "current", Value: current, Text: run.Yes(current)},
			{Key: "nodes", Value: len(cfg.Contexts[name].Nodes)},
			{Key: "protect", Value: cfg.Contexts[name].Protect, Text: run.Yes(cfg.Contexts[name].Protect)},
		}
		if err := p.Record(rec); err != nil {
			return err
		}
	}
	if len(cfg.Contexts) == 0 {
		r.Note("%s has no contexts; see `amictl context --help`", cmp.Or(cfg.Path, "the config"))
	}
	return p.Close()
}

const listHint = "`amictl context list` shows all"

// chosen returns the context that is named, or the current one.
func chosen(r *run.Run, o *options) (name string, c *config.Context, err error) {
	if len(o.args) > 0 {
		name = o.args[0]
	}
	name = cmp.Or(name, r.Settings.Context)
	c = r.Settings.Config.Contexts[name]
	switch {
	case name == "":
		return "", nil, fail.Usage(listHint, "there is no current context")
	case c == nil:
		return "", nil, noContext(r, name)
	}
	return name, c, nil
}

func noContext(r *run.Run, name string) error {
	return fail.Usage(fail.NearHint(name, r.Settings.Config.ContextNames(), listHint), "there is no context %q", name)
}

func show(_ context.Context, r *run.Run, o *options) error {
	if len(o.args) > 1 {
		return fail.Usage("call it once for each", "context show takes one name, but got %q too", o.args[1])
	}
	name, chosen, err := chosen(r, o)
	if err != nil {
		return err
	}
	p, err := r.Printer(run.Records, false, true)
	if err != nil {
		return err
	}
	for _, node := range chosen.NodeNames() {
		n := chosen.Nodes[node]
		labels := n.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		rec := output.Record{
			{Key: "context", Value: name},
			{Key: "node", Value: node},
			{Key: "url", Value: config.HidePassword(n.URL)},
			{Key: "user", Value: userOf(n, chosen)},
			{Key: "secret", Value: cmp.Or(n.Secret, chosen.Secret), Look: output.Prose},
			{Key: "labels", Value: labels, Text: labelText(labels)},
		}
		if err := p.Record(rec); err != nil {
			return err
		}
	}
	return p.Close()
}

// userOf is the user that a node is logged in to as.
func userOf(n *config.Node, c *config.Context) string {
	u, _ := config.ParseURL(n.URL) // one that is wrong has none
	return cmp.Or(u.User, n.User, c.User)
}

func labelText(labels map[string]string) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, k+"="+labels[k])
	}
	return strings.Join(words, " ")
}

// use writes the name into the configuration, changing that one line and nothing else.
func use(_ context.Context, r *run.Run, o *options) error {
	if len(o.args) != 1 {
		return fail.Usage(listHint, "context use takes one name")
	}
	cfg, name := r.Settings.Config, o.args[0]
	if err := config.CheckPlace(cfg.Path); err != nil {
		return err
	}
	if name == "-" {
		before, err := os.ReadFile(cfg.Path + config.PreviousSuffix)
		if name = strings.TrimSpace(string(before)); err != nil || name == "" {
			return fail.Usage(listHint, "there is no previous context")
		}
	}
	if cfg.Contexts[name] == nil {
		return noContext(r, name)
	}
	err := config.EditConfig(cfg.Path, func(text string) (string, error) { return config.WithContextLine(text, name), nil })
	if err != nil {
		return err
	}
	if cfg.Context != "" && cfg.Context != name {
		if err := os.WriteFile(cfg.Path+config.PreviousSuffix, []byte(cfg.Context+"\n"), 0o600); err != nil {
			r.Note("`context use -` will not work: %v", err)
		}
	}
	r.Note("the current context is now %s", name)
	return nil
}
