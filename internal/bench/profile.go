package bench

import (
	"fmt"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Profiles of the simulated cluster.
const (
	profileEven        = "even"
	profileOneSlow     = "one-slow"
	profileOneFlooding = "one-flooding"
	profileOneStalled  = "one-stalled"
	profileFlapping    = "flapping"
	profileStorm       = "storm"
	profileMixed       = "mixed"
)

// A condition is how a simulated node behaves. The zero value is a healthy one.
type condition struct {
	Name string `json:"name,omitempty"` // "" for healthy, else what reports call it
	// Faults strike when the measurement begins.
	Faults []amitest.Fault `json:"faults,omitempty"`
	// Hangs: the faults outlast the end of the load, and not all that the node reads is answered.
	Hangs bool `json:"hangs,omitempty"`
}

// Healthy reports whether the profile leaves the node alone.
func (c condition) Healthy() bool { return c.Name == "" }

// Conditions of nodes.
var (
	slow     = condition{Name: "slow", Faults: []amitest.Fault{{Kind: "latency", Fixed: 20 * time.Millisecond}}}
	flooding = condition{Name: "flooding", Faults: []amitest.Fault{{Kind: "flood", Event: "UserEvent", Rate: 20_000, Times: forever}}}
	flaps    = condition{Name: "flapping", Faults: []amitest.Fault{{Kind: "rst", Period: 300 * time.Millisecond, Times: forever}}}
	// A hung process keeps its sessions, and its port takes new ones that nobody serves.
	stalled = condition{Name: "stalled", Hangs: true, Faults: []amitest.Fault{
		{Kind: "halfopen"},
		{Kind: "halfopen", Action: "Challenge", Times: forever},
		{Kind: "halfopen", Action: "Login", Times: forever},
	}}
)

// forever is the Times of a fault without end.
const forever = -1

// storm is what strikes all nodes of the storm profile at once.
var storm = amitest.Fault{Kind: "rst"}

// A profile says which nodes of a simulated cluster are in which condition.
type profile struct {
	Name  string
	About string
	// Storm closes every session of every node at once, this long into the measurement; 0 never.
	Storm time.Duration
	// Paced: the consumer of events is held to a pace that the flood exceeds. Only then is it put to the test whether
	// a flood harms the other nodes' events.
	Paced bool
	nodes func(i, n int) condition
}

// Node returns the condition of node i of n.
func (p *profile) Node(i, n int) condition {
	if p.nodes == nil {
		return condition{}
	}
	return p.nodes(i, n)
}

// one puts a single node, in the middle so that it is neither first nor last in any order, in a condition. A cluster
// of one node stays healthy: there would be nobody to compare.
func one(c condition) func(i, n int) condition {
	return func(i, n int) condition {
		if n > 1 && i == n/2 {
			return c
		}
		return condition{}
	}
}

var profiles = []profile{
	{Name: profileEven, About: "all nodes healthy"},
	{Name: profileOneSlow, About: "one node answers each action 20 ms late", nodes: one(slow)},
	{Name: profileOneFlooding, About: "one node sends 20,000 events a second, more than the consumer takes", Paced: true, nodes: one(flooding)},
	{Name: profileOneStalled, About: "one node hangs: it takes connections' bytes and never answers", nodes: one(stalled)},
	{Name: profileFlapping, About: "every tenth node, at least one, loses its sessions every 300 ms", nodes: func(i, n int) condition {
		if n > 1 && i%10 == n/2%10 {
			return flaps
		}
		return condition{}
	}},
	{Name: profileStorm, About: "every node loses its sessions at once, 100 ms into the run", Storm: 100 * time.Millisecond},
	{Name: profileMixed, Paced: true, About: "one slow, one flooding, one stalled and one flapping node, the rest healthy", nodes: mixed},
}

func mixed(i, n int) condition {
	if n < 5 { // at least one must stay healthy
		return one(slow)(i, n)
	}
	if i%(n/4) != 0 || i/(n/4) > 3 {
		return condition{}
	}
	return []condition{slow, flooding, stalled, flaps}[i/(n/4)]
}

// profileByName returns the profile of that name, or a *ConfigError that lists them.
func profileByName(name string) (*profile, error) {
	var names []string
	for i := range profiles {
		if profiles[i].Name == name {
			return &profiles[i], nil
		}
		names = append(names, profiles[i].Name)
	}
	return nil, &ConfigError{"profile", fmt.Sprintf("%q is none of %v", name, names)}
}
