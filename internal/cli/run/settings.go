package run

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
)

// A Setting is a value and where it came from: flag, environment, context, file or default, the first that says it.
type Setting struct {
	Name, Value, Source string
}

// settings are what a run uses, resolved.
type settings struct {
	Config      *config.File
	Context     string // "" none
	contextFrom string
	List        []Setting // in the order `config explain` shows them
}

func (s *settings) Get(name string) string {
	value, _ := s.Source(name)
	return value
}

// Source returns a setting and where it came from.
func (s *settings) Source(name string) (value, source string) {
	for _, v := range s.List {
		if v.Name == name {
			return v.Value, v.Source
		}
	}
	return "", ""
}

// ResolveSettings reads the configuration and decides every setting.
func (r *Run) ResolveSettings(need configNeed) (*settings, error) {
	path, source := r.ConfigPath()
	cfg, err := config.Load(path)
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
		return nil, fail.Config("give an existing file; `amictl context --help` shows what is in one", "the config %s does not exist", path)
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

// contextName is the context in force, "" for none.
func (r *Run) contextName(cfg *config.File) string {
	name, _ := r.First(r.Flags.Context, "AMICTL_CONTEXT", "", cfg.Context, "")
	return name
}

// decideSettings takes each setting from the first that says it. The context may be nil.
func (r *Run) decideSettings(cfg *config.File, source string, c *config.Context) (*settings, error) {
	if c == nil || r.Flags.Local {
		c = &config.Context{}
	}
	s := &settings{Config: cfg}
	s.List = append(s.List, Setting{"config", cfg.Path, source})
	s.Context, s.contextFrom = r.First(r.Flags.Context, "AMICTL_CONTEXT", "", cfg.Context, "")
	s.List = append(s.List, Setting{"context", s.Context, s.contextFrom})
	for _, v := range []struct{ name, flag, env, context, file, def string }{
		{"output", r.Flags.Output, "AMICTL_OUTPUT", c.Output, cfg.Output, "auto"},
		{"timeout", r.Flags.Timeout.String(), "AMICTL_TIMEOUT", c.Timeout, cfg.Timeout, "30s"},
		{"connect-timeout", r.Flags.connect.String(), "", c.ConnectTimeout, cfg.ConnectTimeout, ""},
		{"color", r.Flags.color, "", c.Color, cfg.Color, "auto"},
		{"secret-file", r.Flags.SecretFile, "AMICTL_SECRET_FILE", "", "", ""},
		{"node", r.Flags.Nodes.String(), "AMICTL_NODE", "", "", ""},
	} {
		value, from := r.First(v.flag, v.env, v.context, v.file, v.def)
		s.List = append(s.List, Setting{v.name, value, from})
	}
	return s, s.check()
}

// check refuses values that no flag's parser has seen.
func (s *settings) check() error {
	for _, v := range s.List {
		var err error
		switch {
		case v.Value == "":
		case v.Name == "timeout" || v.Name == "connect-timeout":
			_, err = flags.ParseDuration(v.Value)
		case v.Name == "output" && !isFormat(v.Value):
			err = errors.New("not one of auto, table, jsonl, json, csv, raw, none")
		case v.Name == "color" && v.Value != "auto" && v.Value != "always" && v.Value != "never":
			err = errors.New("not one of auto, always, never")
		}
		if err != nil {
			return fail.Usage(settingHint(v.Name), "%s %q (%s): %v", v.Name, v.Value, v.Source, err)
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

// ConfigPath returns where the configuration is.
func (r *Run) ConfigPath() (path, source string) {
	if r.Flags.Config != "" {
		return r.Flags.Config, "flag"
	}
	if p, ok := r.Env("AMICTL_CONFIG"); ok && p != "" {
		return p, "AMICTL_CONFIG"
	}
	dir, ok := r.Env("XDG_CONFIG_HOME")
	if !ok || dir == "" {
		home, _ := r.Env("HOME")
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "amictl", "config.toml"), "default"
}

// Timeout is the time for one action or wait.
func (r *Run) Timeout() time.Duration {
	d, _ := flags.ParseDuration(r.Settings.Get("timeout"))
	return d
}

// ConnectTimeout is the time for a connection, 0 if the engine's defaults hold.
func (r *Run) ConnectTimeout() time.Duration {
	if v := r.Settings.Get("connect-timeout"); v != "" {
		d, _ := flags.ParseDuration(v)
		return d
	}
	return 0
}
