package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

// globalFlags are those that every subcommand understands. No subcommand has a flag of the same name: it would shadow
// the global one silently.
type globalFlags struct {
	context, config            string
	nodes, labels              list
	output, query, color       string
	fields                     string
	timeout, connect, deadline duration
	secretFile                 string
	secretStdin                bool
	ca, tlsName                string
	local                      bool
	managerConf                string
	quiet, verbose, trace      bool
}

func (a *app) globalFlagList() []cli.Flag {
	g := &a.flags
	return []cli.Flag{
		text("context", "C", "the context `NAME` to use", &g.context),
		&cli.GenericFlag{Name: "node", Aliases: []string{"n"}, Usage: "a `NAME`, glob, ami:// or amis:// URL, @FILE or @- with one a line; may repeat", Value: &g.nodes},
		&cli.GenericFlag{Name: "label", Aliases: []string{"l"}, Usage: "only nodes with the label `KEY=VALUE`; may repeat, all must hold", Value: &g.labels},
		text("output", "o", "`FORMAT`: auto, table, jsonl, json, csv, raw or none", &g.output),
		text("fields", "", "comma-separated `NAMES` of the fields to show", &g.fields),
		text("query", "", "print what the gjson `PATH` finds in each object", &g.query),
		&cli.GenericFlag{Name: "timeout", Usage: "`TIME` for one action or wait, such as 10s", Value: &g.timeout},
		&cli.GenericFlag{Name: "connect-timeout", Usage: "`TIME` for a connection, login included", Value: &g.connect},
		&cli.GenericFlag{Name: "deadline", Usage: "`TIME` for the whole run", Value: &g.deadline},
		text("config", "", "read this configuration `FILE`", &g.config),
		text("secret-file", "", "read the secret from `FILE`", &g.secretFile),
		&cli.BoolFlag{Name: "secret-stdin", Usage: "read the secret from standard input", Destination: &g.secretStdin},
		&cli.BoolFlag{Name: "local", Usage: "use this host's own Asterisk, as its manager.conf says", Destination: &g.local},
		text("manager-conf", "", "with --local: read `FILE` instead of /etc/asterisk/manager.conf", &g.managerConf),
		text("ca", "", "trust the certificates in the PEM `FILE`", &g.ca),
		text("tls-name", "", "the `NAME` that the server's certificate must hold", &g.tlsName),
		text("color", "", "`WHEN`: auto, always or never", &g.color),
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but data and errors", Destination: &g.quiet},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say what the connections do", Destination: &g.verbose},
		&cli.BoolFlag{Name: "trace", Usage: "show the wire, line by line and without secrets", Destination: &g.trace},
	}
}

// text is a flag with a string value.
func text(name, short, usage string, to *string) cli.Flag {
	f := &cli.StringFlag{Name: name, Usage: usage, Value: *to, Destination: to, HideDefault: true}
	if short != "" {
		f.Aliases = []string{short}
	}
	return f
}

// list is a flag that may repeat. Commas and spaces are part of a value.
type list []string

func (l *list) Set(s string) error { *l = append(*l, s); return nil }
func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Get() any           { return []string(*l) }

// duration is a flag with a time. A bare number is refused: it would be guessed.
type duration struct {
	d   time.Duration
	set bool
}

func (d *duration) Set(s string) error {
	v, err := parseDuration(s)
	if err != nil {
		return err
	}
	d.d, d.set = v, true
	return nil
}

func (d *duration) String() string {
	if !d.set {
		return ""
	}
	return d.d.String()
}

func (d *duration) Get() any { return d.d }

func parseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, fmt.Errorf("needs a unit, such as %ss or %sms", s, s)
	}
	v, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, errors.New("not a time such as 500ms, 10s or 2m")
	case v <= 0:
		return 0, errors.New("must be more than 0")
	}
	return v, nil
}

// count is a flag with a whole number of at least 1.
type count struct {
	n   int
	set bool
}

func (c *count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("not a whole number of at least 1")
	}
	c.n, c.set = n, true
	return nil
}

func (c *count) String() string {
	if !c.set {
		return ""
	}
	return strconv.Itoa(c.n)
}

func (c *count) Get() any { return c.n }

// flagError makes an error that urfave/cli found in a flag's value one of ours.
func flagError(command *cli.Command, err error) error {
	var own *cliError
	if err == nil || errors.As(err, &own) {
		return err
	}
	msg := err.Error()
	if strings.HasPrefix(msg, "invalid value ") {
		return usageError("see `"+helpFor(command)+"`", "%s", strings.Replace(msg, "for flag -", "for --", 1))
	}
	return err
}
