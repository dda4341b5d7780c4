package state

import (
	"reflect"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A part is a kind of things, as the command line names it.
type part struct {
	name  string
	kind  state.Kind
	of    reflect.Type
	lists []string // as in state.Node.Parts: it is known if one of them is
	ident []string // the keys by which people know a thing
	minor []string // the keys of columns that a narrow table leaves out first

	columns []column
}

// parts are in the order in which a snapshot has them.
var parts = withColumns([]part{
	{name: "nodes", kind: state.KindNode, of: reflect.TypeFor[state.Node](), minor: []string{"session", "drift", "refused", "short", "gaps"}},
	{
		name: "channels", kind: state.KindChannel, of: reflect.TypeFor[state.Channel](), lists: []string{"channels"}, ident: []string{"name"},
		minor: []string{"uniqueid", "linkedid", "endpoint", "account", "priority", "data", "bridge", "created"},
	},
	{
		name: "bridges", kind: state.KindBridge, of: reflect.TypeFor[state.Bridge](), lists: []string{"bridges"}, ident: []string{"id"},
		minor: []string{"channels"},
	},
	{
		name: "calls", kind: state.KindCall, of: reflect.TypeFor[state.Call](), lists: []string{"channels"}, ident: []string{"linkedid"},
		minor: []string{"channels", "transfers", "partial"},
	},
	{
		name: "queues", kind: state.KindQueue, of: reflect.TypeFor[state.Queue](), lists: []string{"queues"}, ident: []string{"name"},
		minor: []string{"max", "weight", "sl_us", "listed"},
	},
	{
		name: "members", kind: state.KindMember, of: reflect.TypeFor[state.Member](), lists: []string{"queues"}, ident: []string{"queue", "interface"},
		minor: []string{"state_interface", "membership", "penalty", "last_pause", "login", "wrapup_us"},
	},
	{
		name: "callers", kind: state.KindCaller, of: reflect.TypeFor[state.Caller](), lists: []string{"queues"}, ident: []string{"queue", "channel"},
		minor: []string{"uniqueid", "linkedid", "priority"},
	},
	{
		name: "endpoints", kind: state.KindEndpoint, of: reflect.TypeFor[state.Endpoint](), lists: []string{"pjsip", "sip", "iax"}, ident: []string{"name"},
		minor: []string{"technology"},
	},
	{name: "devices", kind: state.KindDevice, of: reflect.TypeFor[state.Device](), lists: []string{"devices"}, ident: []string{"name"}},
	{name: "hints", kind: state.KindHint, of: reflect.TypeFor[state.Hint](), lists: []string{"hints"}, ident: []string{"exten", "context"}},
	{
		name: "registrations", kind: state.KindRegistration, of: reflect.TypeFor[state.Registration](), ident: []string{"technology", "username", "domain"},
		lists: []string{"pjsip-registrations", "sip-registrations", "iax-registrations"},
	},
	{
		name: "conferences", kind: state.KindConference, of: reflect.TypeFor[state.Conference](), lists: []string{"conferences"}, ident: []string{"name"},
		minor: []string{"bridge"},
	},
	{
		name: "parked", kind: state.KindParked, of: reflect.TypeFor[state.Parked](), lists: []string{"parked"}, ident: []string{"channel"},
		minor: []string{"uniqueid", "linkedid"},
	},
})

func withColumns(all []part) []part {
	for i := range all {
		all[i].columns = columnsOf(&all[i])
	}
	return all
}

func partNames() (names []string) {
	for i := range parts {
		names = append(names, parts[i].name)
	}
	return names
}

// parseParts finds the parts that are named; all if none is.
func parseParts(names []string) (map[state.Kind]*part, error) {
	found := make(map[state.Kind]*part)
	for i := range parts {
		if len(names) == 0 || slices.Contains(names, parts[i].name) {
			found[parts[i].kind] = &parts[i]
		}
	}
	for _, name := range names {
		if !slices.Contains(partNames(), name) {
			return nil, fail.Usage(fail.NearHint(name, partNames(), "the parts are "+strings.Join(partNames(), ", ")), "there is no part %q", name)
		}
	}
	return found, nil
}

// checkWhere refuses a condition about what nothing has that is asked for.
func (v *view) checkWhere() error {
	keys := []string{"type", "node"}
	for i := range parts {
		if p := &parts[i]; v.parts[p.kind] == p {
			keys = append(keys, p.keys()...)
		}
	}
	for _, field := range v.where.Fields() {
		open := strings.HasPrefix(strings.ToLower(field), "parts.") && v.parts[state.KindNode] != nil
		if field != "*" && !open && !slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, field) }) {
			return fail.Usage(fail.NearHint(field, keys, "-o jsonl shows the keys, and `amictl schema` describes them"),
				"nothing that is asked for has a key %s", field)
		}
	}
	return nil
}

// keys are those that a condition may ask for.
func (p *part) keys() (keys []string) {
	for i := range p.columns {
		keys = append(keys, p.columns[i].keys...)
	}
	return keys
}

// lacking says which parts that are asked for are not known of a node, and why.
func (v *view) lacking(n *state.Node) (notes []string) {
	var absent, denied []string
	for i := range parts {
		p := &parts[i]
		if v.parts[p.kind] == nil {
			continue
		}
		known, may := len(p.lists) == 0, true
		for _, list := range p.lists {
			known = known || n.Parts[list] == state.Followed || n.Parts[list] == state.Listed
			may = may && n.Parts[list] != state.Events
		}
		switch {
		case known:
		case may:
			absent = append(absent, p.name)
		default:
			denied = append(denied, p.name)
		}
	}
	if len(absent) > 0 {
		notes = append(notes, n.Node+": the server has no list of "+strings.Join(absent, ", "))
	}
	if len(denied) > 0 {
		notes = append(notes, n.Node+": the user may not list "+strings.Join(denied, ", ")+"; write=system,reporting,call in manager.conf allows it")
	}
	return notes
}
