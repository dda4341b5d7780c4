package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/loopback"
	"github.com/apntalk/amictl/internal/serve"
	"github.com/apntalk/amictl/internal/serve/amidoor"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/internal/serve/web"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// A plan is what a daemon is to be, flags and configuration together.
type plan struct {
	run    *run.Run
	said   config.Serve // flags win
	bridge *bridge

	mu    sync.Mutex // guards nodes once the daemon runs
	nodes []ami.Config

	simulated   int
	grace       time.Duration
	require     int // -1: all
	certificate *serve.Certificate
	log         *slog.Logger
}

func newPlan(r *run.Run, o *options) (*plan, error) {
	configured, err := r.Settings.Config.Daemon()
	if err != nil {
		return nil, err
	}
	p := &plan{run: r, said: configured.Serve, simulated: o.sim.Value, grace: defaultGrace}
	s := &p.said
	s.HTTP, s.Users, s.Cert, s.Key = cmp.Or(o.http, s.HTTP), cmp.Or(o.users, s.Users), cmp.Or(o.cert, s.Cert), cmp.Or(o.key, s.Key)
	s.Log, s.Require, s.Pprof = cmp.Or(o.log, s.Log, "text"), cmp.Or(o.require, s.Require, "1"), cmp.Or(o.pprof, s.Pprof)
	s.EndpointMetrics = s.EndpointMetrics || o.endpoints
	if len(o.ami) > 0 {
		s.AMI = o.ami
	}
	for _, path := range []*string{&s.Cert, &s.Key, &s.Pprof} {
		if *path, err = target.ExpandHome(r, *path); err != nil {
			return nil, err
		}
	}
	if p.bridge, err = newBridge(r, &o.bridge, s.Each); err != nil {
		return nil, err
	}
	if s.HTTP == "" && len(s.AMI) == 0 && p.bridge == nil {
		return nil, fail.Usage("such as --http 127.0.0.1:8080, or http = \"127.0.0.1:8080\" under [serve] in the configuration", "serve needs a door: --http, --ami or --nats")
	}
	switch {
	case o.grace.Given:
		p.grace = o.grace.Value
	case s.Grace != "":
		if p.grace, err = flags.ParseDuration(s.Grace); err != nil {
			return nil, fail.Config("such as grace = \"10s\"", "serve.grace %q: %v", s.Grace, err)
		}
	}
	if p.require, err = parseRequire(s.Require); err != nil {
		return nil, err
	}
	if p.log, err = newLog(r, s.Log); err != nil {
		return nil, err
	}
	if (s.Cert == "") != (s.Key == "") {
		return nil, fail.Usage("a certificate and its key go together", "one of --cert and --key is missing")
	}
	if s.Cert != "" {
		if p.certificate, err = serve.LoadCertificate(s.Cert, s.Key); err != nil {
			return nil, fail.Config("--cert is a certificate chain and --key its private key, both PEM files", "the certificate: %v", err)
		}
	}
	return p, nil
}

func parseRequire(text string) (int, error) {
	if text == "all" {
		return web.RequireAll, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fail.Usage("a number of at least 1, or all", "--require %q is not a number of nodes", text)
	}
	return n, nil
}

func newLog(r *run.Run, format string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{ReplaceAttr: r.Redactor().Attr}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(r.Stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(r.Stderr, o)), nil
	}
	return nil, fail.Config("text or json", "serve.log %q is not a format of the log", format)
}

// specs are the users as they stand in the configuration, or in the file that is named.
func (p *plan) specs() ([]users.Spec, error) {
	if p.said.Users == "" {
		configured, err := p.run.Settings.Config.Daemon()
		if err != nil {
			return nil, err
		}
		return configured.Users, nil
	}
	path, err := target.ExpandHome(p.run, p.said.Users)
	if err != nil {
		return nil, err
	}
	return config.LoadUsers(path)
}

// loadUsers makes the users, with their secrets.
func (p *plan) loadUsers(ctx context.Context) ([]*users.User, error) {
	specs, err := p.specs()
	if err != nil {
		return nil, err
	}
	list, err := users.Load(specs, func(reference string) (redact.Secret, error) {
		secret, err := target.SecretFrom(p.run, reference)
		if err != nil {
			return redact.Secret{}, err
		}
		value, err := secret(ctx)
		p.run.Redactor().AddSecret(value)
		return value, err
	})
	if err != nil {
		return nil, fail.Config("`amictl serve --help` has an example", "%s", fail.Cause(err))
	}
	return list, nil
}

