package web

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// How many things a board lists; beyond them it counts.
const (
	boardNodes     = 500
	boardCalls     = 100
	boardQueues    = 200
	boardEndpoints = 200
)

// A board is what a wall shows of the moment. What its user may not see is absent.
type board struct {
	Nodes         boardPart[boardNode]          `json:"nodes"`
	Calls         *boardCallPart                `json:"calls,omitempty"`
	Queues        *boardPart[boardQueue]        `json:"queues,omitempty"`
	Endpoints     *boardPart[boardEndpoint]     `json:"endpoints,omitempty"`
	Registrations *boardPart[boardRegistration] `json:"registrations,omitempty"`
	Rates         rates                         `json:"rates"`
}

// A boardPart is one kind of things: how many there are, how many of them somebody should look at, and the first of those that
// are shown.
type boardPart[T any] struct {
	All  int `json:"all"`
	Bad  int `json:"bad"`
	List []T `json:"list"`
}

type boardNode struct {
	Node   string `json:"node"`
	Ready  bool   `json:"ready"`
	Stale  bool   `json:"stale"`
	Since  stamp  `json:"since"`
	Cause  string `json:"cause,omitempty"`
	Calls  int    `json:"calls,omitempty"` // if the user may see calls
	PingUS int64  `json:"ping_us"`
}

type boardCallPart struct {
	boardPart[boardCall]
	States map[string]int `json:"states"`
}

