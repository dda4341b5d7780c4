package top

import (
	"cmp"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A NodeStat is what the engine says of a node.
type NodeStat struct {
	State string // ready, or why it is not
	Rate  float64
	Ping  time.Duration
}

// A page is what is shown below the tabs.
type page uint8

const (
	pageAll page = iota
	pageCalls
	pageQueues
	pageDown
	pageConferences
	pageNodes
	pageQueue      // one queue: who waits, and who serves
	pageConference // who is in one
	pageCall       // one call's events
)

// A Model is what the screen shows: what servers hold, and where somebody is looking. It is pure.
type Model struct {
	width, height int
	now           time.Time
	names         int // nodes that there are

	calls, queues, down, conferences, nodes *table
	members, callers, parties               *table

	page    page
	before  page // where Esc leads back to
	focus   int  // of the page's tables
	node    string
	subject id // of a page that is of one thing
	title   string
	story   *story

	prompt  *prompt
	ask     *question
	help    bool
	frozen  bool
	message string
	failed  bool // the message is of a failure

	protected func(node string) string // why an action is not allowed there; "" if it is

	seen       map[string]NodeStat
	stale      map[string]bool
	callsOf    map[string]int
	channelsOf map[string]int
	talking    int
	states     map[id]string // of calls
	lines      map[id]line   // of queues; nil: they are to be counted
	queued     map[id]*state.Caller
	serving    map[id]*state.Member
	channels   map[id]*state.Channel
}

// A line is who waits in a queue, and who serves it.
type line struct {
	callers      int
	longest      time.Time
	free, paused int
}

// A story is one call's events, drawn.
type story struct {
	lines []string
	up    int // how far it is scrolled back
	over  bool
}

// mostLines bounds what is kept of a story.
const mostLines = 5000

// NewModel makes a model of so many nodes. protected says why a node may not be changed, "" if it may.
func NewModel(nodes int, protected func(node string) string) *Model {
	m := &Model{names: nodes, protected: protected}
	m.calls = &table{name: "calls", columns: callColumns(), reverse: true}
	m.queues = &table{name: "queues", columns: queueColumns(), by: 2, reverse: true}
	m.down = &table{name: "down", columns: downColumns()}
	m.conferences = &table{name: "conferences", columns: conferenceColumns(), by: 2, reverse: true}
	m.nodes = &table{name: "nodes", columns: nodeColumns()}
	m.members = &table{name: "members", columns: memberColumns(), only: m.inSubject}
	m.callers = &table{name: "waiting", columns: callerColumns(), only: m.inSubject}
	m.parties = &table{name: "parties", columns: partyColumns(), by: 2, reverse: true, only: m.inSubject}
	m.reset()
	m.goTo(pageAll)
	return m
}

func (m *Model) reset() {
	for _, t := range m.tables() {
		t.rows, t.sorted = nil, false
	}
	m.seen, m.stale = make(map[string]NodeStat), make(map[string]bool)
	m.callsOf, m.channelsOf, m.talking = make(map[string]int), make(map[string]int), 0
	m.states, m.lines = make(map[id]string), nil
	m.queued, m.serving, m.channels = make(map[id]*state.Caller), make(map[id]*state.Member), make(map[id]*state.Channel)
}

func (m *Model) tables() []*table {
	return []*table{m.calls, m.queues, m.down, m.conferences, m.nodes, m.members, m.callers, m.parties}
}

func (m *Model) single() bool { return m.names == 1 }

// Kinds are what the servers are asked for.
func Kinds() []state.Kind {
	return []state.Kind{
		state.KindChannel, state.KindCall, state.KindQueue, state.KindMember, state.KindCaller, state.KindEndpoint,
		state.KindRegistration, state.KindConference,
	}
}

// Resize tells how large the screen is.
func (m *Model) Resize(width, height int) { m.width, m.height = width, height }

// Tick tells the time.
func (m *Model) Tick(now time.Time) { m.now = now }

// Stats tells what the engine says of the nodes.
func (m *Model) Stats(nodes map[string]NodeStat) {
	m.seen = nodes
	m.nodes.sorted = false
}

// Say shows how something ended.
func (m *Model) Say(text string, failed bool) { m.message, m.failed = text, failed }

// Tell adds a line to the call's story; over tells that it has ended.
func (m *Model) Tell(line string, over bool) {
	if m.story == nil {
		return
	}
	if line != "" {
		if len(m.story.lines) >= mostLines {
			m.story.lines = m.story.lines[1:]
		}
		m.story.lines = append(m.story.lines, line)
		if m.story.up > 0 {
			m.story.up++
		}
	}
	m.story.over = m.story.over || over
}

// Change takes a change of what is held.
func (m *Model) Change(ch *state.Change) {
	if ch.Op == state.OpReset {
		m.reset()
		return
	}
	gone := ch.Op == state.OpRemove
	switch o := ch.Object.(type) {
	case *state.Node:
		m.stale[o.Node] = o.Stale && !gone
		m.set(m.nodes, o.Node, o, gone)
	case *state.Call:
		m.call(o, gone)
		m.set(m.calls, ch.Node, o, gone)
	case *state.Queue:
		m.set(m.queues, ch.Node, o, gone)
	case *state.Conference:
		m.set(m.conferences, ch.Node, o, gone)
	case *state.Endpoint, *state.Registration:
		_, _, is := downText(o)
		m.set(m.down, ch.Node, o, gone || is == "")
	case *state.Channel:
		m.channel(o, gone)
		m.set(m.parties, ch.Node, o, gone || o.Bridge == "")
	case *state.Member:
		keep(m.serving, idOf(ch.Node, o), o, gone)
		m.uncount()
		m.set(m.members, ch.Node, o, gone)
	case *state.Caller:
		keep(m.queued, idOf(ch.Node, o), o, gone)
		m.uncount()
		m.set(m.callers, ch.Node, o, gone)
	}
}

func keep[T any](all map[id]T, key id, o T, gone bool) {
	if gone {
		delete(all, key)
	} else {
		all[key] = o
	}
}

func (m *Model) set(t *table, node string, o state.Object, gone bool) {
	if gone {
		t.drop(node, o)
	} else {
		t.put(m, node, o)
	}
}

// call counts calls.
func (m *Model) call(c *state.Call, gone bool) {
	key := idOf(c.Node, c)
	was, there := m.states[key]
	if was == "talking" {
		m.talking--
	}
	if gone {
		if there {
			m.callsOf[c.Node]--
		}
		delete(m.states, key)
		return
	}
	if !there {
		m.callsOf[c.Node]++
	}
	if m.states[key] = c.State; c.State == "talking" {
		m.talking++
	}
}

func (m *Model) channel(c *state.Channel, gone bool) {
	key := idOf(c.Node, c)
	if _, there := m.channels[key]; there == gone {
		if gone {
			m.channelsOf[c.Node]--
		} else {
			m.channelsOf[c.Node]++
		}
	}
	keep(m.channels, key, c, gone)
}

// uncount has the lines of queues counted anew when they are looked at next.
func (m *Model) uncount() {
	m.lines = nil
	m.queues.sorted = false
}

// line is who waits in a queue and serves it.
func (m *Model) line(queue id) line {
	if m.lines == nil {
		m.count()
	}
	return m.lines[queue]
}

// count counts all lines.
func (m *Model) count() {
	m.lines = make(map[id]line)
	for _, c := range m.queued {
		key := id{c.Node, state.KindQueue, c.Queue}
		l := m.lines[key]
		l.callers++
		if l.longest.IsZero() || c.Joined.Before(l.longest) {
			l.longest = c.Joined
		}
		m.lines[key] = l
	}
	for _, q := range m.serving {
		key := id{q.Node, state.KindQueue, q.Queue}
		l := m.lines[key]
		switch {
		case q.Paused:
			l.paused++
		case q.State == "not-in-use":
			l.free++
		}
		m.lines[key] = l
	}
}

// inSubject reports whether a row is of the thing that the page is of.
func (m *Model) inSubject(r *row) bool {
	if r.node != m.subject.node {
		return false
	}
	switch o := r.obj.(type) {
	case *state.Member:
		return m.subject.kind == state.KindQueue && o.Queue == m.subject.key
	case *state.Caller:
		return m.subject.kind == state.KindQueue && o.Queue == m.subject.key
	case *state.Channel:
		c, ok := m.conferences.rows[m.subject]
		if !ok {
			return false
		}
		room, _ := c.obj.(*state.Conference)
		return room != nil && o.Bridge == room.Bridge
	}
	return false
}

// shown are the tables of the page, in their order.
func (m *Model) shown() []*table {
	switch m.page {
	case pageCalls:
		return []*table{m.calls}
	case pageQueues:
		return []*table{m.queues}
	case pageDown:
		return []*table{m.down}
	case pageConferences:
		return []*table{m.conferences}
	case pageNodes:
		return []*table{m.nodes}
	case pageQueue:
		return []*table{m.callers, m.members}
	case pageConference:
		return []*table{m.parties}
	case pageCall:
		return nil
	}
	all := []*table{m.nodes, m.calls, m.queues}
	if len(m.conferences.rows) > 0 {
		all = append(all, m.conferences)
	}
	return append(all, m.down)
}

// table is the one that has the focus, nil on a page without.
func (m *Model) table() *table {
	all := m.shown()
	if len(all) == 0 {
		return nil
	}
	m.focus = min(max(m.focus, 0), len(all)-1)
	return all[m.focus]
}

// goTo shows a page.
func (m *Model) goTo(p page) {
	m.page, m.focus = p, 0
	if p == pageAll {
		m.focus = 1 // the calls
	}
	if p == pageQueue {
		m.focus = 1 // the members: something can be done with them
	}
}

// An Order is an action for a node.
type Order struct {
	Node   string
	Action ami.Action
	What   string // it does, for the message when it is done
}

// An Intent is what a key asks of the shell.
type Intent struct {
	Quit, Suspend, Redraw bool
	Orders                []Order
	Watch                 *state.Call // tell its story
	Unwatch               bool        // nobody reads it any more
}

// waiting counts callers of all queues.
func (m *Model) waiting() int { return len(m.queued) }

// rate is the events of all nodes.
func (m *Model) rate() (sum float64) {
	for _, s := range m.seen {
		sum += s.Rate
	}
	return sum
}

// unready counts nodes that are not as they should be.
func (m *Model) unready() (n int) {
	for _, r := range m.nodes.rows {
		if m.stale[r.node] || cmp.Or(m.seen[r.node].State, "ready") != "ready" {
			n++
		}
	}
	return n
}
