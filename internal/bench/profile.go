package bench

import (
	"fmt"
	"slices"
	"time"
)

// Profiles of the simulated cluster.
const (
	ProfileEven        = "even"
	ProfileOneSlow     = "one-slow"
	ProfileOneFlooding = "one-flooding"
	ProfileOneStalled  = "one-stalled"
	ProfileFlapping    = "flapping"
	ProfileStorm       = "storm"
	ProfileMixed       = "mixed"
)

// A Condition is how a simulated node behaves. The zero value is a healthy one.
type Condition struct {
	Name string `json:"name,omitempty"` // "" for healthy, else what reports call it
	// Delay is added to every answer.
	Delay time.Duration `json:"delay,omitempty"`
	// Flood is how many events a second the node sends besides the numbered ones.
	Flood float64 `json:"flood,omitempty"`
	// Stall makes the node stop reading, as a hung process does: the kernel takes what is sent until it is full.
	Stall bool `json:"stall,omitempty"`
	// Flap closes all sessions of the node this often.
	Flap time.Duration `json:"flap,omitempty"`
}

// Healthy reports whether the profile leaves the node alone.
func (c Condition) Healthy() bool { return c.Name == "" }

// Conditions of nodes.
var (
	slow     = Condition{Name: "slow", Delay: 20 * time.Millisecond}
	flooding = Condition{Name: "flooding", Flood: 20_000}
	stalled  = Condition{Name: "stalled", Stall: true}
	flaps    = Condition{Name: "flapping", Flap: 300 * time.Millisecond}
)

// A Profile says which nodes of a simulated cluster are in which condition.
type Profile struct {
	Name  string
	About string
	// Storm closes every session of every node at once, this long into the measurement; 0 never.
	Storm time.Duration
	// Paced: the consumer of events is held to a pace that the flood exceeds. Only then is it put to the test whether
	// a flood harms the other nodes' events.
	Paced bool
	nodes func(i, n int) Condition
}

// Node returns the condition of node i of n.
func (p *Profile) Node(i, n int) Condition {
	if p.nodes == nil {
		return Condition{}
	}
	return p.nodes(i, n)
}

// one puts a single node, in the middle so that it is neither first nor last in any order, in a condition. A cluster
// of one node stays healthy: there would be nobody to compare.
func one(c Condition) func(i, n int) Condition {
	return func(i, n int) Condition {
		if n > 1 && i == n/2 {
			return c
		}
		return Condition{}
	}
}

var profiles = []Profile{
	{Name: ProfileEven, About: "all nodes healthy"},
	{Name: ProfileOneSlow, About: "one node answers each action 20 ms late", nodes: one(slow)},
	{Name: ProfileOneFlooding, About: "one node sends 20,000 events a second, more than the consumer takes", Paced: true, nodes: one(flooding)},
	{Name: ProfileOneStalled, About: "one node hangs: it takes connections' bytes and never answers", nodes: one(stalled)},
	{Name: ProfileFlapping, About: "every tenth node, at least one, loses its sessions every 300 ms", nodes: func(i, n int) Condition {
		if n > 1 && i%10 == n/2%10 {
			return flaps
		}
		return Condition{}
	}},
	{Name: ProfileStorm, About: "every node loses its sessions at once, 100 ms into the run", Storm: 100 * time.Millisecond},
	{Name: ProfileMixed, Paced: true, About: "one slow, one flooding, one stalled and one flapping node, the rest healthy", nodes: mixed},
}

func mixed(i, n int) Condition {
	if n < 5 { // at least one must stay healthy
		return one(slow)(i, n)
	}
	if i%(n/4) != 0 || i/(n/4) > 3 {
		return Condition{}
	}
	return []Condition{slow, flooding, stalled, flaps}[i/(n/4)]
}

// Profiles returns all profiles.
func Profiles() []Profile { return slices.Clone(profiles) }

// ProfileByName returns the profile of that name, or a *ConfigError that lists them.
func ProfileByName(name string) (*Profile, error) {
	var names []string
	for i := range profiles {
		if profiles[i].Name == name {
			return &profiles[i], nil
		}
		names = append(names, profiles[i].Name)
	}
	return nil, &ConfigError{"profile", fmt.Sprintf("%q is none of %v", name, names)}
}
