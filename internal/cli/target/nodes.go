package target

import (
	"bufio"
	"cmp"
	"net"
	"strings"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Nodes returns the nodes that a run is about: the union of --node, else AMICTL_NODE, else the context's; labels
// filter them. There is at least one.
func Nodes(r *run.Run) ([]ami.Config, error) {
	wanted := asked(r)
	var found []ami.Config
	var err error
	switch {
	case r.Flags.Local || r.Flags.ManagerConf != "":
		if len(r.Flags.Nodes) > 0 {
			return nil, fail.Usage("leave one of them out", "--local and --node cannot be combined")
		}
		found, err = localNode(r)
	case len(wanted) > 0:
		found, err = namedNodes(r, wanted)
	default:
		found, err = ContextNodes(r)
	}
	if err != nil {
		return nil, err
	}
	if found, err = FilterLabels(found, r.Flags.Labels); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fail.Usage("`amictl context show` lists the nodes and their labels", "no node matches")
	}
	for i := range found {
		Watched(r, &found[i])
	}
	return found, nil
}

// asked are the words for nodes of --node, else of AMICTL_NODE.
func asked(r *run.Run) []string {
	if v, _ := r.Env("AMICTL_NODE"); v != "" && len(r.Flags.Nodes) == 0 && !r.Flags.Local {
		return []string{v}
	}
	return r.Flags.Nodes
}

