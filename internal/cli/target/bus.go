package target

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// A Bus is what the flags of a subcommand say about a bus.
type Bus struct {
	url, cluster string
	used         bool // see Servers
}

// Flags are those of a subcommand that works with a bus.
func (b *Bus) Flags() []cli.Flag {
	return []cli.Flag{
		flags.Text("nats", "", "the bus at this NATS `URL`, such as nats://127.0.0.1:4222", &b.url),
		flags.Text("cluster", "", "`NAME` of the servers' cluster on the bus", &b.cluster),
	}
}

// Given reports whether the flags name a bus, or a cluster on one.
func (b *Bus) Given() bool { return b.url != "" || b.cluster != "" }

// Address is where the bus is: as the flags say, else the context unless the nodes are given as URLs, or by --local or
// --manager-conf: then the servers themselves are meant. ok is false if there is none.
func (b *Bus) Address(r *run.Run) (a run.BusAddress, ok bool, err error) { return b.AddressOr(r, "") }

// AddressOr is Address where a word may stand in the place of the URL.
func (b *Bus) AddressOr(r *run.Run, word string) (a run.BusAddress, ok bool, err error) {
	c := r.Settings.Config.Contexts[r.Settings.Context]
	if c == nil || r.Flags.Local || r.Flags.ManagerConf != "" || slices.ContainsFunc(asked(r), isURL) {
		c = &config.Context{}
	}
	a = run.BusAddress{URL: cmp.Or(b.url, c.NATS), Cluster: cmp.Or(b.cluster, c.Cluster), User: cmp.Or(c.NATSUser, "amictl")}
	if b.url == "" || b.url == c.NATS {
		a.Creds, a.NKey, a.CA = c.NATSCreds, c.NATSNKey, c.NATSCA
	}
	if a.URL == "" {
		if b.cluster != "" {
			return a, false, fail.Usage("such as --nats nats://127.0.0.1:4222", "--cluster is a name on a bus, and none is given")
		}
		return a, false, nil
	}
	if a.Cluster == "" {
		return a, false, fail.Usage("such as --cluster prod, or cluster = \"prod\" in the context", "the bus %s may have several clusters, and none is named", config.HidePassword(a.URL))
	}
	for _, path := range []*string{&a.Creds, &a.NKey, &a.CA} {
		if *path != "" {
			if *path, err = ExpandHome(r, *path); err != nil {
				return a, false, err
			}
		}
	}
	if a.URL == word {
		return a, true, nil
	}
	return a, true, CheckBusURL(a.URL)
}

// Chosen is Address for what servers do as well, and better: a context's nodes come before its bus.
func (b *Bus) Chosen(r *run.Run) (a run.BusAddress, ok bool, err error) {
	if c := r.Settings.Config.Contexts[r.Settings.Context]; !b.Given() && c != nil && len(c.Nodes) > 0 {
		return a, false, nil
	}
	return b.Address(r)
}

// Nodes are the names and globs that choose among the nodes of a bus; none mean all.
func (b *Bus) Nodes(r *run.Run) ([]string, error) {
	if len(r.Flags.Labels) > 0 {
		return nil, fail.Usage("-n chooses among the nodes of a bus, by name or glob", "a bus knows no labels")
	}
	words, err := expandFiles(r, asked(r))
	if err == nil && slices.ContainsFunc(words, isURL) {
		err = fail.Usage("without --nats the events come from the servers themselves", "a URL names a server, and the nodes of a bus have names")
	}
	return words, err
}

// OfNodes reports whether a node is meant by names and globs; none mean all.
func OfNodes(globs []string, node string) bool {
	for _, glob := range globs {
		if ami.MatchGlob(glob, node) {
			return true
		}
	}
	return len(globs) == 0
}

func isURL(node string) bool { return strings.Contains(node, "://") }

// Servers are the nodes that actions are for: over the bus if the flags name one, or if the context has a bus and no nodes; else
// the servers themselves.
func (b *Bus) Servers(ctx context.Context, r *run.Run) ([]ami.Config, error) {
	return b.servers(ctx, r, false)
}

// Followed are Servers whose events are wanted as well.
func (b *Bus) Followed(ctx context.Context, r *run.Run) ([]ami.Config, error) {
	return b.servers(ctx, r, true)
}

// Used reports whether the nodes are those of a bus.
func (b *Bus) Used() bool { return b.used }

func (b *Bus) servers(ctx context.Context, r *run.Run, events bool) ([]ami.Config, error) {
	a, ok, err := b.Chosen(r)
	if err != nil {
		return nil, err
	}
	if !ok {
		return Nodes(r)
	}
	if r.BusActor == nil {
		what := "an action over a bus"
		if events {
			what = "to follow servers over a bus"
		}
		return nil, r.RunDaemon(what)
	}
	words, err := b.Nodes(r)
	if err != nil {
		return nil, err
	}
	b.used = true
	nodes, err := r.BusActor(ctx, run.BusQuery{BusAddress: a, Nodes: words, Events: events, Log: r.Logger()}, r.Settings.Timeout)
	if err != nil {
		return nil, BusError(a.URL, err)
	}
	if len(nodes) == 0 {
		return nil, fail.Usage("`amictl bus info` lists the nodes", "no node of the bus matches")
	}
	return nodes, nil
}

// NeedsServers refuses what cannot be had over the bus, if that is where the nodes are.
func (b *Bus) NeedsServers(what string) error {
	if !b.used {
		return nil
	}
	return fail.Usage("-n ami://user@host goes to a server itself", "%s needs a session with events, and actions over the bus have none", what)
}

// CheckBusURL refuses what is no NATS URL, and secrets in one: they would show in the process list.
func CheckBusURL(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss":
			return fail.Usage("such as nats://127.0.0.1:4222 or tls://bus.example.com", "--nats %q is not the URL of a NATS server", config.HidePassword(one))
		case u.User != nil:
			return fail.Usage("nats_creds = \"FILE\" or nats_nkey = \"FILE\" in the context", "--nats %s: a secret in a URL is refused", config.HidePassword(one))
		}
	}
	return nil
}

// OpenBus reads from a bus.
func OpenBus(ctx context.Context, r *run.Run, q run.BusQuery) (run.EventStream, error) {
	events, err := r.Bus(ctx, q)
	if err != nil {
		return nil, BusError(q.URL, err)
	}
	return events, nil
}

// BusError is the error of a bus that cannot be used.
func BusError(url string, err error) error {
	if errors.As(err, new(*fail.Error)) {
		return err
	}
	e := &fail.Error{
		Code: fail.CodeConnect, Message: config.HidePassword(url) + ": " + strings.TrimPrefix(fail.Cause(err), "bus: "),
		Hint: "is the URL right, and does a bridge (`amictl serve --nats`) of that cluster run?",
	}
	if errors.Is(err, ami.ErrUnauthorized) {
		e.Code, e.Hint = fail.CodePermission, "docs/bus.md has the permissions that are needed"
	}
	return e
}
