package contexts

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

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
)

const addHelp = `Examples:
  amictl context add lab                   asks for what it needs
  amictl context add lab --node ami://admin@10.0.0.5 -l site=fra
  amictl context add prod --node amis://ops@pbx2 --ca ca.pem --protect
  amictl context add prod --node ami://ops@pbx3 --secret 'cmd:pass pbx3'

Adds a server to a context of the configuration, and creates the context if there is none. The connection is
tried first, and nothing is written if it fails.
It stores where the secret is, not the secret itself: the file of --secret-file is read at each login, so keep it;
a secret that you type goes into its own file, which only you can read.`

// addOptions are those of context add.
type addOptions struct {
	context              string
	name, secret         string
	protect, use, noTest bool
}

func addCommand(r *run.Run) *cli.Command {
	o := &addOptions{}
	return r.Tell(&cli.Command{
		Name: "add", Usage: "add a server to a context, or make one", ArgsUsage: "CONTEXT", Description: addHelp,
		Flags: []cli.Flag{
			flags.Text("name", "", "the server's `NAME` in the context (its host, and its port if that name is taken)", &o.name),
			flags.Text("secret", "", "`WHERE` the secret is: file:PATH, env:NAME, cmd:COMMAND or cred:NAME", &o.secret),
			&cli.BoolFlag{Name: "protect", Usage: "ask before a change, or require --yes (new contexts)", Destination: &o.protect},
			&cli.BoolFlag{Name: "use", Usage: "make it the current context", Destination: &o.use},
			&cli.BoolFlag{Name: "no-test", Usage: "do not try the connection", Destination: &o.noTest},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Len() != 1 {
				hint := "such as `amictl context add lab`"
				if address := c.Args().Get(1); strings.Contains(address, "://") {
					hint = "the server is --node " + config.HidePassword(address)
				}
				return fail.Usage(hint, "context add takes one name")
			}
			o.context = c.Args().First()
			return add(ctx, r, o)
		},
	}, run.About{Args: run.Words{Kind: run.AnyWords}, Config: run.ConfigMayBeNew})
}

// A newNode is what context add has gathered.
type newNode struct {
	context, name string
	config        config.Node
	typed         ami.Secret // a secret that was typed, to be stored in a file
	file          string     // that file
}

func add(ctx context.Context, r *run.Run, o *addOptions) error {
	if err := errors.Join(r.RefuseTimeout("--connect-timeout"), config.CheckPlace(r.Settings.Config.Path)); err != nil {
		return err
	}
	n, err := gatherNode(r, o)
	if err != nil {
		return err
	}
	existing := r.Settings.Config.Contexts[n.context]
	if existing != nil && existing.Nodes[n.name] != nil {
		return fail.Usage("--name gives it another one", "context %s has a node %q already", n.context, n.name)
	}
	if existing != nil && o.protect && !existing.Protect {
		return fail.Usage("write `protect = true` under [contexts."+n.context+"]", "context %s exists already, and --protect is for new ones", n.context)
	}
	if !o.noTest {
		if err := tryNode(ctx, r, n); err != nil {
			return err
		}
	}
	if n.file != "" {
		if err := n.storeSecret(); err != nil {
			return err
		}
	}
	if err := storeNode(r, n, existing == nil, o); err != nil {
		return err
	}
	r.Note("%s: node %s added to context %s", r.Settings.Config.Path, n.name, n.context)
	if path, ok := strings.CutPrefix(n.config.Secret, "file:"); ok && n.file == "" {
		r.Note("%s is read at each login: keep it", path)
	}
	return nil
}

// storeSecret writes a secret that was typed to a new file: one that is there may be another node's, for different names
// can become the same.
func (n *newNode) storeSecret() error {
	if err := os.MkdirAll(filepath.Dir(n.file), 0o700); err != nil {
		return fail.Config(fail.WriteHint, "the secret cannot be stored: %v", err)
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
		return fail.Config(fail.WriteHint, "the secret cannot be stored: %v", err)
	}
	n.config.Secret = "file:" + n.file
	return nil
}

