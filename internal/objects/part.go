package objects

import (
	"reflect"
	"slices"
	"sync"

	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A Part is a kind of things, as the command line names it.
type Part struct {
	Name  string
	Kind  state.Kind
	of    reflect.Type
	ident []string // the keys by which people know a thing
	minor []string // the keys of columns that a narrow table leaves out first
	began string   // the key that says since when a thing is there, or a member paused; "": that is not known of most

	once    sync.Once
	columns []column
}

// Parts are what there is of servers, in the order in which a snapshot has it.
var Parts = []*Part{
	{Name: "nodes", Kind: state.KindNode, of: reflect.TypeFor[state.Node](), minor: []string{"session", "drift", "refused", "short", "gaps"}},
	{
		Name: "channels", Kind: state.KindChannel, of: reflect.TypeFor[state.Channel](), ident: []string{"name"}, began: "created",
		minor: []string{"uniqueid", "linkedid", "endpoint", "account", "priority", "data", "bridge", "created"},
	},
	{
		Name: "bridges", Kind: state.KindBridge, of: reflect.TypeFor[state.Bridge](), ident: []string{"id"},
		minor: []string{"channels"},
	},
	{
		Name: "calls", Kind: state.KindCall, of: reflect.TypeFor[state.Call](), ident: []string{"caller"}, began: "start",
		minor: []string{"linkedid", "channels", "transfers", "partial"},
	},
	{
		Name: "queues", Kind: state.KindQueue, of: reflect.TypeFor[state.Queue](), ident: []string{"name"},
		minor: []string{"max", "weight", "sl_us", "listed"},
	},
	{
		Name: "members", Kind: state.KindMember, of: reflect.TypeFor[state.Member](), ident: []string{"queue", "interface"}, began: "last_pause",
		minor: []string{"state_interface", "membership", "penalty", "last_pause", "login", "wrapup_us"},
	},
	{
		Name: "callers", Kind: state.KindCaller, of: reflect.TypeFor[state.Caller](), ident: []string{"queue", "channel"}, began: "joined",
		minor: []string{"uniqueid", "linkedid", "priority"},
	},
	{
		Name: "endpoints", Kind: state.KindEndpoint, of: reflect.TypeFor[state.Endpoint](), ident: []string{"name"},
		minor: []string{"technology"},
	},
	{Name: "devices", Kind: state.KindDevice, of: reflect.TypeFor[state.Device](), ident: []string{"name"}},
	{Name: "hints", Kind: state.KindHint, of: reflect.TypeFor[state.Hint](), ident: []string{"exten", "context"}},
	{
		Name: "registrations", Kind: state.KindRegistration, of: reflect.TypeFor[state.Registration](), ident: []string{"technology", "username", "domain"},
	},
	{
		Name: "conferences", Kind: state.KindConference, of: reflect.TypeFor[state.Conference](), ident: []string{"name"},
		minor: []string{"bridge"},
	},
	{
		Name: "parked", Kind: state.KindParked, of: reflect.TypeFor[state.Parked](), ident: []string{"channel"}, began: "since",
		minor: []string{"uniqueid", "linkedid"},
	},
}

// Main returns the first keys of those that a table always shows behind the node, at most so many.
func (p *Part) Main(most int) (keys []string) {
	for _, c := range p.all() {
		if all := c.keys(); c.key != "node" && c.look != output.Minor && len(all) > 0 && len(keys) < most {
			keys = append(keys, all[0])
		}
	}
	return keys
}

// Records are calls that have ended.
var Records = &Part{
	Name: "records", Kind: state.KindRecord, of: reflect.TypeFor[state.Record](), ident: []string{"caller"}, began: "start",
	minor: []string{"linkedid", "answer", "end", "wait_us", "hold_us", "by", "member", "transfers", "legs", "legs_dropped", "cause_text", "partial"},
}

// Figures are what went through queues.
var Figures = &Part{
	Name: "queues", Kind: state.KindQueueFigures, of: reflect.TypeFor[state.QueueFigures](), ident: []string{"queue"},
	minor: []string{"since", "until", "left", "unknown", "completed", "sl_us", "in_sl", "sl2", "talk_us", "members"},
}

// all are the keys of the part's objects. They are read when they are first asked for: most runs of amictl never do.
func (p *Part) all() []column {
	p.once.Do(func() {
		p.columns = columnsOf(p.of, p.minor...)
		for i := range p.columns {
			if c := &p.columns[i]; c.look == output.Usual && slices.Contains(p.ident, c.key) {
				c.look = output.Identity
			}
		}
	})
	return p.columns
}

// PartOf returns the part of a kind, nil if that is none of what there is.
func PartOf(kind state.Kind) *Part {
	if i := slices.IndexFunc(Parts, func(p *Part) bool { return p.Kind == kind }); i >= 0 {
		return Parts[i]
	}
	return nil
}

// PartNames returns the names of all parts.
func PartNames() (names []string) {
	for i := range Parts {
		names = append(names, Parts[i].Name)
	}
	return names
}

// partsMeant are words for what is in a part of another name.
var partsMeant = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"agents": "members", "agent": "members", "peers": "endpoints", "peer": "endpoints", "extensions": "endpoints", "contacts": "endpoints",
		"trunks": "registrations", "trunk": "registrations", "waiting": "callers", "rooms": "conferences", "meetings": "conferences", "servers": "nodes",
	}
})

// PartMeant returns the part that another word for it means, "" if none is known.
func PartMeant(word string) string { return partsMeant()[word] }

// KeysOf returns the keys that the objects of the parts have that are named, or of all, sorted.
func KeysOf(names []string) []string {
	all := []string{"node"}
	for _, p := range Parts {
		if len(names) == 0 || slices.Contains(names, p.Name) {
			for i := range p.all() {
				all = append(all, p.all()[i].keys()...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
