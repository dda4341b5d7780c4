package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/tomlfile"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/output"
)

// File is the configuration file. Secrets are in it by reference only.
//
//	context = "lab"
//	redact = ['\+49[0-9]{6,}']
//	[contexts.lab]
//	user = "admin"
//	secret = "file:~/.config/amictl/lab.secret"
//	[contexts.lab.nodes.pbx1]
//	url = "ami://127.0.0.1:5038"
//	labels = { site = "fra" }
type File struct {
	Path string `toml:"-"`

	Context        string              `toml:"context"` // the current one
	Output         string              `toml:"output"`
	Timeout        string              `toml:"timeout"`
	ConnectTimeout string              `toml:"connect_timeout"`
	Color          string              `toml:"color"`
	Redact         []string            `toml:"redact"` // patterns of what traces, logs and records hide
	Contexts       map[string]*Context `toml:"contexts"`
	Serve          any                 `toml:"serve"` // these two are for Daemon
	Users          any                 `toml:"users"`

	text string
	info os.FileInfo
}

// Context is a named set of nodes with what they share.
type Context struct {
	Output         string           `toml:"output"`
	Timeout        string           `toml:"timeout"`
	ConnectTimeout string           `toml:"connect_timeout"`
	Color          string           `toml:"color"`
	Protect        bool             `toml:"protect"`
	User           string           `toml:"user"`
	Secret         string           `toml:"secret"`
	Auth           string           `toml:"auth"`
	CA             string           `toml:"ca"`
	Nodes          map[string]*Node `toml:"nodes"`

	// The bus that its events are on: see docs/bus.md.
	NATS      string `toml:"nats"` // its URL
	Cluster   string `toml:"cluster"`
	NATSCreds string `toml:"nats_creds"` // a file of credentials
	NATSNKey  string `toml:"nats_nkey"`  // a file with a seed
	NATSCA    string `toml:"nats_ca"`
	NATSUser  string `toml:"nats_user"` // in whose name actions are asked for
}

// Node is one server.
type Node struct {
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

// Load reads and checks a configuration file. What is relative in it is relative to its folder: it means the same wherever
// amictl is run.
func Load(path string) (*File, error) {
	text, info, err := read(path)
	if err != nil {
		return nil, err
	}
	c := &File{Path: path, text: text, info: info}
	unknown, err := tomlfile.Decode(text, c)
	if err := decodeError("config "+path, "see `amictl context --help` for an example", unknown, err); err != nil {
		return nil, err
	}
	if _, err := redact.New(redact.Config{Patterns: c.Redact}); err != nil {
		return nil, fail.Config(`each is an RE2 expression, such as '\+49[0-9]{6,}'`, "config %s: redact: %s", path, fail.Cause(err))
	}
	if err := c.checkSecrets(info); err != nil {
		return nil, err
	}
	c.anchor()
	return c, nil
}

// anchor makes the paths in a configuration independent of the current folder, which may be a stranger's.
func (c *File) anchor() {
	folder := filepath.Dir(c.Path)
	for _, ctx := range c.Contexts {
		for _, path := range []*string{&ctx.CA, &ctx.NATSCreds, &ctx.NATSNKey, &ctx.NATSCA} {
			anchorPath(folder, path)
		}
		anchorSecret(folder, &ctx.Secret)
		for _, n := range ctx.Nodes {
			anchorPath(folder, &n.CA)
			anchorSecret(folder, &n.Secret)
		}
	}
}

func anchorPath(folder string, at *string) {
	if path := *at; path != "" && !filepath.IsAbs(path) && !strings.HasPrefix(path, "~/") {
		*at = filepath.Join(folder, path)
	}
}

func anchorSecret(folder string, reference *string) {
	if path, ok := strings.CutPrefix(*reference, "file:"); ok && path != "" {
		anchorPath(folder, &path)
		*reference = "file:" + path
	}
}

// decodeError is the error of a file that cannot be decoded, or has a key that its table has not.
func decodeError(file, hint string, unknown []tomlfile.Unknown, err error) error {
	switch {
	case err != nil:
		return fail.Config(hint, "%s, %s", file, tomlfile.Explain(err))
	case len(unknown) > 0:
		u := unknown[0]
		return fail.Config(fail.NearHint(u.Last(), u.Known, "the keys there are "+strings.Join(u.Known, ", ")), "%s: unknown key %s", file, u.Key)
	}
	return nil
}

// checkSecrets refuses a file that holds a secret itself.
func (c *File) checkSecrets(info os.FileInfo) error {
	for _, name := range c.ContextNames() {
		ctx := c.Contexts[name]
		if err := checkSecret("config "+c.Path, info, "contexts."+name+".secret", ctx.Secret); err != nil {
			return err
		}
		for _, node := range ctx.NodeNames() {
			if err := checkSecret("config "+c.Path, info, "contexts."+name+".nodes."+node+".secret", ctx.Nodes[node].Secret); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSecret refuses a secret that is no reference, all the more when others may read the file.
func checkSecret(file string, info os.FileInfo, where, secret string) error {
	if secret == "" || IsReference(secret) {
		return nil
	}
	_, path, _ := strings.Cut(file, " ")
	hint := "write it to a file of mode 600 and put secret = \"file:PATH\" (or env:, cmd:, cred:) here"
	if Readable(info) || info.Mode().Perm()&0o040 != 0 {
		return fail.Config("chmod 600 "+path+", change the secret, then "+hint, "%s holds a secret (%s), and others may read it", file, where)
	}
	return fail.Config(hint, "%s itself holds a secret (%s)", file, where)
}

// ContextNames are the names of all contexts, sorted.
func (c *File) ContextNames() []string {
	return slices.SortedFunc(maps.Keys(c.Contexts), output.CompareNames)
}

// NodeNames are the names of the context's nodes, sorted: pbx2 before pbx10.
func (c *Context) NodeNames() []string {
	return slices.SortedFunc(maps.Keys(c.Nodes), output.CompareNames)
}

// Matches reports whether a word is a node's name, or a glob of it if no node is called so.
func (c *Context) Matches(word, name string) bool {
	if c.Nodes[word] != nil {
		return word == name
	}
	return ami.MatchGlob(word, name)
}