const secretSuffix = ".secret"

// gatherNode takes what the flags say and asks for the rest, if there is somebody to ask.
func gatherNode(r *run.Run, o *addOptions) (*newNode, error) {
	if len(r.Flags.Nodes) > 1 || r.Flags.Local {
		return nil, fail.Usage("call it once for each", "context add takes one --node, and no --local")
	}
	n := &newNode{context: o.context}
	if len(r.Flags.Nodes) == 0 && !r.CanAsk() {
		return nil, fail.Usage("such as --node ami://admin@10.0.0.5", "--node is missing, and there is no terminal to ask on")
	}
	n.config.URL = r.Flags.Nodes.String()
	if n.config.URL == "" {
		var err error
		if n.config.URL, err = askURL(r); err != nil {
			return nil, err
		}
	}
	u, err := config.ParseURL(n.config.URL)
	if err != nil {
		return nil, err
	}
	if u.User == "" {
		return nil, fail.Usage("write it as ami://user@host", "%s has no user", n.config.URL)
	}
	if n.name = o.name; n.name == "" {
		if n.name, err = nameNode(r, o.context, u.Addr); err != nil {
			return nil, err
		}
	}
	n.config.CA, n.config.TLSName = absolute(r, r.Flags.CA), r.Flags.TLSName
	if !u.TLS && (n.config.CA != "" || n.config.TLSName != "") {
		return nil, fail.Usage("write amis://", "--ca and --tls-name are for TLS, and %s is not TLS", n.config.URL)
	}
	n.config.Labels = make(map[string]string)
	for _, l := range r.Flags.Labels {
		key, value, found := strings.Cut(l, "=")
		if !found || key == "" {
			return nil, fail.Usage("such as -l site=fra", "--label %q is not KEY=VALUE", l)
		}
		n.config.Labels[key] = value
	}
	return n, gatherSecret(r, o, n)
}

// nameNode names a server by its host, and by its port too where a node of that name is there already. Whoever was asked for
// the server may call it otherwise.
func nameNode(r *run.Run, context, addr string) (string, error) {
	host, port, _ := net.SplitHostPort(addr) // ParseURL has joined them
	name := host
	if c := r.Settings.Config.Contexts[context]; c != nil && c.Nodes[host] != nil {
		if u, err := config.ParseURL(c.Nodes[host].URL); err == nil && u.Addr != addr {
			name = host + "-" + port
		}
	}
	if len(r.Flags.Nodes) > 0 {
		return name, nil
	}
	typed, err := r.Ask("Name of the server in the context [" + name + "]: ")
	if err != nil {
		return "", fail.Usage("run it again, or give --node ami://user@host", "nothing was added")
	}
	return cmp.Or(typed, name), nil
}

// askURL asks where the server is, and for whom; whoever types a host alone means AMI on its usual port.
func askURL(r *run.Run) (string, error) {
	nothing := fail.Usage("run it again, or give --node ami://user@host", "nothing was added")
	for {
		typed, err := r.Ask("URL of the server, or its host (amis://host:5039 for TLS): ")
		if err != nil {
			return "", nothing
		}
		scheme, rest, found := strings.Cut(typed, "://")
		if !found {
			scheme, rest = "ami", typed
		}
		u, err := config.ParseURL(scheme + "://" + rest)
		if err != nil {
			r.Complain(fail.Classify(err))
			continue
		}
		if u.User != "" {
			return scheme + "://" + rest, nil
		}
		user, err := r.Ask("User (a section of its manager.conf): ")
		if err != nil || user == "" {
			return "", nothing
		}
		return scheme + "://" + url.User(user).String() + "@" + rest, nil
	}
}

