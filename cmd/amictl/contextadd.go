package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/ami"
)

const contextAddHelp = `Examples:
  amictl context add lab                   asks for what it needs
  amictl context add lab --node ami://admin@10.0.0.5 -l site=fra
  amictl context add prod --node amis://ops@pbx2 --ca ca.pem --protect
  amictl context add prod --node ami://ops@pbx3 --secret 'cmd:pass pbx3'

Adds a server to a context of the configuration, and makes the context if there is none. The connection is
tried first, and nothing is written when it fails. What is stored is where the secret is, not the secret; one
that is typed goes into a file of its own that only you can read.`

// contextAddFlags are those of context add.
type contextAddFlags struct {
	name, secret         string
	protect, use, noTest bool
}

func (a *app) contextAddCommand() *cli.Command {
	f := &contextAddFlags{}
	return a.tell(&cli.Command{
		Name: "add", Usage: "add a server to a context, or make one", ArgsUsage: "CONTEXT", Description: contextAddHelp,
		Flags: []cli.Flag{
			text("name", "", "the server's `NAME` in the context (its host)", &f.name),
			text("secret", "", "`WHERE` the secret is: file:PATH, env:NAME, cmd:COMMAND or cred:NAME", &f.secret),
			&cli.BoolFlag{Name: "protect", Usage: "what may change something will ask, or need --yes (new contexts)", Destination: &f.protect},
			&cli.BoolFlag{Name: "use", Usage: "make it the context in force", Destination: &f.use},
			&cli.BoolFlag{Name: "no-test", Usage: "do not try the connection", Destination: &f.noTest},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Len() != 1 {
				return usageError("such as `amictl context add lab`", "context add takes one name")
			}
			return a.contextAdd(ctx, f, c.Args().First())
		},
	}, about{config: configMayBeNew})
}

// A newNode is what context add has gathered.
type newNode struct {
	context, name string
	config        nodeConfig
	typed         ami.Secret // a secret that was typed, to be stored in a file
	file          string     // that file
}

func (a *app) contextAdd(ctx context.Context, f *contextAddFlags, name string) error {
	n, err := a.gatherNode(f, name)
	if err != nil {
		return err
	}
	existing := a.settings.config.Contexts[n.context]
	if existing != nil && existing.Nodes[n.name] != nil {
		return usageError("--name gives it another one", "context %s has a node %q already", n.context, n.name)
	}
	if existing != nil && f.protect && !existing.Protect {
		return usageError("write `protect = true` under [contexts."+n.context+"]", "context %s exists, and --protect is for new ones", n.context)
	}
	if !f.noTest {
		if err := a.tryNode(ctx, n); err != nil {
			return err
		}
	}
	if n.file != "" {
		if err := n.storeSecret(); err != nil {
			return err
		}
	}
	if err := a.storeNode(n, existing == nil, f); err != nil {
		return err
	}
	a.note("%s: node %s added to context %s", a.settings.config.path, n.name, n.context)
	return nil
}