// namedNodes resolves names, globs, URLs and files of them, each node once.
func namedNodes(r *run.Run, wanted []string) (found []ami.Config, err error) {
	words, err := expandFiles(r, wanted)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]ami.Config)
	for _, word := range words {
		some, err := namedNode(r, word)
		if err != nil {
			return nil, err
		}
		for _, n := range some {
			same, there := seen[n.Name]
			if there && (same.Username != n.Username || same.Addr != n.Addr || (same.TLS == nil) != (n.TLS == nil)) {
				return nil, fail.Usage("`amictl context add` gives each a name of its own", "two different nodes are called %s: one of user %s, one of user %s", n.Name, same.Username, n.Username)
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
func expandFiles(r *run.Run, words []string) (out []string, err error) {
	for _, word := range words {
		name, isFile := strings.CutPrefix(word, "@")
		if !isFile {
			out = append(out, word)
			continue
		}
		in, err := r.Open(name, "--node "+word)
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
			return nil, fail.Usage(fail.ReadHint, "%s: %v", word, err)
		}
	}
	return out, nil
}

// namedNode resolves one name, glob or URL.
func namedNode(r *run.Run, word string) ([]ami.Config, error) {
	if strings.Contains(word, "://") {
		n, err := Node(r, "", &config.Node{URL: word}, &config.Context{})
		return []ami.Config{n}, err
	}
	c := r.Settings.Config.Contexts[r.Settings.Context]
	if c == nil {
		return nil, fail.Usage("a server without a context is written --node "+asURL(word)+"; `amictl context use NAME` chooses a context",
			"there is no current context, so %q names no node", config.HidePassword(word))
	}
	var found []ami.Config
	for _, name := range c.NodeNames() {
		if c.Matches(word, name) {
			n, err := Node(r, name, c.Nodes[name], c)
			if err != nil {
				return nil, err
			}
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		return nil, fail.Usage(strayHint(word, c.NodeNames()), "context %s has no node %q", r.Settings.Context, config.HidePassword(word))
	}
	return found, nil
}

// strayHint is the hint for a word that names none of the nodes.
func strayHint(word string, names []string) string {
	switch {
	case strings.ContainsAny(word, ":@") || net.ParseIP(word) != nil:
		return "an address is written as a URL, " + asURL(word)
	case strings.Contains(word, ","):
		return "--node may repeat: --node " + strings.ReplaceAll(word, ",", " --node ")
	case strings.EqualFold(word, "all"):
		return "without --node it is all of them, and so is --node '*'"
	case strings.Trim(word, "0123456789") == "":
		return "-n is --node; `amictl context show` lists the nodes, and a number of things is --count " + word + " where there is one"
	}
	return fail.NearHint(word, names, "`amictl context show` lists the nodes")
}

// asURL writes an address as a URL, without what may be a password.
func asURL(word string) string {
	user, host := "USER", word
	if at := strings.LastIndex(word, "@"); at > 0 {
		user, host = word[:at], word[at+1:]
		user, _, _ = strings.Cut(user, ":")
	}
	if ip := net.ParseIP(host); ip != nil && strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return "ami://" + user + "@" + host
}

// ContextNodes returns all nodes of the current context.
func ContextNodes(r *run.Run) (found []ami.Config, err error) {
	c := r.Settings.Config.Contexts[r.Settings.Context]
	if c == nil {
		hint := "--node ami://user@host, --local on the PBX itself, or `amictl context add NAME`, which asks for what it needs"
		if names := r.Settings.Config.ContextNames(); len(names) > 0 {
			hint = "--node ami://user@host, or `amictl context use NAME`; there is " + strings.Join(names, ", ")
		}
		return nil, fail.Usage(hint, "no node is given")
	}
	for _, name := range c.NodeNames() {
		n, err := Node(r, name, c.Nodes[name], c)
		if err != nil {
			return nil, err
		}
		found = append(found, n)
	}
	if len(found) == 0 {
		return nil, fail.Config("add a [contexts."+r.Settings.Context+".nodes.NAME] with a url", "context %s has no nodes", r.Settings.Context)
	}
	return found, nil
}

// Node makes the engine's configuration of one server. Without a name the address is the name.
func Node(r *run.Run, name string, n *config.Node, c *config.Context) (ami.Config, error) {
	cfg := ami.Config{Name: name, Labels: n.Labels}
	u, err := config.ParseURL(n.URL)
	if err != nil {
		return cfg, err
	}
	cfg.Addr = u.Addr
	if cfg.Name == "" {
		cfg.Name = u.Addr
	}
	if cfg.Username = cmp.Or(u.User, n.User, c.User); cfg.Username == "" {
		return cfg, fail.Config("write it as ami://user@"+u.Addr, "%s: no user is given", cfg.Name)
	}
	if err := wire.CheckField("Username", cfg.Username); err != nil {
		return cfg, fail.Config("it is a section of manager.conf", "%s: the user %s", cfg.Name, strings.TrimPrefix(err.Error(), `wire: header "Username" `))
	}
	reference := cmp.Or(n.Secret, c.Secret)
	if cfg.Secret, err = nodeSecret(r, cfg.Name, reference); err != nil {
		return cfg, err
	}
	cfg.Secret = carried(cfg.Name, cfg.Secret)
	switch auth := cmp.Or(n.Auth, c.Auth); auth {
	case "", "auto":
	case "md5":
		cfg.Auth = ami.AuthMD5
	case "plain":
		cfg.Auth = ami.AuthPlain
	default:
		return cfg, fail.Config("auto, md5 or plain", "%s: auth %q is not one of the methods", cfg.Name, auth)
	}
	for _, f := range n.Filters {
		cfg.Filters = append(cfg.Filters, []ami.Field{{Name: "Filter", Value: f}})
	}
	var from run.TLSFrom
	if u.TLS {
		cfg.TLS, from, err = tlsConfig(r, u.Addr, cmp.Or(r.Flags.CA, n.CA, c.CA), cmp.Or(r.Flags.TLSName, n.TLSName), n.Pin)
	} else if r.Flags.CA != "" || r.Flags.TLSName != "" {
		return cfg, fail.Usage("write amis://", "--ca and --tls-name are for TLS, and %s is not TLS", n.URL)
	}
	mark(r, &cfg, reference, from)
	limitTimes(r, &cfg)
	return cfg, err
}

// limitTimes applies the timeouts in use.
func limitTimes(r *run.Run, cfg *ami.Config) {
	cfg.Timeouts.Action = r.Settings.Timeout
	if d := r.Settings.ConnectTimeout; d > 0 {
		cfg.Timeouts.Dial, cfg.Timeouts.Login = d, d
	}
}

// nodeSecret decides where a node's secret comes from: flag and environment win over the configuration.
func nodeSecret(r *run.Run, node, reference string) (ami.SecretProvider, error) {
	if r.Secret == nil {
		var err error
		if r.Secret, err = flagSecret(r); err != nil {
			return nil, err
		}
	}
	switch {
	case r.Secret != nil:
		return r.Secret, nil
	case reference == "":
		return nil, fail.Usage("--secret-file FILE, --secret-stdin or AMICTL_SECRET_FILE; in a config: secret = \"file:PATH\"", "%s: no secret is given", node)
	}
	return SecretFrom(r, reference)
}

// FilterLabels keeps the nodes that have all the labels.
func FilterLabels(nodes []ami.Config, labels []string) (kept []ami.Config, err error) {
	for _, l := range labels {
		if !strings.Contains(l, "=") {
			return nil, fail.Usage("such as -l site=fra", "--label %q is not KEY=VALUE", l)
		}
	}
	for i := range nodes {
		if HasLabels(nodes[i].Labels, labels) {
			kept = append(kept, nodes[i])
		}
	}
	return kept, nil
}

// HasLabels reports whether all KEY=VALUE are among a node's labels.
func HasLabels(has map[string]string, labels []string) bool {
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		if v, ok := has[key]; !ok || v != value {
			return false
		}
	}
	return true
}