// reload reads again what a daemon may change while it runs: users, nodes and the certificate. The doors stay where they are.
// Nothing of it holds before all of it is read.
func (p *plan) reload(ctx context.Context) (loaded serve.Loaded, err error) {
	settings, err := p.run.ResolveSettings(run.About{}.Config)
	if err != nil {
		return loaded, err
	}
	before := p.run.Settings
	p.run.Settings = settings // which users and nodes are read by
	defer func() {
		if err != nil {
			p.run.Settings = before
		}
	}()
	if loaded.Users, err = p.loadUsers(ctx); err != nil {
		return loaded, err
	}
	if loaded.Nodes = p.nodes; p.simulated == 0 {
		if loaded.Nodes, err = target.Nodes(p.run); err != nil {
			return loaded, err
		}
	}
	show := func() {}
	if p.certificate != nil {
		if show, err = p.certificate.Read(); err != nil {
			return loaded, fmt.Errorf("the certificate: %w", err)
		}
	}
	show()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes = loaded.Nodes
	return loaded, nil
}

// currentNodes are the nodes of now.
func (p *plan) currentNodes() []ami.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes
}

// listen opens all doors, or none.
func (p *plan) listen(hasUsers bool) (all serve.Listeners, err error) {
	defer func() {
		if err != nil {
			_ = all.Close()
		}
	}()
	if p.said.HTTP != "" {
		l, err := p.listenAt("http", p.said.HTTP, hasUsers)
		if err != nil {
			return all, err
		}
		all = append(all, serve.Listener{Name: "http", At: l, Open: func(ctx context.Context, up *upstream.Upstream) serve.Door {
			handler, wait := web.New(up, web.Options{
				Stopping: ctx.Done(), Require: p.require, EndpointMetrics: p.said.EndpointMetrics, TLS: p.certificate != nil,
			})
			return &serve.HTTP{Log: p.log, Handler: handler, Wait: wait}
		}})
	}
	taken := make(map[string]bool)
	for _, at := range p.said.AMI {
		node, addr, err := amiAddress(at, p.nodes)
		if err != nil {
			return all, err
		}
		if taken[node] {
			return all, fail.Usage("each node has one", "--ami %s: %s has an AMI door already", at, node)
		}
		taken[node] = true
		l, err := p.listenAt("ami", addr, hasUsers)
		if err != nil {
			return all, err
		}
		if !hasUsers {
			_ = l.Close()
			return all, fail.Usage("[[users]] in the configuration, or --users FILE", "an AMI door needs users: its clients log in")
		}
		all = append(all, serve.Listener{Name: "ami", At: l, Open: func(_ context.Context, up *upstream.Upstream) serve.Door {
			return amidoor.New(up, amidoor.Options{Node: node})
		}})
	}
	return all, nil
}

// listenAt opens a door. Whatever is not on this host alone needs users and TLS.
func (p *plan) listenAt(flag, addr string, hasUsers bool) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, fail.Usage("such as 127.0.0.1:8080", "--%s %q is not HOST:PORT", flag, addr)
	}
	if !loopback.Addr(addr) {
		var missing []string
		if !hasUsers {
			missing = append(missing, "users")
		}
		if p.certificate == nil {
			missing = append(missing, "--cert and --key")
		}
		if missing != nil {
			return nil, fail.Usage("or listen on 127.0.0.1 behind a proxy with TLS; docs/serve.md has an example",
				"--%s %s is open to other hosts, which needs %s", flag, addr, strings.Join(missing, " and "))
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, cannotListen(flag, addr, err)
	}
	if p.certificate != nil {
		l = tls.NewListener(l, p.certificate.TLS())
	}
	return l, nil
}

// amiAddress reads [NODE=]ADDR.
func amiAddress(at string, nodes []ami.Config) (node, addr string, err error) {
	node, addr, named := strings.Cut(at, "=")
	switch {
	case !named && len(nodes) == 1:
		return nodes[0].Name, at, nil
	case !named:
		return "", "", fail.Usage("such as --ami "+nodes[0].Name+"="+at, "--ami %s: there are %d nodes, and an AMI door is for one", at, len(nodes))
	case !slices.ContainsFunc(nodes, func(n ami.Config) bool { return n.Name == node }):
		names := make([]string, len(nodes))
		for i := range nodes {
			names[i] = nodes[i].Name
		}
		return "", "", fail.Usage(fail.NearHint(node, names, "the nodes are "+strings.Join(names, ", ")), "--ami %s: there is no node %q", at, node)
	}
	return node, addr, nil
}
