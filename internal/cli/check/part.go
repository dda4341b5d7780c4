package check

import (
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A figure is a number that a condition may ask for, and that monitors keep.
type figure struct {
	name   string
	unit   string // s for seconds, c for what only grows, as performance data has them
	metric string // Prometheus' name
	help   string
}

func (f *figure) kind() metrics.Kind {
	if f.unit == "c" {
		return metrics.Counter
	}
	return metrics.Gauge
}

// A part is a kind of things that a profile may ask about, by the name that `amictl state` has for it. Things with figures
// are checked one by one; others are counted.
type part struct {
	name    string // of the tables in a profile
	one     string // of a check, and the label in Prometheus
	kind    state.Kind
	with    []state.Kind                // what the figures are made of, too
	passing bool                        // things come and go, so that one that is not there has figures of 0
	title   func(o state.Object) string // what people call it
	figures []figure
	measure func(h *holding, o state.Object) []float64 // the figures, NaN where it is not known
}

// A holding is what a node held at one moment.
type holding struct {
	*state.Snapshot
	at       time.Time
	contacts map[string][]contact // of PJSIP endpoints, by their names
}

// counted are the figures of what is counted.
var counted = []figure{
	{"count", "", "ami_check_found", "Things that a check counted."},
	{"longest", "s", "ami_check_longest_seconds", "How long the oldest of them has been there; of members, paused."},
}

// parts are in the order in which they are checked.
var parts = []part{
	{
		name: "registrations", one: "registration", kind: state.KindRegistration,
		title:   func(o state.Object) string { return registrationTitle(o.(*state.Registration)) },
		figures: []figure{{"registered", "", "ami_check_registration_registered", "Whether the server is registered there."}},
		measure: func(_ *holding, o state.Object) []float64 {
			return []float64{metrics.Bool(o.(*state.Registration).State == "registered")}
		},
	},
	{
		name: "endpoints", one: "endpoint", kind: state.KindEndpoint,
		title: func(o state.Object) string { return strings.TrimPrefix(o.(*state.Endpoint).Name, "PJSIP/") },
		figures: []figure{
			{"contacts", "", "ami_check_endpoint_contacts", "Contacts of the endpoint."},
			{"reachable", "", "ami_check_endpoint_reachable", "Contacts that are not known to be unreachable."},
			{"rtt", "s", "ami_check_endpoint_rtt_seconds", "Longest round trip of a contact that is qualified."},
		},
		measure: measureEndpoint,
	},
	{
		name: "queues", one: "queue", kind: state.KindQueue, with: []state.Kind{state.KindMember, state.KindCaller},
		title: func(o state.Object) string { return o.(*state.Queue).Name },
		figures: []figure{
			{"members", "", "ami_check_queue_members", "Members of the queue."},
			{"unpaused", "", "ami_check_queue_unpaused", "Members that are not paused."},
			{"available", "", "ami_check_queue_available", "Members that are neither paused nor busy nor unreachable."},
			{"callers", "", "ami_check_queue_callers", "Callers that wait."},
			{"wait", "s", "ami_check_queue_wait_seconds", "How long the first of them has waited."},
			{"completed", "c", "ami_check_queue_completed_total", "Calls that were answered."},
			{"abandoned", "c", "ami_check_queue_abandoned_total", "Calls whose callers gave up."},
			{"holdtime", "s", "ami_check_queue_holdtime_seconds", "Asterisk's moving average of the wait."},
			{"talktime", "s", "ami_check_queue_talktime_seconds", "Asterisk's moving average of the talk."},
		},
		measure: measureQueue,
	},
	{
		name: "conferences", one: "conference", kind: state.KindConference, with: []state.Kind{state.KindBridge}, passing: true,
		title:   func(o state.Object) string { return o.(*state.Conference).Name },
		figures: []figure{{"parties", "", "ami_check_conference_parties", "Channels in the conference."}},
		measure: func(_ *holding, o state.Object) []float64 { return []float64{float64(o.(*state.Conference).Parties)} },
	},
	{name: "channels", kind: state.KindChannel, title: func(o state.Object) string { return o.(*state.Channel).Name }},
	{name: "calls", kind: state.KindCall, title: func(o state.Object) string { return o.(*state.Call).Caller.Endpoint }},
	{name: "members", kind: state.KindMember, title: func(o state.Object) string { return o.(*state.Member).Interface }},
	{name: "callers", kind: state.KindCaller, title: func(o state.Object) string { return o.(*state.Caller).Channel }},
	{name: "parked", kind: state.KindParked, title: func(o state.Object) string { return o.(*state.Parked).Channel }},
	{name: "bridges", kind: state.KindBridge, title: func(o state.Object) string { return o.(*state.Bridge).Name }},
	{name: "hints", kind: state.KindHint, title: func(o state.Object) string { return o.(*state.Hint).Key() }},
	{name: "devices", kind: state.KindDevice, title: func(o state.Object) string { return o.(*state.Device).Name }},
}

// registrationTitle is a registration's section of pjsip.conf, or USER@HOST.
func registrationTitle(r *state.Registration) string {
	if r.Name != "" {
		return r.Name
	}
	return r.Username + "@" + r.Domain
}

// measureEndpoint reads what the contacts of an endpoint are like: by their own states where they were asked for, else by the
// peer's.
func measureEndpoint(h *holding, o state.Object) []float64 {
	e := o.(*state.Endpoint)
	all, asked := h.contacts[e.Name]
	if !asked {
		n := float64(len(e.Contacts))
		if e.Reach == "unreachable" {
			return []float64{n, 0, math.NaN()}
		}
		return []float64{n, n, math.NaN()}
	}
	reachable, slowest := 0, time.Duration(0)
	for _, c := range all {
		if c.reachable {
			reachable++
		}
		slowest = max(slowest, c.rtt)
	}
	rtt := math.NaN()
	if slowest > 0 {
		rtt = slowest.Seconds()
	}
	return []float64{float64(len(all)), float64(reachable), rtt}
}

// measureQueue counts as QueueSummary does (app_queue.c, member_status_available): a device of which nothing is known may be
// called.
func measureQueue(h *holding, o state.Object) []float64 {
	q := o.(*state.Queue)
	unpaused, available, wait := 0, 0, time.Duration(0)
	for _, m := range h.Members {
		if m.Queue == q.Name && !m.Paused {
			unpaused++
			if m.State == "not-in-use" || m.State == "unknown" {
				available++
			}
		}
	}
	for _, c := range h.Callers {
		if c.Queue == q.Name {
			wait = max(wait, h.at.Sub(c.Joined))
		}
	}
	const second = 1e6 // microseconds
	return []float64{
		float64(q.Members), float64(unpaused), float64(available), float64(q.Callers), wait.Truncate(time.Second).Seconds(),
		float64(q.Completed), float64(q.Abandoned), float64(q.HoldUS) / second, float64(q.TalkUS) / second,
	}
}

// objects is the part as `amictl state` has it.
func (p *part) objects() *objects.Part { return objects.PartOf(p.kind) }

// A thing is an object with its figures.
type thing struct {
	object state.Object
	record output.Record
	at     time.Time // when it was so
	values []float64
}

// thing measures an object.
func (p *part) thing(h *holding, o state.Object) *thing {
	t := &thing{object: o, record: p.objects().Record(o), at: h.at}
	if p.measure != nil {
		t.values = p.measure(h, o)
	}
	return t
}

// fields are what a condition may ask for: the keys of `amictl state`, and the figures. Where a key has the name of a figure the figure
// is meant: an endpoint's contacts are how many it has, as measured.
func (p *part) fields(t *thing) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		figures := names(p.figures)
		for i, v := range t.values {
			if !math.IsNaN(v) && !yield(figures[i], number(v)) {
				return
			}
		}
		for name, value := range p.objects().Fields(t.record, t.at) {
			if !contains(figures, strings.TrimLeft(name, ".#")) && !yield(name, value) {
				return
			}
		}
	}
}

// number writes a figure as conditions compare it.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// ofKind are those of a kind in a snapshot.
func ofKind(there *state.Snapshot, kind state.Kind) []state.Object {
	return slices.Collect(func(yield func(state.Object) bool) {
		for o := range there.Objects() {
			if o.Kind() == kind && !yield(o) {
				return
			}
		}
	})
}
