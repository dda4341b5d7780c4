package run

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
)

// Settings are what a run uses, each from the first that says it: flag, environment, context, file or default.
type Settings struct {
	Config         *config.File
	Context        string // the name of the context that is used, "" none
	Output         Output
	Timeout        time.Duration // for one action or wait
	ConnectTimeout time.Duration // for a connection, login included; 0: the engine's defaults hold
	color          colorChoice
	SecretFile     string // "" none
	SecretFileFrom string // who named it

	sources []Setting
}

// A Setting is a value as it was given, and by whom.
type Setting struct{ Name, Value, Source string }

// Explain returns every setting as it was given, in the order in which `config explain` shows them.
func (s *Settings) Explain() []Setting { return s.sources }

// Output is what --output and its like ask for.
type Output string

// The output formats. Each subcommand takes some of them.
const (
	OutputAuto       Output = "auto"
	OutputTable      Output = "table"
	OutputWide       Output = "wide" // a table with all columns
	OutputJSONLines  Output = "jsonl"
	OutputJSON       Output = "json"
	OutputCSV        Output = "csv"
	OutputRaw        Output = "raw"
	OutputNone       Output = "none"
	OutputNagios     Output = "nagios"
	OutputPrometheus Output = "prometheus"
	OutputJUnit      Output = "junit"
	OutputTAP        Output = "tap"
)

var outputs = []Output{
	OutputAuto, OutputTable, OutputWide, OutputJSONLines, OutputJSON, OutputCSV, OutputRaw, OutputNone, OutputNagios, OutputPrometheus, OutputJUnit,
	OutputTAP,
}

// A colorChoice is when to colour.
type colorChoice string

// The choices of --color.
const (
	colorAuto   colorChoice = "auto"
	colorAlways colorChoice = "always"
	colorNever  colorChoice = "never"
)

// largeConfig is from how many bytes on a configuration is large: some hundred nodes.
const largeConfig = 64 << 10

// ResolveSettings reads the configuration and decides every setting.
func (r *Run) ResolveSettings(need configNeed) (*Settings, error) {
	path, source := r.ConfigPath()
	var cfg *config.File
	err := fs.ErrNotExist
	if path != "" {
		if info, err := os.Stat(path); err == nil && info.Size() > largeConfig {
			FavourStreams() // or the collector takes a quarter of what reading it takes
		}
		cfg, err = config.Load(path)
	}
	if need == ConfigMayBeBroken {
		if err == nil {
			if s, err := r.decideSettings(cfg, source, cfg.Contexts[r.contextName(cfg)]); err == nil {
				return s, nil
			}
		}
		return r.decideSettings(&config.File{Path: path}, source, nil)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && (source == "default" || need == ConfigMayBeNew):
		cfg, err = &config.File{Path: path}, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail.Config("give an existing file; `amictl context --help` shows an example", "the config %s does not exist", path)
	}
	if err != nil {
		return nil, err
	}
	name := r.contextName(cfg)
	c := cfg.Contexts[name]
	if c == nil && name != "" && !r.Flags.Local {
		return nil, fail.Config(fail.NearHint(name, cfg.ContextNames(), "`amictl context list` shows them"), "there is no context %q in %s", name, path)
	}
	return r.decideSettings(cfg, source, c)
}

// contextName is the current context, "" for none.
func (r *Run) contextName(cfg *config.File) string {
	name, _ := r.First(r.Flags.Context, "AMICTL_CONTEXT", "", cfg.Context, "")
	return name
}

