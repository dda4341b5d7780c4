package web

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// state answers with the objects that `amictl state` prints.
func (d *door) state(q *request) error {
	name := q.PathValue("part")
	asked := partsNamed(name)
	if asked == nil {
		return notFound("the parts are "+strings.Join(objects.PartNames(), ", "), "there is no part %.50q", name)
	}
	return d.objects(q, asked)
}

// calls answers with the calls of the moment.
func (d *door) calls(q *request) error { return d.objects(q, partsNamed("calls")) }

// objects answers with the objects of some parts that the user may see. One part that he may not see is refused.
func (d *door) objects(q *request, asked []*objects.Part) error {
	user := q.seat.who
	if len(asked) == 1 && !user.SeesKind(asked[0].Kind) {
		return lacking("events", "%s, which the event %s tells of", asked[0].Name, users.EventOf(asked[0].Kind))
	}
	values, refused := q.query("node", "where")
	if refused != nil {
		return refused
	}
	where, refused := parseWhere(values["where"])
	if refused == nil {
		refused = checkWhere(where, asked)
	}
	if refused != nil {
		return refused
	}
	encoder, answer, now := newEncoder(), q.list(), time.Now()
	for o := range d.figures.snapshot(recent).Objects() {
		node := nodeOf(o)
		at := slices.IndexFunc(asked, func(p *objects.Part) bool { return p.Kind == o.Kind() })
		if at < 0 || !sees(user, o) || !named(values["node"], node) {
			continue
		}
		record := asked[at].Record(o)
		if where != nil && !where.MatchFields(node, asked[at].Fields(record, now)) {
			continue
		}
		if err := answer.add(encoder.record(record)); err != nil {
			return err
		}
	}
	return answer.end()
}

// sees reports whether a user may see an object.
func sees(u *users.User, o state.Object) bool { return u.SeesKind(o.Kind()) && u.SeesNode(nodeOf(o)) }

// nodeOf returns an object's node.
func nodeOf(o state.Object) string { return reflect.ValueOf(o).Elem().FieldByName("Node").String() }

// named reports whether a name meets one of some globs, or there are none.
func named(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool { return ami.MatchGlob(glob, name) })
}

// parseWhere joins conditions: all have to hold. Without any it is nil.
func parseWhere(conditions []string) (where *ami.Where, refused *failure) {
	for _, text := range conditions {
		w, err := ami.ParseWhere(text)
		if err == nil {
			if warnings := w.Warnings(); len(warnings) > 0 { // nobody would see a note
				err = warnings[0]
			}
		}
		if err != nil {
			return nil, badRequest("a condition is FIELD OP VALUE, such as Cause!=16 && Channel=~^PJSIP/; see amictl tail --help", "%s", strings.TrimPrefix(err.Error(), "ami: "))
		}
		where = where.And(w)
	}
	return where, nil
}

// nodes answers how the daemon stands with each server that the user may know of.
func (d *door) nodes(q *request) error {
	values, refused := q.query("node")
	if refused != nil {
		return refused
	}
	events, actions := byName(d.up.EventStats()), byName(d.up.ActionStats())
	held := make(map[string]*state.Node)
	for _, n := range d.figures.snapshot(recent).Nodes {
		held[n.Node] = n
	}
	encoder, answer := newEncoder(), q.list()
	for _, name := range d.up.Nodes(q.seat.who) {
		e, a := events[name], actions[name]
		if e == nil || a == nil || !named(values["node"], name) { // it is being removed
			continue
		}
		if err := answer.add(encoder.record(servedNode(e, a, held[name]))); err != nil {
			return err
		}
	}
	return answer.end()
}

// servedType is the type of what tells how the daemon stands with a server.
const servedType = "served-node"

// servedNode is how the daemon stands with a server, by its two sessions and what is held of it, which may be nothing.
func servedNode(events, actions *ami.NodeStats, held *state.Node) output.Record {
	r := output.Record{
		{Key: "type", Value: servedType},
		{Key: "node", Value: events.Node},
		{Key: "ready", Value: takes(events) && takes(actions)},
		{Key: "events", Value: events.State.String()},
		{Key: "actions", Value: actions.State.String()},
		{Key: "cause"},
		{Key: "since", Value: events.Since},
		{Key: "stale", Value: held == nil || held.Stale},
		{Key: "sessions", Value: events.Sessions + actions.Sessions},
		{Key: "lost", Value: events.Lost + actions.Lost},
		{Key: "ping_us", Value: max(events.PingLast, actions.PingLast).Microseconds()},
		{Key: "in_flight", Value: actions.Ledger.InFlight},
	}
	if cause := causeOf(events, actions); cause != "" {
		r[5].Value = cause
	}
	if held != nil && len(held.Parts) > 0 {
		r = append(r, output.Pair{Key: "parts", Value: held.Parts})
	}
	return r
}

// causeOf says why a node is away, or was last.
func causeOf(events, actions *ami.NodeStats) string {
	return strings.TrimPrefix(cmp.Or(events.Cause, actions.Cause), "ami: ")
}

// takes reports whether a session can be used.
func takes(n *ami.NodeStats) bool { return n.State == ami.StateReady || n.State == ami.StateDegraded }

func byName(s ami.ClusterStats) map[string]*ami.NodeStats {
	all := make(map[string]*ami.NodeStats, len(s.Nodes))
	for i := range s.Nodes {
		all[s.Nodes[i].Node] = &s.Nodes[i]
	}
	return all
}
