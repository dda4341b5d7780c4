package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/output"
)

const contextHelp = `Examples:
  amictl context list
  amictl context add lab
  amictl context use lab
  amictl context use -             back to the one before
  amictl context check

A context is a named set of servers in the configuration (~/.config/amictl/config.toml):

  context = "lab"                  # the one in force
  redact = ['\+49[0-9]{6,}']       # RE2; hidden in traces, logs, records

  [contexts.lab]
  user = "admin"
  secret = "file:~/lab.secret"     # or env:NAME, cmd:COMMAND, cred:NAME
  protect = true                   # what may change something asks

  [contexts.lab.nodes.pbx1]
  url = "ami://127.0.0.1:5038"
  labels = { site = "fra" }

  [contexts.lab.nodes.pbx2]
  url = "amis://pbx2.example.com"
  ca = "/etc/amictl/ca.pem"

A secret is never in the configuration itself.`

func (a *app) contextCommand() *cli.Command {
	return &cli.Command{
		Name:        "context",
		Usage:       "sets of servers under a name: list, use, show, add, check",
		Description: contextHelp,
		Commands: []*cli.Command{
			{
				Name: "list", Usage: "list the contexts", Description: "Examples:\n  amictl context list",
				Action: func(_ context.Context, c *cli.Command) error { return a.contextList(c) },
			},
			{
				Name: "use", Usage: "choose the context in force", ArgsUsage: "NAME | -", Description: "Examples:\n  amictl context use lab\n  amictl context use -        the one before",
				Action: func(_ context.Context, c *cli.Command) error { return a.contextUse(c) },
			},
			{
				Name: "show", Usage: "show the nodes of a context", ArgsUsage: "[NAME]", Description: "Examples:\n  amictl context show\n  amictl context show lab",
				Action: func(_ context.Context, c *cli.Command) error { return a.contextShow(c) },
			},
			a.contextAddCommand(),
			a.contextCheckCommand(),
		},
	}
}

func (a *app) contextList(c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	p, err := a.printer(records, false, true)
	if err != nil {
		return err
	}
	cfg := a.settings.config
	for _, name := range cfg.contextNames() {
		inForce := name == a.settings.context
		rec := output.Record{
			{Key: "context", Value: name},
			{Key: "in_force", Value: inForce, Text: yes(inForce)},
			{Key: "nodes", Value: len(cfg.Contexts[name].Nodes)},
			{Key: "protect", Value: cfg.Contexts[name].Protect, Text: yes(cfg.Contexts[name].Protect)},
		}
		if err := p.Record(rec); err != nil {
			return err
		}
	}
	if len(cfg.Contexts) == 0 {
		a.note("%s has no contexts; see `amictl context --help`", cfg.path)
	}
	return p.Close()
}

func (a *app) contextShow(c *cli.Command) error {
	if c.Args().Len() > 1 {
		return usageError("call it once for each", "context show takes one name, and got %q too", c.Args().Get(1))
	}
	name := cmp.Or(c.Args().First(), a.settings.context)
	if name == "" {
		return usageError("`amictl context list` shows all", "no context is in force")
	}
	chosen := a.settings.config.Contexts[name]
	if chosen == nil {
		return usageError(nearHint(name, a.settings.config.contextNames(), "`amictl context list` shows all"), "there is no context %q", name)
	}
	p, err := a.printer(records, false, true)
	if err != nil {
		return err
	}
	for _, node := range chosen.nodeNames() {
		n := chosen.Nodes[node]
		labels := n.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		rec := output.Record{
			{Key: "context", Value: name},
			{Key: "node", Value: node},
			{Key: "url", Value: hidePassword(n.URL)},
			{Key: "user", Value: cmp.Or(n.User, chosen.User)},
			{Key: "secret", Value: cmp.Or(n.Secret, chosen.Secret), Look: output.Prose},
			{Key: "labels", Value: labels, Text: labelText(labels)},
		}
		if err := p.Record(rec); err != nil {
			return err
		}
	}
	return p.Close()
}

func labelText(labels map[string]string) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, k+"="+labels[k])
	}
	return strings.Join(words, " ")
}

// contextLine is the top-level line that names the context in force.
var contextLine = regexp.MustCompile(`(?m)^[ \t]*(?:context|"context"|'context')[ \t]*=[^\r\n]*`)

// contextUse writes the name into the configuration, changing that one line and nothing else.
func (a *app) contextUse(c *cli.Command) error {
	cfg, name := a.settings.config, c.Args().First()
	if c.Args().Len() != 1 {
		return usageError("`amictl context list` shows all", "context use takes one name")
	}
	if name == "-" {
		before, err := os.ReadFile(cfg.path + previousSuffix)
		if name = strings.TrimSpace(string(before)); err != nil || name == "" {
			return usageError("`amictl context list` shows all", "no other context was in force before")
		}
	}
	if cfg.Contexts[name] == nil {
		return usageError(nearHint(name, cfg.contextNames(), "`amictl context list` shows all"), "there is no context %q", name)
	}
	err := editConfig(cfg.path, func(text string) string { return withContextLine(text, name) })
	if err != nil {
		return err
	}
	if cfg.Context != "" && cfg.Context != name {
		if err := os.WriteFile(cfg.path+previousSuffix, []byte(cfg.Context+"\n"), 0o600); err != nil {
			a.note("`context use -` will not work: %v", err)
		}
	}
	a.note("context %s is in force", name)
	return nil
}

// previousSuffix ends the name of the file beside the configuration that names the context that was in force before.
const previousSuffix = ".previous"

// withContextLine names the context in force in a configuration's text.
func withContextLine(text, name string) string {
	line := "context = " + tomlString(name)
	text, marked := strings.CutPrefix(text, byteOrderMark)
	top, rest := text, ""
	if i := regexp.MustCompile(`(?m)^[ \t]*\[`).FindStringIndex(top); i != nil {
		top, rest = top[:i[0]], top[i[0]:]
	}
	if contextLine.MatchString(top) {
		top = contextLine.ReplaceAllLiteralString(top, line)
	} else {
		top = line + "\n\n" + top
	}
	if marked {
		top = byteOrderMark + top
	}
	return top + rest
}

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = "\ufeff"

// editConfig changes the text of a configuration. Whoever else edits it waits meanwhile, and what would be no valid
// configuration is not written.
func editConfig(path string, change func(text string) string) error {
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return configError(writeHint, "the config cannot be written: %v", err)
	}
	defer unlock()
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return configError(readHint, "the config cannot be read: %v", err)
	}
	text := change(string(old))
	if _, err := toml.Decode(text, new(config)); err != nil {
		return configError("make the change with an editor", "config %s: it would not be valid any more, so nothing was written: %s", path, strings.TrimPrefix(err.Error(), "toml: "))
	}
	return replaceFile(path, text)
}

// replaceFile writes a file whole or not at all, and keeps its mode; a new one is its owner's alone.
func replaceFile(path, text string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the link stays
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".amictl-*")
	if err != nil {
		return configError(writeHint, "the config cannot be written: %v", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err = f.WriteString(text); err == nil {
		err = f.Chmod(mode)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return configError(writeHint, "the config cannot be written: %v", err)
	}
	return nil
}
