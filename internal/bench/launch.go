package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"runtime/debug"
	"slices"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A Launch is a run with everything around it: simulator, engine, memory watch.
type Launch struct {
	Config  Config
	Seed    uint64
	ID      string
	Version string
	Mix     *Mix // nil: what the workload or Config.Mix says
	Live    func(*Interval)
	Part    *Part // of a load that several workers share; nil: the whole

	// Targets are real servers. Without any, a cluster is simulated.
	Targets []Target
	// Simulator returns the command of a process that simulates the cluster: one that runs ServeSimulator on its standard
	// input and output. With nil the cluster is simulated in this process.
	Simulator func() *exec.Cmd

	simulate func(simSpec) (simulator, error) // nil: as Simulator says
}

// Times of a run's end.
const (
	drainWithin = 5 * time.Second
	simUser     = "admin"
	simSecret   = "secret"
)

// Run checks what was asked, makes servers or takes the targets, runs the load, and cleans up. An error means that
// there is no result; what could not be cleaned up is a note in the result.
func (l *Launch) Run(ctx context.Context) (*Result, error) {
	c := &l.Config
	if n := len(l.Targets); n > 0 && l.Part == nil {
		c.Nodes = n
		if c.Target == "" {
			c.Target = "servers"
		}
	}
	c.Defaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	thresholds, err := ParseThresholds(c.FailIf, false)
	if err != nil {
		return nil, err
	}
	abort, err := ParseThresholds(c.AbortIf, false)
	if err != nil {
		return nil, err
	}
	if l.Mix == nil {
		if l.Mix, err = c.mix(); err != nil {
			return nil, err
		}
	}
	if l.Part != nil {
		l.Part.count(c, c.Nodes)
	}
	needs := l.Part.config(c)
	if err := checkMemory(&needs); err != nil {
		return nil, err
	}
	if err := checkDescriptors(&needs); err != nil {
		return nil, err
	}
	over := make(chan footprint, 1)
	footprints := startSampler(readFootprint, c.MaxMemory, over)
	if c.MaxMemory > 0 {
		old := debug.SetMemoryLimit(int64(float64(c.MaxMemory) * softShare))
		defer debug.SetMemoryLimit(old)
	}
	r := &run{
		Config: *c, Seed: l.Seed, ID: l.ID, Version: l.Version, Mix: l.Mix, Thresholds: thresholds, AbortIf: abort,
		Sampler: footprints, Over: over, Live: l.Live, nap: nap, Part: l.Part,
	}
	res, err := l.drive(ctx, r)
	if err != nil { // else the result has stopped it
		footprints.Stop(c.Nodes)
	}
	return res, err
}

// simulated starts the simulator.
func (l *Launch) simulated(spec simSpec) (simulator, error) {
	switch {
	case l.simulate != nil:
		return l.simulate(spec)
	case l.Simulator != nil:
		return spawnSimulator(l.Simulator(), spec)
	default:
		return simulateHere(spec)
	}
}

// softShare is how much of --max-memory the runtime's soft limit is: resident memory is more than what it counts.
const softShare = 0.85

