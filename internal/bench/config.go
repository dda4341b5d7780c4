package bench

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Defaults of a run.
const (
	defaultSimNodes   = 8
	defaultCallers    = 64              // closed loop: over all nodes, but at least one a node
	defaultWindow     = 256             // actions in flight on one session
	defaultTimeout    = 5 * time.Second // of one action
	defaultGrace      = 10 * time.Second
	defaultEvery      = time.Second
	defaultDuration   = 5 * time.Second
	defaultMaxLag     = 20 * time.Millisecond
	defaultBacklog    = 10_000 // actions due but not yet sent, a node
	defaultEventRate  = 50.0   // numbered events a second, each simulated node
	defaultEventTotal = 5000.0 // and at most of all of them, when many
	defaultList       = 1000   // items of a simulated list
	// defaultWatch is how long the events of disturbed nodes are watched, however soon the actions are done: a flood
	// must last before it can starve anybody.
	defaultWatch    = 3 * time.Second
	defaultHold     = 2 * time.Second
	defaultMaxCalls = 100
	defaultChannel  = "Local/s@default"
)

// Workloads that a run can have.
const (
	WorkloadActions    = "actions"
	WorkloadCalls      = "calls"
	WorkloadEvents     = "events"
	WorkloadBigList    = "biglist"
	WorkloadLoginStorm = "login-storm"
)

// workloads lists the workloads by name.
func workloads() []string {
	return []string{WorkloadActions, WorkloadCalls, WorkloadEvents, WorkloadBigList, WorkloadLoginStorm}
}

// Duration is a time.Duration that JSON and flags write as "1.5s".
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("bench: duration: %w", err)
	}
	*d = Duration(v)
	return nil
}

// Config says what a run does. Two results are comparable when their Configs are equal, thresholds apart.
type Config struct {
	Workload string  `json:"workload"`
	Target   string  `json:"target"`  // "simulator", or what was named
	Profile  string  `json:"profile"` // of the simulated cluster
	Nodes    int     `json:"nodes"`
	Sessions int     `json:"sessions"` // a node
	Mix      string  `json:"mix"`
	Weights  Weights `json:"weights,omitempty"` // of nodes; 1 for those not named

	Concurrency int      `json:"concurrency,omitempty"` // closed loop: callers a node
	Window      int      `json:"window"`                // most actions in flight on a session
	Rate        float64  `json:"rate,omitempty"`        // open loop: actions a second over all nodes
	Stages      []Stage  `json:"stages,omitempty"`      // open loop: rates over time
	Backlog     int      `json:"backlog,omitempty"`     // open loop: actions due and not sent, a node, beyond which they are dropped
	EventRate   float64  `json:"event_rate,omitempty"`  // numbered events a second, each simulated node
	MaxCalls    int      `json:"max_calls,omitempty"`   // ceiling on concurrent calls
	Hold        Duration `json:"hold,omitzero"`         // how long a call of the calls workload lasts
	Channel     string   `json:"channel,omitempty"`     // what a call of the calls workload dials
	List        int      `json:"list,omitempty"`        // items of a simulated node's list, biglist workload
	EventPace   float64  `json:"event_pace,omitempty"`  // most events a second that the consumer takes; 0: no limit
	Watch       Duration `json:"watch,omitzero"`        // events are watched for so long, however soon the actions are done

	Actions  uint64   `json:"actions,omitempty"` // end after so many, 0: by Duration
	Duration Duration `json:"duration,omitzero"`
	WarmUp   Duration `json:"warm_up,omitzero"`
	Grace    Duration `json:"grace"` // how long the end goes on sending what is due; what is in flight ends by its timeout
	Timeout  Duration `json:"timeout"`
	Every    Duration `json:"every"`
	MaxLag   Duration `json:"max_lag"` // p99 of the generator's own lateness beyond which the result is INVALID

	MaxMemory   Bytes    `json:"max_memory,omitempty"`
	FailIf      []string `json:"fail_if,omitempty"`
	AbortIf     []string `json:"abort_if,omitempty"`
	AbortOnFail bool     `json:"abort_on_fail,omitempty"`
}

// Weights are the shares of nodes that should not get equal ones, by node.
type Weights map[string]float64

// Of returns a node's weight: 1 unless it was given.
func (w Weights) Of(node string) float64 {
	if v, ok := w[node]; ok {
		return v
	}
	return 1
}

// targetSimulator is the Target of a simulated cluster.
const targetSimulator = "simulator"

// simulates reports whether the servers are simulated ones.
func (c *Config) simulates() bool { return c.Target == targetSimulator }

// Open reports whether the run follows a schedule instead of the server's answers.
func (c *Config) Open() bool { return c.Rate > 0 || len(c.Stages) > 0 }

// Defaults fills in what was left out.
func (c *Config) Defaults() {
	set(&c.Workload, WorkloadActions)
	set(&c.Target, targetSimulator)
	set(&c.Profile, profileEven)
	set(&c.Nodes, defaultSimNodes)
	set(&c.Sessions, 1)
	set(&c.Grace, Duration(defaultGrace))
	set(&c.Timeout, Duration(defaultTimeout))
	set(&c.Every, Duration(defaultEvery))
	set(&c.MaxLag, Duration(defaultMaxLag))
	if c.Open() {
		set(&c.Backlog, defaultBacklog)
	} else {
		set(&c.Concurrency, max(1, defaultCallers/max(1, c.Nodes)))
		if c.Window == 0 { // the callers that were asked for have room
			c.Window = max(defaultWindow, c.mostCallers())
		}
	}
	set(&c.Window, defaultWindow)
	c.workloadDefaults()
	if c.Actions == 0 && c.Duration == 0 && len(c.Stages) == 0 {
		c.Duration = Duration(defaultDuration)
	}
}

