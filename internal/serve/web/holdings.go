package web

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// figures is a snapshot of the state that all who ask share, so that they cost no more the more of them there are.
type figures struct {
	up *upstream.Upstream

	mu   sync.Mutex // guards what follows
	at   time.Time
	held *state.Snapshot
}

// How old the shared snapshot may be.
const (
	freshness = time.Second            // for who counts
	recent    = 100 * time.Millisecond // for who asks for objects, maybe behind an action of his
)

func (f *figures) snapshot(age time.Duration) *state.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); f.held == nil || now.Sub(f.at) >= age {
		f.at, f.held = now, f.up.State.Snapshot()
	}
	return f.held
}

// Bounds of what has a label of its own, a node: what a server, or who configures it, makes more of has none.
const (
	mostQueues    = 1000
	mostEndpoints = 10_000
)

// A tally is a family under construction. Samples of the same labels are added up: two names may differ in bytes that are no
// UTF-8, and a scrape with the same series twice is lost as a whole.
type tally struct {
	metrics.Family
	at map[string]int
}

func newTally(name string, kind metrics.Kind, help string, labels ...string) *tally {
	return &tally{Family: metrics.Family{Name: "amictl_" + name, Kind: kind, Help: help, Labels: labels}, at: make(map[string]int)}
}

func (t *tally) add(value float64, labels ...string) {
	key := utf8Label(strings.Join(labels, "\x00"))
	if i, ok := t.at[key]; ok {
		t.Samples[i].Value += value
		return
	}
	t.at[key] = len(t.Samples)
	t.Add(value, labels...)
}