type boardCall struct {
	Node  string `json:"node"`
	ID    string `json:"linkedid"`
	State string `json:"state"`
	Start stamp  `json:"start,omitzero"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	Queue string `json:"queue,omitempty"`
}

type boardQueue struct {
	Node      string   `json:"node"`
	Name      string   `json:"name"`
	Callers   int      `json:"callers"`
	Oldest    stamp    `json:"oldest,omitzero"` // when the caller came who waits longest
	Members   int      `json:"members"`
	Free      int      `json:"free"`
	Answered  int      `json:"answered"` // in the last hour, like what follows
	Abandoned int      `json:"abandoned"`
	Level     *float64 `json:"service_level,omitempty"` // percent of those answered within LevelS
	LevelS    int64    `json:"service_level_s"`
	Gaps      int      `json:"gaps"` // how often events were missing: the counts are too low
}

type boardEndpoint struct {
	Node  string `json:"node"`
	Name  string `json:"name"`
	State string `json:"state,omitempty"`
	Reach string `json:"reach,omitempty"`
}

type boardRegistration struct {
	Node  string `json:"node"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// rates are counts of the last hour, an interval each, oldest first.
type rates struct {
	StepS     int      `json:"step_s"`
	Events    []uint64 `json:"events"`
	Begun     []uint64 `json:"begun,omitempty"` // calls, if the user may see them
	Ended     []uint64 `json:"ended,omitempty"`
	Abandoned []uint64 `json:"abandoned,omitempty"`
}

// A stamp is a time as all of our JSON has it.
type stamp struct{ time.Time }

// MarshalText encodes the time in UTC with six decimals.
func (s stamp) MarshalText() ([]byte, error) {
	return s.UTC().AppendFormat(nil, "2006-01-02T15:04:05.000000Z"), nil
}

// MarshalJSON is that as a JSON string.
func (s stamp) MarshalJSON() ([]byte, error) {
	return s.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000000Z"`), nil
}

// boards are those of the moment, one for each user who has one open.
type boards struct {
	mu   sync.Mutex // guards made
	made map[*users.User]madeBoard
}

type madeBoard struct {
	at   time.Time
	text []byte // JSON without its first brace
}

// mostBoards is how many users' boards are kept.
const mostBoards = 256

// board returns the board of a user, as JSON behind its first brace: one that is not older than freshness.
func (d *door) board(user *users.User) []byte {
	d.boards.mu.Lock()
	defer d.boards.mu.Unlock()
	now := time.Now()
	if b, ok := d.boards.made[user]; ok && now.Sub(b.at) < freshness {
		return b.text
	}
	text, err := json.Marshal(d.makeBoard(user, now))
	if err != nil {
		panic(err) // it is our own
	}
	if len(d.boards.made) >= mostBoards || d.boards.made == nil {
		d.boards.made = make(map[*users.User]madeBoard)
	}
	d.boards.made[user] = madeBoard{now, text[1:]}
	return text[1:]
}

// boardObject is a board with its type and the time, by which its reader knows how old what is in it is.
func boardObject(text []byte, now time.Time) []byte {
	at, _ := stamp{now}.MarshalJSON()
	return append(append(append([]byte(`{"type":"board","time":`), at...), ','), text...)
}

// watch answers with a board each second in which it has changed, as a stream of Server-Sent Events, or with the one of now.
func (d *door) watch(q *request) error {
	if _, refused := q.query(); refused != nil {
		return refused
	}
	if q.prefers(jsonType, sseType) == jsonType {
		return q.sink(jsonType).write(append(boardObject(d.board(q.seat.who), time.Now()), '\n'))
	}
	leave, full := d.streams.enter(d.limits.streams, "user "+q.seat.who.Name(), d.limits.perUser)
	if full != nil {
		return full
	}
	defer leave()
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	defer context.AfterFunc(d.stopping, cancel)()
	out := q.sink(sseType)
	q.w.Header().Set("X-Accel-Buffering", "no")
	if q.Method == http.MethodHead {
		return out.write(nil)
	}
	tick := time.NewTicker(freshness)
	defer tick.Stop()
	shown, sent := "", time.Time{}
	for {
		user := q.seat.user()
		if user == nil {
			return nil
		}
		text, now := d.board(user), time.Now()
		switch {
		case string(text) != shown:
			shown, sent = string(text), now
			piece := append([]byte("data: "), boardObject(text, now)...)
			if err := out.write(append(piece, "\n\n"...)); err != nil {
				return err
			}
		case now.Sub(sent) >= d.limits.heartbeat:
			sent = now
			if err := out.write([]byte(":\n\n")); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// makeBoard counts and lists what a user may see.
func (d *door) makeBoard(user *users.User, now time.Time) *board {
	held := d.figures.snapshot(freshness)
	b := &board{Rates: d.history.rates(user, now)}
	calls := make(map[string]int)
	if user.SeesKind(state.KindCall) {
		b.Calls = callsOf(user, held)
		for _, c := range held.Calls {
			calls[c.Node]++
		}
	} else {
		b.Rates.Begun, b.Rates.Ended, b.Rates.Abandoned = nil, nil, nil
	}
	b.nodes(d, user, held, calls)
	if user.SeesKind(state.KindQueue) {
		b.Queues = queuesOf(user, held, d.queues.lastHour(now))
	}
	if user.SeesKind(state.KindEndpoint) {
		b.Endpoints = endpointsOf(user, held)
	}
	if user.SeesKind(state.KindRegistration) {
		b.Registrations = registrationsOf(user, held)
	}
	return b
}

func (b *board) nodes(d *door, user *users.User, held *state.Snapshot, calls map[string]int) {
	events, actions := byName(d.up.EventStats()), byName(d.up.ActionStats())
	stale := make(map[string]bool)
	for _, n := range held.Nodes {
		stale[n.Node] = n.Stale
	}
	b.Nodes.List = []boardNode{}
	for _, name := range d.up.Nodes(user) {
		e, a := events[name], actions[name]
		if e == nil || a == nil {
			continue
		}
		isStale, known := stale[name]
		n := boardNode{
			Node: name, Ready: takes(e) && takes(a), Stale: isStale || !known, Since: stamp{e.Since}, Cause: causeOf(e, a), Calls: calls[name],
			PingUS: max(e.PingLast, a.PingLast).Microseconds(),
		}
		b.Nodes.All++
		if !n.Ready {
			b.Nodes.Bad++
		}
		b.Nodes.List = append(b.Nodes.List, n)
	}
	slices.SortStableFunc(b.Nodes.List, func(x, y boardNode) int { return cmp.Compare(rank(!x.Ready), rank(!y.Ready)) })
	b.Nodes.List = first(b.Nodes.List, boardNodes)
}

func callsOf(user *users.User, held *state.Snapshot) *boardCallPart {
	p := &boardCallPart{States: make(map[string]int)}
	var all []*state.Call
	for _, c := range held.Calls {
		if user.SeesNode(c.Node) {
			all = append(all, c)
			p.States[oneOf(callStates, c.State)]++
		}
	}
	slices.SortStableFunc(all, func(x, y *state.Call) int { return x.Start.Compare(y.Start) })
	p.All, p.List = len(all), []boardCall{}
	for _, c := range first(all, boardCalls) {
		p.List = append(p.List, boardCall{
			Node: c.Node, ID: c.Linkedid, State: c.State, Start: stamp{c.Start}, From: partyText(&c.Caller), To: partyText(&c.Callee), Queue: c.Queue,
		})
	}
	return p
}

func partyText(p *state.Party) string {
	if p.Name != "" && p.Number != "" && p.Name != p.Number {
		return p.Name + " " + p.Number
	}
	return cmp.Or(p.Number, p.Name, p.Endpoint)
}

func queuesOf(user *users.User, held *state.Snapshot, hour map[queueName]*state.QueueFigures) *boardPart[boardQueue] {
	oldest, free := make(map[queueName]time.Time), make(map[queueName]int)
	for _, c := range held.Callers {
		if at := oldest[queueName{c.Node, c.Queue}]; !c.Joined.IsZero() && (at.IsZero() || c.Joined.Before(at)) {
			oldest[queueName{c.Node, c.Queue}] = c.Joined
		}
	}
	for _, m := range held.Members {
		if isFree(m) {
			free[queueName{m.Node, m.Queue}]++
		}
	}
	p := &boardPart[boardQueue]{List: []boardQueue{}}
	for _, q := range held.Queues {
		if !user.SeesNode(q.Node) {
			continue
		}
		of := queueName{q.Node, q.Name}
		line := boardQueue{
			Node: q.Node, Name: q.Name, Callers: q.Callers, Oldest: stamp{oldest[of]}, Members: q.Members, Free: free[of],
		}
		if h := hour[of]; h != nil {
			line.Answered, line.Abandoned, line.Gaps, line.LevelS = h.Answered, h.Abandoned, h.Gaps, h.ServiceUS/1e6
			if h.Answered > 0 {
				line.Level = &h.Service
			}
		}
		p.All++
		if q.Callers > 0 {
			p.Bad++
		}
		p.List = append(p.List, line)
	}
	if len(p.List) > boardQueues { // those in which somebody waits are of interest; else a line stays where it is
		slices.SortStableFunc(p.List, func(x, y boardQueue) int { return cmp.Compare(y.Callers, x.Callers) })
		p.List = first(p.List, boardQueues)
		slices.SortFunc(p.List, func(x, y boardQueue) int { return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Name, y.Name)) })
	}
	return p
}

func endpointsOf(user *users.User, held *state.Snapshot) *boardPart[boardEndpoint] {
	p := &boardPart[boardEndpoint]{List: []boardEndpoint{}}
	for _, e := range held.Endpoints {
		if !user.SeesNode(e.Node) {
			continue
		}
		if p.All++; !isDown(e) {
			continue
		}
		if p.Bad++; p.Bad <= boardEndpoints {
			p.List = append(p.List, boardEndpoint{Node: e.Node, Name: e.Name, State: e.State, Reach: e.Reach})
		}
	}
	return p
}

func registrationsOf(user *users.User, held *state.Snapshot) *boardPart[boardRegistration] {
	p := &boardPart[boardRegistration]{List: []boardRegistration{}}
	for _, r := range held.Registrations {
		if !user.SeesNode(r.Node) {
			continue
		}
		if p.All++; r.State == "registered" {
			continue
		}
		if p.Bad++; p.Bad <= boardEndpoints {
			p.List = append(p.List, boardRegistration{Node: r.Node, Name: cmp.Or(r.Name, r.Username), State: r.State})
		}
	}
	return p
}

func first[T any](list []T, most int) []T { return list[:min(len(list), most)] }

// rank orders what is true before what is not.
func rank(is bool) int {
	if is {
		return 0
	}
	return 1
}

// received is how many events each node has sent so far.
func received(s ami.ClusterStats) map[string]uint64 {
	all := make(map[string]uint64, len(s.Nodes))
	for i := range s.Nodes {
		all[s.Nodes[i].Node] = s.Nodes[i].Events
	}
	return all
}
