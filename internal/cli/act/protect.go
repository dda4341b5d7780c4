package act

import (
	"context"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// A Protection says which of a run's nodes are in protected contexts. The zero value has none.
type Protection struct{ nodes []protected }

// protected is a node of the run, and what a protected context calls the same server.
type protected struct{ node, context, as string }

// ProtectedBy finds which nodes are servers of protected contexts, whatever they are called there: names and addresses are
// looked up, every loopback and every address of this host is the same, and ports 5038 and 5039 of a host are one Asterisk.
// What lies behind a tunnel or a port that is forwarded it cannot see.
func ProtectedBy(r *run.Run, nodes []ami.Config) *Protection {
	return protectedBy(r, nodes, newLookup())
}

func protectedBy(r *run.Run, nodes []ami.Config, hosts *lookup) *Protection {
	there := guarded(r.Settings.Config)
	if len(there) == 0 {
		return new(Protection)
	}
	p, open := matching(nodes, there, hosts)
	if len(open) == 0 {
		return p
	}
	var names []string
	for i := range open {
		names = append(names, newServer(open[i].Addr).host)
	}
	for _, g := range there {
		names = append(names, g.server.host)
	}
	hosts.ask(context.Background(), names)
	if unknown := slices.DeleteFunc(hosts.unknown, func(host string) bool {
		return !slices.ContainsFunc(there, func(g guard) bool { return g.server.host == host })
	}); len(unknown) > 0 {
		r.Note("cannot look up %s, of a protected context: it may be one of these servers", shorten(unknown))
	}
	more, _ := matching(open, there, hosts)
	p.nodes = append(p.nodes, more.nodes...)
	return p
}

// A guard is a server of a protected context.
type guard struct {
	server        server
	context, node string
}

func guarded(cfg *config.File) (all []guard) {
	for _, name := range cfg.ContextNames() {
		if c := cfg.Contexts[name]; c.Protect {
			for _, node := range c.NodeNames() {
				if u, err := config.ParseURL(c.Nodes[node].URL); err == nil {
					all = append(all, guard{newServer(u.Addr), name, node})
				}
			}
		}
	}
	return all
}

// matching returns the nodes that are among the guarded servers, as far as is known, and those that are not.
func matching(nodes []ami.Config, there []guard, hosts *lookup) (p *Protection, rest []ami.Config) {
	by := make(map[server]guard, len(there))
	for _, g := range slices.Backward(there) { // the first of several counts
		for _, name := range hosts.names(g.server) {
			by[name] = g
		}
	}
	p = new(Protection)
next:
	for i := range nodes {
		for _, name := range hosts.names(newServer(nodes[i].Addr)) {
			if g, ok := by[name]; ok {
				p.nodes = append(p.nodes, protected{nodes[i].Name, g.context, g.node})
				continue next
			}
		}
		rest = append(rest, nodes[i])
	}
	return p, rest
}

// Refusal is the error of an action for one of the nodes, or for any of them if node is "". It is nil if nothing protects
// what the action is for, or the action only reads.
func (p *Protection) Refusal(r *run.Run, action *ami.Action, node string) error {
	why := p.why(r, node)
	if why == "" || OnlyReads(action) {
		return nil
	}
	return fail.Usage("--yes sends it anyway, --dry-run shows it", "%s and %s may change something; nothing was sent", why, action.Name)
}

// Why says why a node is protected, "" if it is not.
func (p *Protection) Why(r *run.Run, node string) string {
	return strings.TrimSuffix(p.why(r, node), ",")
}

// why says which of the nodes are protected by which contexts: "" if the node, or any if node is "", is not.
func (p *Protection) why(r *run.Run, node string) string {
	var also []string
	inForce := false
	for _, n := range p.nodes {
		switch {
		case node != "" && n.node != node:
		case n.context == r.Settings.Context && n.node == n.as:
			inForce = true
		case n.node == n.as:
			also = append(also, n.node+" is also in the protected context "+n.context)
		default:
			also = append(also, n.node+" is also in the protected context "+n.context+", as "+n.as)
		}
	}
	switch {
	case inForce:
		return "context " + r.Settings.Context + " is protected"
	case len(also) > 3:
		return strings.Join(also[:3], ", ") + ", and so are others,"
	case len(also) > 0:
		return strings.Join(also, ", ") + ","
	}
	return ""
}