// workloadDefaults fills in what depends on the workload.
func (c *Config) workloadDefaults() {
	switch c.Workload {
	case WorkloadCalls:
		set(&c.MaxCalls, defaultMaxCalls)
		set(&c.Hold, Duration(defaultHold))
		set(&c.Channel, defaultChannel)
		set(&c.Mix, "originate")
	case WorkloadEvents:
		set(&c.Mix, "userevent")
	case WorkloadBigList:
		set(&c.List, defaultList)
		set(&c.Mix, "queuestatus")
	case WorkloadLoginStorm:
		set(&c.Mix, "login")
	default:
		set(&c.Mix, defaultMix)
	}
	if c.Workload == WorkloadActions && c.simulates() {
		set(&c.EventRate, min(defaultEventRate, defaultEventTotal/float64(c.Nodes)))
	}
	if c.Profile != profileEven && c.EventRate > 0 {
		set(&c.Watch, Duration(defaultWatch))
	}
	if p, err := profileByName(c.Profile); err == nil && p.Paced && c.EventRate > 0 {
		set(&c.EventPace, max(minPace, paceRoom*c.EventRate*float64(c.Nodes)))
	}
}

// The consumer of a paced profile has room for this many times the healthy nodes' events, so that they lose nothing,
// and for less than what the flooding node adds.
const (
	paceRoom = 4.0
	minPace  = 5000.0
)

func set[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// maxRate is far beyond what any machine does: what is due and dropped has to be counted, one by one.
const maxRate = 1e7

// maxWindow is the most that the engine's table of what is in flight can be.
const maxWindow = 1 << 16

// maxWeight keeps the shares that go by weight within what can be told apart.
const maxWeight = 1e4

// Validate returns the first contradiction, as a *ConfigError.
func (c *Config) Validate() error {
	switch {
	case !slices.Contains(workloads(), c.Workload):
		return &ConfigError{"workload", fmt.Sprintf("%q is none of %v", c.Workload, workloads())}
	case c.Nodes < 1:
		return &ConfigError{"nodes", "must be at least 1"}
	case c.Sessions < 1:
		return &ConfigError{"sessions", "must be at least 1"}
	case c.Window < 1:
		return &ConfigError{"window", "must be at least 1"}
	case c.Window > maxWindow:
		return &ConfigError{"window", fmt.Sprintf("of %d is more than the %d that a session can have in flight", c.Window, maxWindow)}
	case c.Open() && c.Concurrency > 0:
		return &ConfigError{"concurrency", "is for a closed loop; with a rate, bound what is in flight by the window"}
	case !c.Open() && c.Concurrency < 1:
		return &ConfigError{"concurrency", "must be at least 1"}
	case !c.Open() && c.mostCallers() > c.Window:
		return &ConfigError{"concurrency", fmt.Sprintf("of %d callers a session is more than the window of %d", c.mostCallers(), c.Window)}
	case c.Rate < 0:
		return &ConfigError{"rate", "must not be negative"}
	case c.Rate > maxRate || c.EventRate > maxRate || slices.ContainsFunc(c.Stages, func(s Stage) bool { return s.Rate > maxRate }):
		return &ConfigError{"rate", fmt.Sprintf("must not be more than %.0f a second", maxRate)}
	case c.Timeout <= 0:
		return &ConfigError{"timeout", "must be more than 0"}
	case c.Every < 0 || c.Grace < 0 || c.WarmUp < 0 || c.Duration < 0 || c.Hold < 0:
		return &ConfigError{"duration", "must not be negative"}
	}
	for node, w := range c.Weights {
		if !(w >= 1/maxWeight && w <= maxWeight) {
			return &ConfigError{"weight", fmt.Sprintf("of %s must be from %g to %g", node, 1/maxWeight, maxWeight)}
		}
	}
	if _, err := profileByName(c.Profile); err != nil {
		return err
	}
	return nil
}

// Callers returns how many actions a session keeps in flight in a closed loop.
func (c *Config) Callers() int {
	n := (c.Concurrency + c.Sessions - 1) / c.Sessions
	return max(1, min(n, c.Window))
}

// callersAt returns how many actions each session of a node of that weight keeps in flight in a closed loop.
func (c *Config) callersAt(weight float64) int {
	return min(c.Window, max(1, int(float64(c.Callers())*weight+0.5)))
}

// mostCallers returns how many actions the session of the heaviest node is to keep in flight in a closed loop.
func (c *Config) mostCallers() int {
	heaviest := 1.0
	for _, w := range c.Weights {
		heaviest = max(heaviest, w)
	}
	sessions := max(1, c.Sessions)
	n := (c.Concurrency + sessions - 1) / sessions
	return int(min(math.MaxInt32, float64(n)*heaviest+0.5))
}

// ConfigError says which setting of a Config cannot be.
type ConfigError struct{ Setting, Why string }

func (e *ConfigError) Error() string { return "bench: " + e.Setting + " " + e.Why }