// drive brings the servers and the engine up, runs, and takes them down in the opposite order.
func (l *Launch) drive(ctx context.Context, r *run) (res *Result, err error) {
	targets := l.Targets
	if len(targets) == 0 {
		spec, err := l.Config.Simulated(l.Seed, l.Part)
		if err != nil {
			return nil, err
		}
		sim, err := l.simulated(spec)
		if err != nil {
			return nil, err
		}
		defer func() {
			if e := sim.Close(); e != nil && res != nil {
				res.Notes = append(res.Notes, "the simulator's end: "+e.Error())
			}
		}()
		r.Simulator, r.Conditions = sim, spec.Conditions
		targets = simTargets(sim)
	}
	needs := l.Part.config(&l.Config)
	o := engineOptions{Sessions: needs.Sessions, Window: l.Config.Window, Events: l.Config.eventMask()}
	if len(l.Targets) == 0 {
		o.Cluster.MaxDials = simDials
	}
	cluster, err := newCluster(targets, o)
	if err != nil {
		return nil, err
	}
	r.Engine = cluster
	if l.Config.Workload == WorkloadLoginStorm {
		r.Engine = newLoginStorm(cluster)
	}
	res, err = r.Do(ctx)
	within := drainWithin
	if l.Part.gone() {
		within = abandonDrain
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if e := cluster.Drain(drain); e != nil && res != nil && !errors.Is(e, context.DeadlineExceeded) {
		res.Notes = append(res.Notes, "the sessions' end: "+firstLine(e.Error()))
	}
	return res, err
}

// simDials is how many simulated nodes are dialled at once.
const simDials = 256

func firstLine(s string) string {
	for i, c := range s {
		if c == '\n' {
			return s[:i] + " …"
		}
	}
	return s
}

// mix returns the mix that the workload implies, or the one that was named.
func (c *Config) mix() (*Mix, error) {
	switch c.Workload {
	case WorkloadCalls:
		return newCallMix(c.Channel, time.Duration(c.Hold), time.Duration(c.Timeout)), nil
	case WorkloadLoginStorm:
		return newLoginMix(), nil
	}
	return parseMix(c.Mix)
}

// eventMask returns the mask that the sessions log in with.
func (c *Config) eventMask() string {
	switch {
	case c.Workload == WorkloadCalls:
		return "call"
	case c.Workload == WorkloadEvents || c.EventRate > 0:
		return "user"
	}
	return "off"
}

// Simulated returns what to simulate for the run, or a part of it.
func (c *Config) Simulated(seed uint64, part *Part) (simSpec, error) {
	p, err := profileByName(c.Profile)
	if err != nil {
		return simSpec{}, err
	}
	s := simSpec{
		Nodes: c.Nodes, Seed: seed, EventRate: c.EventRate, List: c.List, Hold: c.Hold,
		Storm: Duration(p.Storm), Conditions: make([]condition, c.Nodes),
	}
	for i := range s.Conditions {
		s.Conditions[i] = p.Node(i, c.Nodes)
		s.Conditions[i].Faults = slices.Clone(s.Conditions[i].Faults)
		for k := range s.Conditions[i].Faults {
			if f := &s.Conditions[i].Faults[k]; f.Kind == "flood" {
				f.Rate = max(f.Rate, math.Ceil(2*c.EventPace)) // more than the consumer takes
			}
		}
	}
	if p.Storm > 0 && c.WarmUp > 0 {
		s.Storm += c.WarmUp
	}
	if part != nil {
		s.First, s.Apart, s.Of, s.Nodes = part.FirstNode, part.Workers, c.Nodes, part.Nodes
		all := s.Conditions
		s.Conditions = make([]condition, s.Nodes)
		for i := range s.Conditions {
			s.Conditions[i] = all[s.number(i)]
		}
		if s.Storm > 0 {
			s.Storm += Duration(StartLead)
		}
	}
	return s, nil
}

// NodeNames are the names of the load's nodes: of simulated ones, or of the targets.
func (c *Config) NodeNames(targets []Target) (names []string) {
	for i := range targets {
		names = append(names, targets[i].Node)
	}
	if len(targets) == 0 {
		for i := range c.Nodes {
			names = append(names, simName(i, c.Nodes))
		}
	}
	return names
}

// simTargets are the targets that a simulator's nodes are.
func simTargets(sim simulator) []Target {
	var out []Target
	for _, n := range sim.Nodes() {
		out = append(out, Target{Node: n.Name, Config: ami.Config{
			Addr: n.Addr, Username: simUser, Secret: ami.StaticSecret(simSecret),
		}})
	}
	return out
}

// DescriptorError says that a run needs more open files than the process may have.
type DescriptorError struct{ Need, Limit uint64 }

func (e *DescriptorError) Error() string {
	return fmt.Sprintf("bench: %d sessions' worth of open files are needed, the limit is %d (ulimit -n)", e.Need, e.Limit)
}

// spareDescriptors are for everything that is no session.
const spareDescriptors = 64

// checkDescriptors returns a *DescriptorError when the process may not open as many files as the run needs. A storm of
// logins needs one more for each caller.
func checkDescriptors(c *Config) error {
	need := uint64(c.Nodes)*uint64(c.Sessions) + spareDescriptors
	if c.Workload == WorkloadLoginStorm {
		need += uint64(c.Nodes) * uint64(c.Sessions) * uint64(c.Callers())
	}
	if limit := descriptorLimit(); limit > 0 && need > limit {
		return &DescriptorError{need, limit}
	}
	return nil
}
