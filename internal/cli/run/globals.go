package run

import (
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/flags"
)

// Globals are the flags that every subcommand understands. No subcommand has a flag of the same name: it would shadow
// the global one silently.
type Globals struct {
	Context, Config            string
	Nodes, Labels              flags.List
	Output, Query, color       string
	Fields                     string
	Timeout, connect, Deadline flags.Duration
	SecretFile                 string
	SecretStdin                bool
	CA, TLSName                string
	Local                      bool
	ManagerConf                string
	Quiet, Verbose, Trace      bool
}

// formats are those of --output, for people.
const formats = "auto, table, wide, jsonl, json, csv, raw or none; health and check have nagios and prometheus, and check has junit and tap"

// GlobalFlagList returns the global flags, which set r.Flags.
func (r *Run) GlobalFlagList() []cli.Flag {
	g := &r.Flags
	return []cli.Flag{
		flags.Text("context", "C", "the context `NAME` to use", &g.Context),
		&cli.GenericFlag{Name: "node", Aliases: []string{"n"}, Usage: "a `NAME`, glob, ami:// or amis:// URL, @FILE or @- with one per line; may repeat", Value: &g.Nodes},
		&cli.GenericFlag{Name: "label", Aliases: []string{"l"}, Usage: "only nodes with the label `KEY=VALUE`; may repeat, all must hold", Value: &g.Labels},
		flags.Choice("output", "o", "`FORMAT`: "+formats, &g.Output,
			"auto", "table", "wide", "jsonl", "json", "csv", "raw", "none"),
		flags.Text("fields", "", "comma-separated `NAMES` of the fields to show", &g.Fields),
		flags.Text("query", "", "print what the gjson `PATH` finds in each object", &g.Query),
		&cli.GenericFlag{Name: "timeout", Usage: "`TIME` for one action or wait, such as 10s", Value: &g.Timeout},
		&cli.GenericFlag{Name: "connect-timeout", Usage: "`TIME` for a connection, login included", Value: &g.connect},
		&cli.GenericFlag{Name: "deadline", Usage: "`TIME` for the whole run", Value: &g.Deadline},
		flags.Text("config", "", "read this configuration `FILE`", &g.Config),
		flags.Text("secret-file", "", "read the secret from `FILE`", &g.SecretFile),
		&cli.BoolFlag{Name: "secret-stdin", Usage: "read the secret from standard input", Destination: &g.SecretStdin},
		&cli.BoolFlag{Name: "local", Usage: "use this host's own Asterisk, as its manager.conf says", Destination: &g.Local},
		flags.Text("manager-conf", "", "with --local: read `FILE` instead of /etc/asterisk/manager.conf", &g.ManagerConf),
		flags.Text("ca", "", "trust the certificates in the PEM `FILE`", &g.CA),
		flags.Text("tls-name", "", "the `NAME` that the server's certificate must contain", &g.TLSName),
		flags.Choice("color", "", "`WHEN`: auto, always or never", &g.color, "auto", "always", "never"),
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but data and errors", Destination: &g.Quiet},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say what the connections do", Destination: &g.Verbose},
		&cli.BoolFlag{Name: "trace", Usage: "show the wire, line by line and without secrets", Destination: &g.Trace},
	}
}