// utf8Label is a label as metrics may have it.
func utf8Label(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// tallies are what the servers hold, as metrics.
type tallies struct {
	all []*tally

	stale, drift, gaps, refused, short                   *tally // of a node
	channels, bridges, calls, oldest                     *tally
	conferences, parked                                  *tally
	callers, wait, members, free                         *tally // of a queue
	completed, abandoned, holdtime, talktime, level      *tally
	endpoints, down, endpoint, registrations, unlabelled *tally
}

func (t *tallies) family(name string, kind metrics.Kind, help string, labels ...string) *tally {
	f := newTally(name, kind, help, labels...)
	t.all = append(t.all, f)
	return f
}

func newTallies(endpoints bool) *tallies {
	const counter, gauge = metrics.Counter, metrics.Gauge
	t := &tallies{}
	t.stale = t.family("state_stale", gauge, "Whether what is held of the node may be out of date.", "node")
	t.drift = t.family("state_drift_total", counter, "Changes that an audit found and no event had reported.", "node")
	t.gaps = t.family("state_gaps_total", counter, "Times that events were missing.", "node")
	t.refused = t.family("state_refused_total", counter, "Objects that were not kept because there are too many.", "node")
	t.short = t.family("state_short_total", counter, "Lists that ended before everything that they announced had come.", "node")
	t.channels = t.family("channels", gauge, "Channels.", "node")
	t.bridges = t.family("bridges", gauge, "Bridges.", "node")
	t.calls = t.family("calls", gauge, "Calls by their state.", "node", "state")
	t.oldest = t.family("call_oldest_seconds", gauge, "Age of the oldest call.", "node")
	t.conferences = t.family("conferences", gauge, "Conferences.", "node")
	t.parked = t.family("parked_calls", gauge, "Parked calls.", "node")
	t.callers = t.family("queue_callers", gauge, "Callers that wait.", "node", "queue")
	t.wait = t.family("queue_longest_wait_seconds", gauge, "How long the longest wait of a caller has lasted.", "node", "queue")
	t.members = t.family("queue_members", gauge, "Members.", "node", "queue")
	t.free = t.family("queue_members_free", gauge, "Members that could take a call now: not paused, and their device is not in use.", "node", "queue")
	t.completed = t.family("queue_completed_total", counter, "Calls that were taken, as Asterisk counts them; known at each audit.", "node", "queue")
	t.abandoned = t.family("queue_abandoned_total", counter, "Callers that gave up, as Asterisk counts them; known at each audit.", "node", "queue")
	t.holdtime = t.family("queue_holdtime_seconds", gauge, "Asterisk's moving average of the time in the queue; known at each audit.", "node", "queue")
	t.talktime = t.family("queue_talktime_seconds", gauge, "Asterisk's moving average of the time of talk; known at each audit.", "node", "queue")
	t.level = t.family("queue_service_level_ratio", gauge, "Part of the calls that were taken within the queue's service level; known at each audit.", "node", "queue")
	t.endpoints = t.family("endpoints", gauge, "Endpoints by the state of their device.", "node", "state")
	t.down = t.family("endpoints_down", gauge, "Endpoints that cannot be reached.", "node")
	t.registrations = t.family("registrations", gauge, "Registrations of the server with others, by their state.", "node", "state")
	t.unlabelled = t.family("series_left_out", gauge, "Queues and endpoints that have no series of their own because there are too many.", "node")
	if endpoints {
		t.endpoint = t.family("endpoint_up", gauge, "Whether the endpoint can be reached.", "node", "endpoint")
	}
	return t
}

// holdings are what the servers hold; without samples if they are not asked for.
func (d *door) holdings(samples bool) (all []metrics.Family) {
	t := newTallies(d.options.EndpointMetrics)
	if samples {
		t.count(d.figures.snapshot(freshness), time.Now())
	}
	for _, f := range t.all {
		all = append(all, f.Family)
	}
	return all
}

func (t *tallies) count(s *state.Snapshot, now time.Time) {
	for _, n := range s.Nodes {
		t.stale.add(metrics.Bool(n.Stale), n.Node)
		t.drift.add(float64(n.Drift), n.Node)
		t.gaps.add(float64(n.Gaps), n.Node)
		t.refused.add(float64(n.Refused), n.Node)
		t.short.add(float64(n.Short), n.Node)
		for _, none := range []*tally{t.channels, t.bridges, t.oldest, t.conferences, t.parked, t.down, t.unlabelled} {
			none.add(0, n.Node)
		}
		zero(t.calls, n.Node, callStates)
		zero(t.endpoints, n.Node, deviceStates)
		zero(t.registrations, n.Node, registrationStates)
	}
	for _, c := range s.Channels {
		t.channels.add(1, c.Node)
	}
	for _, b := range s.Bridges {
		t.bridges.add(1, b.Node)
	}
	for _, c := range s.Conferences {
		t.conferences.add(1, c.Node)
	}
	for _, p := range s.Parked {
		t.parked.add(1, p.Node)
	}
	t.countCalls(s.Calls, now)
	t.countQueues(s, now)
	t.countEndpoints(s.Endpoints)
	for _, r := range s.Registrations {
		t.registrations.add(1, r.Node, oneOf(registrationStates, r.State))
	}
}

// The states that have series. Whatever else a server says is other.
var (
	callStates         = []string{"dialing", "ringing", "waiting", "up", "talking", other}
	deviceStates       = []string{"not-in-use", "in-use", "busy", "invalid", "unavailable", "ringing", "ring-in-use", "on-hold", "unknown", other}
	registrationStates = []string{"registered", "unregistered", "rejected", other}
)

const other = "other"

func oneOf(states []string, s string) string {
	if slices.Contains(states, s) {
		return s
	}
	return other
}

func zero(t *tally, node string, states []string) {
	for _, s := range states {
		t.add(0, node, s)
	}
}

func (t *tallies) countCalls(calls []*state.Call, now time.Time) {
	oldest := make(map[string]time.Duration)
	for _, c := range calls {
		t.calls.add(1, c.Node, oneOf(callStates, c.State))
		if !c.Start.IsZero() {
			oldest[c.Node] = max(oldest[c.Node], now.Sub(c.Start))
		}
	}
	for node, age := range oldest {
		t.oldest.add(age.Seconds(), node)
	}
}

func (t *tallies) countQueues(s *state.Snapshot, now time.Time) {
	of, shown := make(map[string]int), make(map[queueName]bool)
	for _, q := range s.Queues {
		if of[q.Node]++; of[q.Node] > mostQueues {
			t.unlabelled.add(1, q.Node)
			continue
		}
		shown[queueName{q.Node, q.Name}] = true
		t.callers.add(float64(q.Callers), q.Node, q.Name)
		t.wait.add(0, q.Node, q.Name)
		t.members.add(float64(q.Members), q.Node, q.Name)
		t.free.add(0, q.Node, q.Name)
		t.completed.add(float64(q.Completed), q.Node, q.Name)
		t.abandoned.add(float64(q.Abandoned), q.Node, q.Name)
		t.holdtime.add(seconds(q.HoldUS), q.Node, q.Name)
		t.talktime.add(seconds(q.TalkUS), q.Node, q.Name)
		if percent, err := strconv.ParseFloat(q.ServicePerf, 64); err == nil {
			t.level.add(percent/100, q.Node, q.Name)
		}
	}
	longest := make(map[queueName]time.Duration)
	for _, c := range s.Callers {
		if at := (queueName{c.Node, c.Queue}); !c.Joined.IsZero() && shown[at] {
			longest[at] = max(longest[at], now.Sub(c.Joined))
		}
	}
	for at, wait := range longest {
		t.wait.add(wait.Seconds(), at.node, at.queue)
	}
	for _, m := range s.Members {
		if shown[queueName{m.Node, m.Queue}] && isFree(m) {
			t.free.add(1, m.Node, m.Queue)
		}
	}
}

// isFree reports whether a member could take a call now.
func isFree(m *state.Member) bool { return !m.Paused && !m.InCall && m.State == "not-in-use" }

func (t *tallies) countEndpoints(endpoints []*state.Endpoint) {
	of := make(map[string]int)
	for _, p := range endpoints {
		s := p.State
		if s == "" {
			s = "unknown"
		}
		t.endpoints.add(1, p.Node, oneOf(deviceStates, s))
		t.down.add(metrics.Bool(isDown(p)), p.Node)
		switch of[p.Node]++; {
		case t.endpoint == nil:
		case of[p.Node] > mostEndpoints:
			t.unlabelled.add(1, p.Node)
		default:
			t.endpoint.add(metrics.Bool(!isDown(p)), p.Node, p.Name)
		}
	}
}

// isDown reports whether an endpoint cannot be reached.
func isDown(p *state.Endpoint) bool {
	return p.Reach == "unreachable" || p.State == "unavailable" || p.State == "invalid"
}

func seconds(us int64) float64 { return (time.Duration(us) * time.Microsecond).Seconds() }
