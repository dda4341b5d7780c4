package main

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/apntalk/amictl/pkg/ami"
)

// targets returns the nodes that a run is about: the union of --node, else AMICTL_NODE, else the context's; labels
// filter them. There is at least one.
func (a *app) targets() ([]ami.Config, error) {
	wanted := []string(a.flags.nodes)
	if v, ok := a.env("AMICTL_NODE"); ok && v != "" && len(wanted) == 0 && !a.flags.local {
		wanted = []string{v}
	}
	var found []ami.Config
	var err error
	switch {
	case a.flags.local || a.flags.managerConf != "":
		if len(a.flags.nodes) > 0 {
			return nil, usageError("leave one of them out", "--local and --node do not go together")
		}
		found, err = a.localNode()
	case len(wanted) > 0:
		found, err = a.namedNodes(wanted)
	default:
		found, err = a.contextNodes()
	}
	if err != nil {
		return nil, err
	}
	if found, err = filterLabels(found, a.flags.labels); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, usageError("`amictl context show` lists the nodes and their labels", "no node matches")
	}
	for i := range found {
		a.watched(&found[i])
	}
	return found, nil
}

// namedNodes resolves names, globs, URLs and files of them, each node once.
func (a *app) namedNodes(wanted []string) (found []ami.Config, err error) {
	words, err := a.expandFiles(wanted)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]ami.Config)
	for _, word := range words {
		some, err := a.namedNode(word)
		if err != nil {
			return nil, err
		}
		for _, n := range some {
			same, there := seen[n.Name]
			if there && (same.Username != n.Username || same.Addr != n.Addr || (same.TLS == nil) != (n.TLS == nil)) {
				return nil, usageError("`amictl context add` gives each a name of its own", "two different nodes are called %s: one of user %s, one of user %s", n.Name, same.Username, n.Username)
			}
			if !there {
				seen[n.Name] = n
				found = append(found, n)
			}
		}
	}
	return found, nil
}

// expandFiles replaces @FILE and @- by what they hold: one node a line, # begins a comment.
func (a *app) expandFiles(words []string) (out []string, err error) {
	for _, word := range words {
		name, isFile := strings.CutPrefix(word, "@")
		if !isFile {
			out = append(out, word)
			continue
		}
		in, err := a.open(name, "--node "+word)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			line, _, _ := strings.Cut(lines.Text(), "#")
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
		_ = in.Close()
		if err := lines.Err(); err != nil {
			return nil, usageError(readHint, "%s: %v", word, err)
		}
	}
	return out, nil
}

// open opens a file for reading; "-" is standard input.
func (a *app) open(name, who string) (io.ReadCloser, error) {
	if name == "-" {
		in, err := a.claimStdin(who)
		return io.NopCloser(newStoppable(in, a.stopped)), err
	}
	if st, err := os.Stat(name); err == nil && st.Mode()&os.ModeNamedPipe != 0 {
		return io.NopCloser(newStoppable(&lateFile{name: name}, a.stopped)), nil
	}
	f, err := os.Open(name)
	if err != nil {
		if strings.HasSuffix(who, name) { // it is named already
			err = withoutPath(err)
		}
		return nil, usageError(readHint, "%s: %v", who, err)
	}
	return f, nil
}

