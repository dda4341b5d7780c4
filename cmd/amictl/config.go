package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/apntalk/amictl/pkg/ami/redact"
)

// config is the configuration file. Secrets are in it by reference only.
//
//	context = "lab"
//	redact = ['\+49[0-9]{6,}']
//	[contexts.lab]
//	user = "admin"
//	secret = "file:~/.config/amictl/lab.secret"
//	[contexts.lab.nodes.pbx1]
//	url = "ami://127.0.0.1:5038"
//	labels = { site = "fra" }
type config struct {
	path string

	Context        string                    `toml:"context"` // the one in force
	Output         string                    `toml:"output"`
	Timeout        string                    `toml:"timeout"`
	ConnectTimeout string                    `toml:"connect_timeout"`
	Color          string                    `toml:"color"`
	Redact         []string                  `toml:"redact"` // patterns of what traces, logs and records hide
	Contexts       map[string]*contextConfig `toml:"contexts"`
}

// contextConfig is a named set of nodes with what they share.
type contextConfig struct {
	Output         string                 `toml:"output"`
	Timeout        string                 `toml:"timeout"`
	ConnectTimeout string                 `toml:"connect_timeout"`
	Color          string                 `toml:"color"`
	Protect        bool                   `toml:"protect"`
	User           string                 `toml:"user"`
	Secret         string                 `toml:"secret"`
	Auth           string                 `toml:"auth"`
	CA             string                 `toml:"ca"`
	Nodes          map[string]*nodeConfig `toml:"nodes"`
}

// nodeConfig is one server.
type nodeConfig struct {
	URL     string            `toml:"url"`
	User    string            `toml:"user"`
	Secret  string            `toml:"secret"`
	Auth    string            `toml:"auth"` // auto, md5 or plain
	CA      string            `toml:"ca"`
	TLSName string            `toml:"tls_name"`
	Pin     string            `toml:"pin"` // SHA-256 of the certificate, hex
	Labels  map[string]string `toml:"labels"`
	Filters []string          `toml:"filters"`
}

// loadConfig reads and checks a configuration file.
func loadConfig(path string) (*config, error) {
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, configError("check the permissions of the file and of the folders above it", "the config cannot be read: %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, configError("it must be a file that you may read", "the config cannot be read: %v", err)
	}
	c := &config{path: path}
	meta, err := toml.Decode(string(text), c)
	if err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return nil, configError("see `amictl context --help` for an example", "config %s, line %d: %s", path, parse.Position.Line, parse.Message)
		}
		return nil, configError("see `amictl context --help` for an example", "config %s: %s", path, strings.TrimPrefix(err.Error(), "toml: "))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, configError(nearHint(unknown[0][len(unknown[0])-1], configKeys, "see `amictl context --help` for an example"),
			"config %s: unknown key %s", path, unknown[0])
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, configError("chmod o-w "+path, "config %s may be written by everybody, so by somebody else", path)
	}
	if _, err := redact.New(redact.Config{Patterns: c.Redact}); err != nil {
		return nil, configError(`each is an RE2 expression, such as '\+49[0-9]{6,}'`, "config %s: redact: %s", path, cause(err))
	}
	return c, c.checkSecrets(info)
}

// configKeys are all keys but names.
var configKeys = []string{
	"context", "output", "timeout", "connect_timeout", "color", "contexts", "protect", "user", "secret", "auth", "ca", "nodes", "url",
	"tls_name", "pin", "labels", "filters", "redact",
}

// checkSecrets refuses a file that holds a secret itself, all the more when others may read it.
func (c *config) checkSecrets(info os.FileInfo) error {
	check := func(where, secret string) error {
		if secret == "" || isReference(secret) {
			return nil
		}
		hint := "write it to a file of mode 600 and put secret = \"file:PATH\" (or env:, cmd:, cred:) here"
		if readable(info) || info.Mode().Perm()&0o040 != 0 {
			return configError("chmod 600 "+c.path+", change the secret, then "+hint, "config %s holds a secret (%s) and others may read it", c.path, where)
		}
		return configError(hint, "config %s holds a secret itself (%s)", c.path, where)
	}
	for _, name := range c.contextNames() {
		ctx := c.Contexts[name]
		if err := check("contexts."+name+".secret", ctx.Secret); err != nil {
			return err
		}
		for _, node := range ctx.nodeNames() {
			if err := check("contexts."+name+".nodes."+node+".secret", ctx.Nodes[node].Secret); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *config) contextNames() []string { return sortedKeys(c.Contexts) }

func (c *contextConfig) nodeNames() []string { return sortedKeys(c.Nodes) }

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
