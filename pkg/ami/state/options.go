package state

import (
	"fmt"
	"time"
)

// Defaults of Options.
const (
	DefaultAudit  = 5 * time.Minute
	DefaultLimit  = 100_000 // objects of a kind on a node
	DefaultBuffer = 65_536  // changes that a consumer may be behind
)

// Options says what is followed. Zero fields take the documented defaults.
type Options struct {
	// Nodes are the names of the nodes to follow; none means all, those added later included.
	Nodes []string
	// Kinds are the kinds of objects that are of interest, which spares the servers the other lists; none means all.
	// Nodes themselves always are.
	Kinds []Kind
	// Audit is how often everything is listed again, to correct what events did not tell. Negative: never.
	Audit time.Duration
	// Limit bounds the objects of each kind that are kept of a node.
	Limit int
	// Buffer is how many changes a consumer of Changes may be behind before it gets an OpReset.
	Buffer int
}

func (o Options) withDefaults() (Options, error) {
	if o.Limit < 0 || o.Buffer < 0 {
		return o, fmt.Errorf("state: a negative limit (%d objects, %d changes)", o.Limit, o.Buffer)
	}
	kinds := map[Kind]bool{}
	for _, k := range Kinds() {
		kinds[k] = true
	}
	for _, k := range o.Kinds {
		if !kinds[k] {
			return o, fmt.Errorf("state: there is no kind %q", k)
		}
	}
	if o.Audit == 0 {
		o.Audit = DefaultAudit
	}
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}
	if o.Buffer == 0 {
		o.Buffer = DefaultBuffer
	}
	return o, nil
}

// wantsList reports whether a listing tells of a kind that is asked for.
func (c *core) wantsList(l *listing) bool {
	for _, k := range l.kinds {
		if c.wants(k) {
			return true
		}
	}
	return false
}
