package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/apntalk/amictl/pkg/output"
)

// A setting is a value and where it came from: flag, environment, context, file or default, the first that says it.
type setting struct {
	name, value, source string
}

// settings are what a run uses, resolved.
type settings struct {
	config      *config
	context     string // "" none
	contextFrom string
	list        []setting // in the order `config explain` shows them
}

func (s *settings) get(name string) string {
	value, _ := s.source(name)
	return value
}

// source returns a setting and where it came from.
func (s *settings) source(name string) (value, source string) {
	for _, v := range s.list {
		if v.name == name {
			return v.value, v.source
		}
	}
	return "", ""
}

// resolveSettings reads the configuration and decides every setting.
func (a *app) resolveSettings(need configNeed) (*settings, error) {
	path, source := a.configPath()
	cfg, err := loadConfig(path)
	if need == configMayBeBroken {
		if err == nil {
			if s, err := a.decideSettings(cfg, source, cfg.Contexts[a.contextName(cfg)]); err == nil {
				return s, nil
			}
		}
		return a.decideSettings(&config{path: path}, source, nil)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && (source == "default" || need == configMayBeNew):
		cfg, err = &config{path: path}, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, configError("give an existing file; `amictl context --help` shows what is in one", "the config %s does not exist", path)
	}
	if err != nil {
		return nil, err
	}
	name := a.contextName(cfg)
	c := cfg.Contexts[name]
	if c == nil && name != "" && !a.flags.local {
		return nil, configError(nearHint(name, cfg.contextNames(), "`amictl context list` shows them"), "there is no context %q in %s", name, path)
	}
	return a.decideSettings(cfg, source, c)
}

// contextName is the context in force, "" for none.
func (a *app) contextName(cfg *config) string {
	name, _ := a.first(a.flags.context, "AMICTL_CONTEXT", "", cfg.Context, "")
	return name
}

// decideSettings takes each setting from the first that says it. The context may be nil.
func (a *app) decideSettings(cfg *config, source string, c *contextConfig) (*settings, error) {
	if c == nil || a.flags.local {
		c = &contextConfig{}
	}
	s := &settings{config: cfg}
	s.list = append(s.list, setting{"config", cfg.path, source})
	s.context, s.contextFrom = a.first(a.flags.context, "AMICTL_CONTEXT", "", cfg.Context, "")
	s.list = append(s.list, setting{"context", s.context, s.contextFrom})
	for _, v := range []struct{ name, flag, env, context, file, def string }{
		{"output", a.flags.output, "AMICTL_OUTPUT", c.Output, cfg.Output, "auto"},
		{"timeout", a.flags.timeout.String(), "AMICTL_TIMEOUT", c.Timeout, cfg.Timeout, "30s"},
		{"connect-timeout", a.flags.connect.String(), "", c.ConnectTimeout, cfg.ConnectTimeout, ""},
		{"color", a.flags.color, "", c.Color, cfg.Color, "auto"},
		{"secret-file", a.flags.secretFile, "AMICTL_SECRET_FILE", "", "", ""},
		{"node", a.flags.nodes.String(), "AMICTL_NODE", "", "", ""},
	} {
		value, from := a.first(v.flag, v.env, v.context, v.file, v.def)
		s.list = append(s.list, setting{v.name, value, from})
	}
	return s, s.check()
}

// check refuses values that no flag's parser has seen.
func (s *settings) check() error {
	for _, v := range s.list {
		var err error
		switch {
		case v.value == "":
		case v.name == "timeout" || v.name == "connect-timeout":
			_, err = parseDuration(v.value)
		case v.name == "output" && !isFormat(v.value):
			err = errors.New("not one of auto, table, jsonl, json, csv, raw, none")
		case v.name == "color" && v.value != "auto" && v.value != "always" && v.value != "never":
			err = errors.New("not one of auto, always, never")
		}
		if err != nil {
			return usageError(settingHint(v.name), "%s %q (%s): %v", v.name, v.value, v.source, err)
		}
	}
	return nil
}

// settingHint says what a setting may be.
func settingHint(name string) string {
	switch name {
	case "output":
		return "auto, table, jsonl, json, csv, raw or none; health has nagios and prometheus, and check has junit"
	case "color":
		return "auto, always or never"
	}
	return "such as 500ms, 10s or 2m"
}

func isFormat(s string) bool {
	return strings.Contains(" auto table jsonl json csv raw none nagios prometheus junit ", " "+s+" ")
}