// withoutPath is what the system said of a file, without the file.
func withoutPath(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// namedNode resolves one name, glob or URL.
func (a *app) namedNode(word string) ([]ami.Config, error) {
	if strings.Contains(word, "://") {
		n, err := a.node("", &nodeConfig{URL: word}, &contextConfig{})
		return []ami.Config{n}, err
	}
	c := a.settings.config.Contexts[a.settings.context]
	if c == nil {
		return nil, usageError("`amictl context use NAME` chooses a context; a URL such as ami://user@host:5038 needs none",
			"no context is in force, so %q names no node", word)
	}
	var found []ami.Config
	for _, name := range c.nodeNames() {
		if ok, err := c.matches(word, name); err != nil {
			return nil, usageError("* and ? are wild, [a-z] is a range", "--node %q is not a valid pattern", word)
		} else if ok {
			n, err := a.node(name, c.Nodes[name], c)
			if err != nil {
				return nil, err
			}
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		hint := nearHint(word, c.nodeNames(), "`amictl context show` lists the nodes")
		if strings.Contains(word, ":") {
			hint = "an address is written as a URL, ami://USER@" + word[strings.LastIndex(word, "@")+1:]
		}
		return nil, usageError(hint, "context %s has no node %q", a.settings.context, hidePassword(word))
	}
	return found, nil
}

// matches reports whether a word is a node's name, or a pattern of it if no node is called so. A slash in a name is a
// letter like any other.
func (c *contextConfig) matches(word, name string) (bool, error) {
	if c.Nodes[word] != nil {
		return word == name, nil
	}
	return path.Match(strings.ReplaceAll(word, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
}

// contextNodes returns all nodes of the context in force.
func (a *app) contextNodes() (found []ami.Config, err error) {
	c := a.settings.config.Contexts[a.settings.context]
	if c == nil {
		hint := "--node ami://user@host, --local on the PBX itself, or `amictl context add NAME`, which asks for what it needs"
		if names := a.settings.config.contextNames(); len(names) > 0 {
			hint = "--node ami://user@host, or `amictl context use NAME`; there is " + strings.Join(names, ", ")
		}
		return nil, usageError(hint, "no node is given")
	}
	for _, name := range c.nodeNames() {
		n, err := a.node(name, c.Nodes[name], c)
		if err != nil {
			return nil, err
		}
		found = append(found, n)
	}
	if len(found) == 0 {
		return nil, configError("add a [contexts."+a.settings.context+".nodes.NAME] with a url", "context %s has no nodes", a.settings.context)
	}
	return found, nil
}

// node makes the engine's configuration of one server. Without a name the address is the name.
func (a *app) node(name string, n *nodeConfig, c *contextConfig) (ami.Config, error) {
	cfg := ami.Config{Name: name, Labels: n.Labels}
	u, err := parseNodeURL(n.URL)
	if err != nil {
		return cfg, err
	}
	cfg.Addr = u.addr
	if cfg.Name == "" {
		cfg.Name = u.addr
	}
	if cfg.Username = firstOf(u.user, n.User, c.User); cfg.Username == "" {
		return cfg, configError("write it as ami://user@"+u.addr, "%s: no user is given", cfg.Name)
	}
	if cfg.Secret, err = a.nodeSecret(cfg.Name, firstOf(n.Secret, c.Secret)); err != nil {
		return cfg, err
	}
	switch auth := firstOf(n.Auth, c.Auth); auth {
	case "", "auto":
	case "md5":
		cfg.Auth = ami.AuthMD5
	case "plain":
		cfg.Auth = ami.AuthPlain
	default:
		return cfg, configError("auto, md5 or plain", "%s: auth %q is none of the methods", cfg.Name, auth)
	}
	for _, f := range n.Filters {
		cfg.Filters = append(cfg.Filters, []ami.Field{{Name: "Filter", Value: f}})
	}
	if u.tls {
		cfg.TLS, err = a.tlsConfig(u.addr, firstOf(a.flags.ca, n.CA, c.CA), firstOf(a.flags.tlsName, n.TLSName), n.Pin)
	} else if a.flags.ca != "" || a.flags.tlsName != "" {
		return cfg, usageError("write amis://", "--ca and --tls-name have no use with %s, which is not TLS", n.URL)
	}
	a.limitTimes(&cfg)
	return cfg, err
}

// limitTimes applies the timeouts in force.
func (a *app) limitTimes(cfg *ami.Config) {
	cfg.Timeouts.Action = a.timeout()
	if d := a.connectTimeout(); d > 0 {
		cfg.Timeouts.Dial, cfg.Timeouts.Login = d, d
	}
}

// nodeSecret decides where a node's secret comes from: flag and environment win over the configuration.
func (a *app) nodeSecret(node, reference string) (ami.SecretProvider, error) {
	if a.secret == nil {
		var err error
		if a.secret, err = a.flagSecret(); err != nil {
			return nil, err
		}
	}
	switch {
	case a.secret != nil:
		return a.secret, nil
	case reference == "":
		return nil, usageError("--secret-file FILE, --secret-stdin or AMICTL_SECRET_FILE; in a config: secret = \"file:PATH\"", "%s: no secret is given", node)
	}
	return a.secretFrom(reference)
}

// nodeURL is what a URL of a node says.
type nodeURL struct {
	user, addr string
	tls        bool
}

// parseNodeURL reads ami://user@host:5038 or amis://user@host:5039; the ports are the defaults.
func parseNodeURL(s string) (nodeURL, error) {
	const form = "write it as ami://user@host:5038, or amis://user@host:5039 for TLS"
	u, err := url.Parse(s)
	if err != nil || s == "" {
		return nodeURL{}, configError(form, "%q is not a URL", hidePassword(s))
	}
	n := nodeURL{user: u.User.Username(), tls: u.Scheme == "amis"}
	_, hasSecret := u.User.Password()
	port := u.Port()
	switch {
	case hasSecret:
		return n, configError("arguments are seen by every user of the host: use --secret-file, and change this secret", "a secret in a URL is refused (%s)", hidePassword(s))
	case u.Scheme != "ami" && u.Scheme != "amis":
		return n, configError(form, "%q is neither ami:// nor amis://", hidePassword(s))
	case u.Hostname() == "":
		return n, configError(form, "%q has no host", hidePassword(s))
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return n, configError(form, "%q holds more than user, host and port", hidePassword(s))
	case port == "" && n.tls:
		port = "5039"
	case port == "":
		port = "5038"
	}
	n.addr = net.JoinHostPort(u.Hostname(), port)
	return n, nil
}

// hidePassword hides what stands between the first colon of the user part and the @, also where the scheme is missing.
func hidePassword(s string) string {
	at, start := strings.LastIndex(s, "@"), 0
	if i := strings.Index(s, "://"); i >= 0 {
		start = i + len("://")
	}
	if start > at {
		return s
	}
	user, _, found := strings.Cut(s[start:at], ":")
	if !found {
		return s
	}
	return s[:start] + user + ":[secret]" + s[at:]
}

// filterLabels keeps the nodes that have all the labels.
func filterLabels(nodes []ami.Config, labels []string) (kept []ami.Config, err error) {
	for _, l := range labels {
		if !strings.Contains(l, "=") {
			return nil, usageError("such as -l site=fra", "--label %q is not KEY=VALUE", l)
		}
	}
	for i := range nodes {
		if hasLabels(nodes[i].Labels, labels) {
			kept = append(kept, nodes[i])
		}
	}
	return kept, nil
}

// hasLabels reports whether all KEY=VALUE are among a node's labels.
func hasLabels(has map[string]string, labels []string) bool {
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		if v, ok := has[key]; !ok || v != value {
			return false
		}
	}
	return true
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