// storeSecret writes a secret that was typed to a new file: one that is there may be another node's, for different names
// can become the same.
func (n *newNode) storeSecret() error {
	if err := os.MkdirAll(filepath.Dir(n.file), 0o700); err != nil {
		return configError(writeHint, "the secret cannot be stored: %v", err)
	}
	stem := strings.TrimSuffix(n.file, secretSuffix)
	f, err := os.OpenFile(n.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	for i := 2; errors.Is(err, fs.ErrExist) && i < 100; i++ {
		n.file = stem + "-" + strconv.Itoa(i) + secretSuffix
		f, err = os.OpenFile(n.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	if err == nil {
		_, err = f.WriteString(n.typed.Reveal() + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return configError(writeHint, "the secret cannot be stored: %v", err)
	}
	n.config.Secret = "file:" + n.file
	return nil
}

const secretSuffix = ".secret"

// gatherNode takes what the flags say and asks for the rest, if there is somebody to ask.
func (a *app) gatherNode(f *contextAddFlags, name string) (*newNode, error) {
	if len(a.flags.nodes) > 1 || a.flags.local {
		return nil, usageError("call it once for each", "context add takes one --node, and no --local")
	}
	n := &newNode{context: name}
	in, err := a.questions()
	if err != nil && len(a.flags.nodes) == 0 {
		return nil, usageError("such as --node ami://admin@10.0.0.5", "--node is missing, and there is no terminal to ask on")
	}
	n.config.URL = a.flags.nodes.String()
	if n.config.URL == "" {
		if n.config.URL, err = a.askURL(in); err != nil {
			return nil, err
		}
	}
	u, err := parseNodeURL(n.config.URL)
	if err != nil {
		return nil, err
	}
	if u.user == "" {
		return nil, usageError("write it as ami://user@host", "%s names no user", n.config.URL)
	}
	host, _, _ := net.SplitHostPort(u.addr) // parseNodeURL has joined them
	n.name = cmp.Or(f.name, host)
	n.config.CA, n.config.TLSName = a.absolute(a.flags.ca), a.flags.tlsName
	if !u.tls && (n.config.CA != "" || n.config.TLSName != "") {
		return nil, usageError("write amis://", "--ca and --tls-name have no use with %s, which is not TLS", n.config.URL)
	}
	n.config.Labels = make(map[string]string)
	for _, l := range a.flags.labels {
		key, value, found := strings.Cut(l, "=")
		if !found || key == "" {
			return nil, usageError("such as -l site=fra", "--label %q is not KEY=VALUE", l)
		}
		n.config.Labels[key] = value
	}
	return n, a.gatherSecret(f, n, in)
}

// askURL asks where the server is, and for whom; whoever types a host alone means AMI on its usual port.
func (a *app) askURL(in *os.File) (string, error) {
	nothing := usageError("run it again, or give --node ami://user@host", "nothing was added")
	for {
		typed, err := a.ask(in, "URL of the server, or its host (amis://host:5039 for TLS): ")
		if err != nil {
			return "", nothing
		}
		scheme, rest, found := strings.Cut(typed, "://")
		if !found {
			scheme, rest = "ami", typed
		}
		u, err := parseNodeURL(scheme + "://" + rest)
		if err != nil {
			a.complain(classify(err))
			continue
		}
		if u.user != "" {
			return scheme + "://" + rest, nil
		}
		user, err := a.ask(in, "User (a section of its manager.conf): ")
		if err != nil || user == "" {
			return "", nothing
		}
		return scheme + "://" + url.User(user).String() + "@" + rest, nil
	}
}

// gatherSecret finds a reference to the secret: --secret, --secret-file (or its variable), or what is typed.
func (a *app) gatherSecret(f *contextAddFlags, n *newNode, in *os.File) error {
	switch file := a.settings.get("secret-file"); {
	case f.secret != "" && !isReference(f.secret):
		return usageError("file:PATH, env:NAME, cmd:COMMAND or cred:NAME: arguments are seen by every user of the host", "--secret takes where the secret is, not the secret")
	case f.secret != "":
		n.config.Secret = f.secret
	case file != "":
		n.config.Secret = "file:" + a.absolute(file)
	case in == nil:
		return usageError("--secret-file FILE, or --secret env:NAME", "where the secret is was not given, and there is no terminal to ask on")
	default:
		typed, err := a.askSecret(in, "Secret (it is not shown; it goes to a file that only you can read): ")
		if err != nil || len(typed) == 0 {
			return usageError("type it, or say where it is with --secret-file FILE or --secret env:NAME", "no secret was given; nothing was added")
		}
		n.typed = ami.NewSecret(typed)
		n.file = filepath.Join(filepath.Dir(a.settings.config.path), safeFileName(n.context+"-"+n.name)+secretSuffix)
		n.config.Secret = "file:" + n.file
	}
	return nil
}

func safeFileName(s string) string {
	return regexp.MustCompile(`[^A-Za-z0-9._-]`).ReplaceAllString(s, "_")
}

// questions returns the terminal to ask on, or an error.
func (a *app) questions() (*os.File, error) {
	in, ok := a.stdin.(*os.File)
	if !ok || !isatty.IsTerminal(in.Fd()) || !a.stderrIsTerminal() {
		return nil, errors.New("no terminal")
	}
	return in, nil
}

func (a *app) absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(a.expandHome(path)); err == nil {
		return abs
	}
	return path
}

// tryNode logs in once.
func (a *app) tryNode(ctx context.Context, n *newNode) error {
	cfg, err := a.node(n.name, &n.config, &contextConfig{})
	if err != nil && n.file == "" {
		return err
	}
	if n.file != "" {
		cfg.Secret = ami.StaticSecret(n.typed.Reveal())
	}
	a.watched(&cfg)
	c, err := a.dial(ctx, cfg)
	if err != nil {
		f := classify(err)
		return &cliError{code: f.Code, msg: f.Message, hint: f.Hint + "; --no-test stores it all the same"}
	}
	a.note("%s: logged in, %s", n.name, c.Banner())
	leave(ctx, c)
	return nil
}

// storeNode appends the node to the configuration, whose other lines stay as they are.
func (a *app) storeNode(n *newNode, fresh bool, f *contextAddFlags) error {
	path := a.settings.config.path
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return configError(writeHint, "the config cannot be written: %v", err)
	}
	return editConfig(path, func(old string) string { return a.withNode(old, n, fresh, f) })
}

// withNode adds the node to a configuration's text.
func (a *app) withNode(old string, n *newNode, fresh bool, f *contextAddFlags) string {
	var b strings.Builder
	b.WriteString(old)
	if len(old) > 0 {
		if !strings.HasSuffix(old, "\n") {
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	prefix := "contexts." + tomlKey(n.context)
	if fresh && f.protect {
		b.WriteString("[" + prefix + "]\nprotect = true\n\n")
	}
	b.WriteString("[" + prefix + ".nodes." + tomlKey(n.name) + "]\n")
	for _, line := range []struct{ key, value string }{
		{"url", n.config.URL}, {"secret", n.config.Secret}, {"ca", n.config.CA}, {"tls_name", n.config.TLSName},
	} {
		if line.value != "" {
			b.WriteString(line.key + " = " + tomlString(line.value) + "\n")
		}
	}
	if len(n.config.Labels) > 0 {
		var words []string
		for _, k := range slices.Sorted(maps.Keys(n.config.Labels)) {
			words = append(words, tomlKey(k)+" = "+tomlString(n.config.Labels[k]))
		}
		b.WriteString("labels = { " + strings.Join(words, ", ") + " }\n")
	}
	text := b.String()
	if f.use || a.settings.config.Context == "" && len(a.settings.config.Contexts) == 0 {
		text = withContextLine(text, n.context)
	}
	return text
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(s string) string {
	if bareKey.MatchString(s) {
		return s
	}
	return tomlString(s)
}

// tomlString writes a basic string. TOML knows neither \x nor \a, which strconv would write for controls.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\u00` + strconv.FormatInt(0x100+int64(r), 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