// gatherSecret finds a reference to the secret: --secret, --secret-file (or its variable), or what is typed.
func gatherSecret(r *run.Run, o *addOptions, n *newNode) error {
	switch file := r.Settings.SecretFile; {
	case o.secret != "" && !config.IsReference(o.secret):
		return fail.Usage("file:PATH, env:NAME, cmd:COMMAND or cred:NAME: arguments are seen by every user of the host", "--secret takes where the secret is, not the secret")
	case o.secret != "":
		n.config.Secret = o.secret
		if path, ok := strings.CutPrefix(o.secret, "file:"); ok && !strings.HasPrefix(path, "~/") {
			n.config.Secret = "file:" + absolute(r, path)
		}
	case file != "":
		n.config.Secret = "file:" + absolute(r, file)
	case !r.CanAsk():
		return fail.Usage("--secret-file FILE, or --secret env:NAME", "no secret was given, and there is no terminal to ask on")
	default:
		typed, err := r.AskSecret("Secret (it is not shown; it goes to a file that only you can read): ")
		if err != nil || len(typed) == 0 {
			return fail.Usage("type it, or say where it is with --secret-file FILE or --secret env:NAME", "no secret was given; nothing was added")
		}
		n.typed = ami.NewSecret(typed)
		n.file = filepath.Join(filepath.Dir(r.Settings.Config.Path), safeFileName(n.context+"-"+n.name)+secretSuffix)
		n.config.Secret = "file:" + n.file
	}
	return nil
}

func safeFileName(s string) string {
	return regexp.MustCompile(`[^A-Za-z0-9._-]`).ReplaceAllString(s, "_")
}

func absolute(r *run.Run, path string) string {
	if path == "" {
		return ""
	}
	expanded, err := target.ExpandHome(r, path)
	if err != nil {
		return path
	}
	if abs, err := filepath.Abs(expanded); err == nil {
		return abs
	}
	return path
}

// tryNode logs in once.
func tryNode(ctx context.Context, r *run.Run, n *newNode) error {
	cfg, err := target.Node(r, n.name, &n.config, &config.Context{})
	if err != nil && n.file == "" {
		return err
	}
	if n.file != "" {
		cfg.Secret = ami.StaticSecret(n.typed.Reveal())
	}
	target.Watched(r, &cfg)
	c, err := target.Dial(ctx, r, cfg)
	if err != nil {
		f := fail.Classify(err)
		return &fail.Error{Code: f.Code, Message: f.Message, Hint: f.Hint + "; --no-test stores it anyway"}
	}
	r.Note("%s: logged in, %s", n.name, c.Banner())
	target.Leave(ctx, c)
	return nil
}

// storeNode appends the node to the configuration, whose other lines stay as they are.
func storeNode(r *run.Run, n *newNode, fresh bool, o *addOptions) error {
	path := r.Settings.Config.Path
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be written: %v", err)
	}
	return config.EditConfig(path, func(old string) (string, error) { return withNode(r, old, n, fresh, o), nil })
}

// withNode adds the node to a configuration's text.
func withNode(r *run.Run, old string, n *newNode, fresh bool, o *addOptions) string {
	var b strings.Builder
	b.WriteString(old)
	if len(old) > 0 {
		if !strings.HasSuffix(old, "\n") {
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	prefix := "contexts." + config.TOMLKey(n.context)
	if fresh && o.protect {
		b.WriteString("[" + prefix + "]\nprotect = true\n\n")
	}
	b.WriteString("[" + prefix + ".nodes." + config.TOMLKey(n.name) + "]\n")
	for _, line := range []struct{ key, value string }{
		{"url", n.config.URL}, {"secret", n.config.Secret}, {"ca", n.config.CA}, {"tls_name", n.config.TLSName},
	} {
		if line.value != "" {
			b.WriteString(line.key + " = " + config.TOMLString(line.value) + "\n")
		}
	}
	if len(n.config.Labels) > 0 {
		var words []string
		for _, k := range slices.Sorted(maps.Keys(n.config.Labels)) {
			words = append(words, config.TOMLKey(k)+" = "+config.TOMLString(n.config.Labels[k]))
		}
		b.WriteString("labels = { " + strings.Join(words, ", ") + " }\n")
	}
	text := b.String()
	if o.use || r.Settings.Config.Context == "" && len(r.Settings.Config.Contexts) == 0 {
		text = config.WithContextLine(text, n.context)
	}
	return text
}
