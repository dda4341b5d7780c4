package simtest

import (
	"math/rand/v2"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A plan is everything that a seed decides beforehand. What happens on the way draws from generators of its own, one
// for each actor, so that one actor's doings do not change another's.
type plan struct {
	seed     uint64
	nodes    int
	phases   int
	phase    time.Duration // between two quiescent points
	workers  int
	actions  int // a worker and phase, about
	events   int // bursts a node and phase, about
	burst    int // events in a large burst
	flood    float64
	watchers int
	faults   int                // a phase, about
	weights  map[string]float64 // of the kinds of faults
	abrupt   bool               // Close in the middle of everything, instead of healing
	link     amitest.Link
	buffer   int
	lag      time.Duration // behind its writer, of a reader at the connection's end
	ring     ami.SubscribeOptions
	budget   int64
	rate     int
	config   ami.Config // of every node, but for name and address
}

// rng returns the generator of one actor.
func (p *plan) rng(actor string, n int) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, c := range []byte(actor) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return rand.New(rand.NewPCG(p.seed, h+uint64(n)))
}

func newPlan(seed uint64) plan {
	p := plan{seed: seed}
	r := p.rng("plan", 0)
	skewed := func() float64 { f := r.Float64(); return f * f * f } // small ones are quick; some are large
	p.nodes = 1 + int(49.99*skewed())
	p.phases = 1 + r.IntN(3)
	p.phase = (5*time.Second + time.Duration(skewed()*float64(30*time.Minute-15*time.Second))) / time.Duration(p.phases)
	p.workers = 2 + r.IntN(8)
	p.actions = (400 + r.IntN(800)) / p.workers / p.phases
	p.events = 1 + r.IntN(1+40/p.nodes)
	p.burst = 100 + r.IntN(3000)
	p.flood = r.Float64() * 0.3
	p.watchers = 1 + r.IntN(4)
	p.faults = r.IntN(6 + 2*p.nodes)
	p.weights = make(map[string]float64)
	for _, k := range faultKinds {
		if r.IntN(3) > 0 {
			p.weights[k.name] = r.Float64()
		}
	}
	p.abrupt = r.IntN(4) == 0
	if r.IntN(2) == 0 {
		p.link.Latency = time.Duration(r.IntN(50)) * time.Millisecond
	}
	if r.IntN(8) == 0 {
		p.link.Bandwidth = 20_000 + r.IntN(1<<20)
	}
	p.buffer = 4096 << r.IntN(7)
	p.ring = ami.SubscribeOptions{Events: []string{"Tick"}, RingEvents: 1 << r.IntN(14), RingBytes: 10_000 << r.IntN(10)}
	p.budget = 256 << 10 << r.IntN(10)
	p.rate = 10 << r.IntN(5)
	p.config = ami.Config{
		Username: amitest.DefaultUser, Events: "on", Secret: ami.StaticSecret(amitest.DefaultSecret),
		Limits:   ami.Limits{Pending: 1 << r.IntN(12), WriteBuffer: 200 << 10},
		Timeouts: ami.Timeouts{Action: time.Second << r.IntN(5)},
		Redial: ami.Redial{
			LoginBackoffMin: time.Second, LoginBackoffMax: 10 * time.Second,
			BreakerAfter: time.Second << r.IntN(6), BackoffMax: time.Second << r.IntN(6),
		},
	}
	if r.IntN(4) == 0 {
		p.config.Filters = [][]ami.Field{{{Name: "Filter", Value: "!Event: NoSuchThing"}}}
	}
	if r.IntN(2) == 0 {
		p.lag = time.Duration(1+r.IntN(30)) * time.Millisecond
	}
	return p
}

// bound is how long after the end of all faults every node is ready, as in a storm: the longest wait, all turns, one
// dial and one login.
func (p *plan) bound() time.Duration {
	c := p.config
	wait := max(c.Redial.BackoffMax, c.Redial.LoginBackoffMax)
	return wait + time.Duration(p.nodes)*time.Second/time.Duration(p.rate) + ami.DefaultDialTimeout + ami.DefaultLoginTimeout + setupTimeout(c)
}

// setupTimeout is how long filters may take; a session whose setup fails is dialled again.
func setupTimeout(c ami.Config) time.Duration {
	if len(c.Filters) == 0 {
		return 0
	}
	return c.Timeouts.Action + c.Redial.BackoffMax
}