// first returns the first value that is given, and by whom.
func (a *app) first(flag, env, context, file, def string) (value, source string) {
	if flag != "" {
		return flag, "flag"
	}
	if env != "" {
		if v, ok := a.env(env); ok && v != "" {
			return v, env
		}
	}
	switch {
	case context != "":
		return context, "context"
	case file != "":
		return file, "file"
	case def != "":
		return def, "default"
	}
	return "", ""
}

// configPath returns where the configuration is.
func (a *app) configPath() (path, source string) {
	if a.flags.config != "" {
		return a.flags.config, "flag"
	}
	if p, ok := a.env("AMICTL_CONFIG"); ok && p != "" {
		return p, "AMICTL_CONFIG"
	}
	dir, ok := a.env("XDG_CONFIG_HOME")
	if !ok || dir == "" {
		home, _ := a.env("HOME")
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "amictl", "config.toml"), "default"
}

// timeout is the time for one action or wait.
func (a *app) timeout() time.Duration {
	d, _ := parseDuration(a.settings.get("timeout"))
	return d
}

// connectTimeout is the time for a connection, 0 if the engine's defaults hold.
func (a *app) connectTimeout() time.Duration {
	if v := a.settings.get("connect-timeout"); v != "" {
		d, _ := parseDuration(v)
		return d
	}
	return 0
}

// A stream is the kind of output that a subcommand makes.
type stream uint8

const (
	answers     stream = iota // what servers answer
	endless                   // it may never end: no JSON document
	commandText               // text unless another format is asked for
	records                   // objects of our own: no raw
)

// printer returns the printer that the flags ask for, on standard output.
func (a *app) printer(kind stream, severalNodes, many bool) (*output.Printer, error) {
	o, err := a.outputOptions(kind)
	if err != nil {
		return nil, err
	}
	o.Nodes, o.Many = severalNodes, many
	p := output.NewPrinter(a.stdout, o)
	a.printers = append(a.printers, p)
	return p, nil
}

func (a *app) outputOptions(kind stream) (output.Options, error) {
	name := a.settings.get("output")
	o := output.Options{Query: a.flags.query, Terminal: isatty.IsTerminal(a.stdout.Fd())}
	if a.flags.fields != "" {
		for f := range strings.SplitSeq(a.flags.fields, ",") {
			o.Fields = append(o.Fields, strings.TrimSpace(f))
		}
	}
	if o.Query != "" && a.flags.output != "" {
		return o, usageError("leave one of them out", "--query and --output do not go together")
	}
	if name == "auto" {
		name = "jsonl"
		if o.Terminal && o.Query == "" {
			name = "table"
		}
		if kind == commandText && o.Query == "" {
			name = "raw"
		}
	}
	formats := map[string]output.Format{
		"jsonl": output.JSONLines, "json": output.JSONDocument, "table": output.TableText,
		"csv": output.CSV, "raw": output.Raw, "none": output.None,
	}
	f, ok := formats[name]
	switch {
	case !ok:
		return o, usageError("see --help", "output format %q does not fit this subcommand", name)
	case f == output.JSONDocument && kind == endless:
		return o, usageError("-o jsonl prints one object a line", "-o json is one document and this has no end")
	case f == output.CSV && len(o.Fields) == 0 && kind == records:
		return o, usageError("the keys that -o jsonl shows, such as --fields node,time", "-o csv needs --fields")
	case f == output.CSV && len(o.Fields) == 0:
		return o, usageError("such as --fields node,event,Channel", "-o csv needs --fields")
	case f == output.Raw && kind == records:
		return o, usageError("-o jsonl is for programs", "-o raw is for what a server sends; this is not")
	}
	o.Format = f
	o.Width = a.columns()
	o.Color = a.color(o.Terminal)
	return o, nil
}

// columns is the width of the terminal that standard output is, 0 if it is none.
func (a *app) columns() int { return width(a.stdout) }

// width is the width of a terminal in columns, 0 if the file is none.
func width(f *os.File) int {
	if !isatty.IsTerminal(f.Fd()) {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// color decides whether to colour: --color, else NO_COLOR, else whether a capable terminal is there.
func (a *app) color(terminal bool) bool {
	switch a.settings.get("color") {
	case "always":
		return true
	case "never":
		return false
	}
	no, _ := a.env("NO_COLOR")
	kind, _ := a.env("TERM")
	return terminal && no == "" && kind != "dumb"
}

func nearHint(word string, candidates []string, otherwise string) string {
	if near := nearest(word, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return otherwise
}

// readable tells whether a file's mode lets others than its owner and group read it.
func readable(info os.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }
