package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/apntalk/amictl/internal/bench"
)

// A Target is a server that a worker is to load, with all that it takes to log in.
type Target struct {
	Node     string `json:"node"`
	Addr     string `json:"addr"`
	Username string `json:"username"`
	Secret   string `json:"secret"`
	Auth     int    `json:"auth,omitempty"`
	TLS      bool   `json:"tls,omitempty"`
	Trust
}

// Trust is how a server's certificate is verified.
type Trust struct {
	CA   string `json:"ca,omitempty"`   // PEM; "": the system's authorities
	Name string `json:"name,omitempty"` // that the certificate must hold; "": the host's
	Pin  string `json:"pin,omitempty"`  // SHA-256 of the certificate, in hex, instead of the others
}

// A load is what all workers do together.
type load struct {
	Config  bench.Config
	Seed    uint64
	Targets []Target
}

// complete fills in what was left out, as it is where one process has the whole load.
func (l *load) complete(workers int) {
	c := &l.Config
	if n := len(l.Targets); n > 0 {
		c.Nodes = n
		if c.Sessions == 0 {
			c.Sessions = bench.SessionsFor(n, workers)
		}
	} else if c.Nodes == 0 {
		c.Defaults()
		c.Nodes = max(c.Nodes, workers)
		if !c.Open() {
			c.Concurrency = 0 // it depends on how many nodes there are
		}
	}
	c.Defaults()
}

// names are those of the load's nodes, in its order.
func (l *load) names() []string {
	var targets []bench.Target
	for i := range l.Targets {
		targets = append(targets, bench.Target{Node: l.Targets[i].Node})
	}
	return l.Config.NodeNames(targets)
}

// cut makes each worker's plan.
func (l *load) cut(workers int) ([]plan, error) {
	if err := l.Config.Validate(); err != nil {
		return nil, err
	}
	segments, err := l.Config.Cut(l.names(), workers)
	if err != nil {
		return nil, err
	}
	plans := make([]plan, workers)
	for i, s := range segments {
		plans[i] = plan{Config: l.Config, Seed: l.Seed, Segment: s}
		for node := range l.Targets {
			if s.Has(node) {
				plans[i].Targets = append(plans[i].Targets, l.Targets[node])
			}
		}
		plans[i].Digest = plans[i].digest()
	}
	return plans, nil
}

// digest is that of the load as this program understands it: another one may fill in other values, or know other settings.
func (p *plan) digest() string {
	c := p.Config
	c.Defaults()
	b, err := json.Marshal(struct {
		Config  bench.Config
		Seed    uint64
		Segment bench.Segment
	}{c, p.Seed, p.Segment})
	if err != nil { // it holds nothing that cannot be written
		panic("bench: plan: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// mix is the plan's mix where it comes from a file, nil where the configuration names one.
func (p *plan) mix() (*bench.Mix, error) {
	if !strings.HasPrefix(p.Config.Mix, "[") {
		return nil, nil
	}
	return bench.ReadMix(strings.NewReader(p.Config.Mix))
}