// decideSettings takes each setting from the first that says it. The context may be nil.
func (r *Run) decideSettings(cfg *config.File, source string, c *config.Context) (*Settings, error) {
	if c == nil || r.Flags.Local {
		c = &config.Context{}
	}
	s := &Settings{Config: cfg}
	s.sources = append(s.sources, Setting{"config", cfg.Path, source})
	var wrong error
	decide := func(name string, take func(value string) error, flag, env, context, file, def string) (from string) {
		value, from := r.First(flag, env, context, file, def)
		s.sources = append(s.sources, Setting{name, value, from})
		if value == "" {
			return from
		}
		if err := take(value); err != nil && wrong == nil {
			wrong = fail.Usage(settingHint(name), "%s %q (%s): %v", name, value, from, err)
		}
		return from
	}
	decide("context", text(&s.Context), r.Flags.Context, "AMICTL_CONTEXT", "", cfg.Context, "")
	decide("output", s.takeOutput, r.Flags.Output, "AMICTL_OUTPUT", c.Output, cfg.Output, string(OutputAuto))
	decide("timeout", duration(&s.Timeout), r.Flags.Timeout.String(), "AMICTL_TIMEOUT", c.Timeout, cfg.Timeout, "30s")
	decide("connect-timeout", duration(&s.ConnectTimeout), r.Flags.connect.String(), "", c.ConnectTimeout, cfg.ConnectTimeout, "")
	decide("color", s.takeColor, r.Flags.color, "", c.Color, cfg.Color, string(colorAuto))
	s.SecretFileFrom = decide("secret-file", text(&s.SecretFile), r.Flags.SecretFile, "AMICTL_SECRET_FILE", "", "", "")
	decide("node", text(new(string)), r.Flags.Nodes.String(), "AMICTL_NODE", "", "", "") // package target decides which nodes
	return s, wrong
}

// RefuseTimeout refuses --timeout in a run that waits for no action and for nothing else: it would go on all the same. instead is the
// flag that may be meant.
func (r *Run) RefuseTimeout(instead string) error {
	if !r.Flags.Timeout.Given {
		return nil
	}
	return fail.Usage("you may mean "+instead+" "+r.Flags.Timeout.String(), "--timeout is for an action or a wait, and there is none here")
}

// RefuseOutput refuses the flags that say how records are printed, in a run that prints none. hint is what gives some.
func (r *Run) RefuseOutput(hint string) error {
	for _, f := range []struct{ name, value string }{{"output", r.Flags.Output}, {"fields", r.Flags.Fields}, {"query", r.Flags.Query}} {
		if f.value != "" {
			return fail.Usage(hint, "--%s is for records, and none are printed here", f.name)
		}
	}
	return nil
}

func text(to *string) func(string) error {
	return func(value string) error { *to = value; return nil }
}

func duration(to *time.Duration) func(string) error {
	return func(value string) (err error) { *to, err = flags.ParseDuration(value); return err }
}

func (s *Settings) takeOutput(value string) error {
	if !slices.Contains(outputs, Output(value)) {
		return errors.New("not one of auto, table, wide, jsonl, json, csv, raw, none")
	}
	s.Output = Output(value)
	return nil
}

func (s *Settings) takeColor(value string) error {
	if c := colorChoice(value); c != colorAuto && c != colorAlways && c != colorNever {
		return errors.New("not one of auto, always, never")
	}
	s.color = colorChoice(value)
	return nil
}

// settingHint says what a setting may be.
func settingHint(name string) string {
	switch name {
	case "output":
		return formats
	case "color":
		return "auto, always or never"
	}
	return "such as 500ms, 10s or 2m"
}

// First returns the first value that is given, and by whom.
func (r *Run) First(flag, env, context, file, def string) (value, source string) {
	if flag != "" {
		return flag, "flag"
	}
	if env != "" {
		if v, ok := r.Env(env); ok && v != "" {
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

// ConfigPath returns where the configuration is, "" if there is no place for one. It is never in the current folder unless
// somebody says so: that may be a stranger's, and a configuration names commands to run.
func (r *Run) ConfigPath() (path, source string) {
	if r.Flags.Config != "" {
		return r.Flags.Config, "flag"
	}
	if p, ok := r.Env("AMICTL_CONFIG"); ok && p != "" {
		return p, "AMICTL_CONFIG"
	}
	dir, _ := r.Env("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // one that is relative is to be ignored, as the XDG base directory specification says
		home := r.Home()
		if home == "" {
			return "", "default"
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "amictl", "config.toml"), "default"
}

// Home returns the user's home folder, "" if none is known: HOME, else, under cron or systemd, what the user database says.
func (r *Run) Home() string {
	home, _ := r.Env("HOME")
	return homeOf(home, user.LookupId)
}

// homeOf is Home of a HOME and of what looks a user up by number.
func homeOf(home string, lookup func(uid string) (*user.User, error)) string {
	if filepath.IsAbs(home) {
		return home
	}
	u, err := lookup(strconv.Itoa(os.Getuid()))
	if err != nil || !filepath.IsAbs(u.HomeDir) {
		return ""
	}
	return u.HomeDir
}
