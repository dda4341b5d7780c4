package proof

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// nodes are simulated servers, each of which numbers its events.
type nodes struct {
	cluster *amitest.Cluster
	all     []*node
}

type node struct {
	*amitest.Server
	sent atomic.Uint64 // number of the last event
}

func startNodes(t testing.TB, n int) *nodes {
	// A busy host is not what is tried: a session whose client gets no processor for a while stays.
	s := &nodes{cluster: amitest.NewCluster(n, amitest.WithSettings(amitest.Settings{Timestamps: true, WriteTimeout: 10 * time.Second}))}
	t.Cleanup(s.cluster.Close)
	for _, srv := range s.cluster.Servers() {
		s.all = append(s.all, &node{Server: srv})
	}
	return s
}

// emit sends a node's next event.
func (n *node) emit(filler string) {
	n.EmitEvent(numbered, "UserEvent", "Proof", "N", strconv.FormatUint(n.sent.Add(1), 10), "Filler", filler)
}

// emitting sends so many events a second, over all nodes in turn, until stop.
func (s *nodes) emitting(rate float64, filler string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var gone sync.WaitGroup
	gone.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for start, k := time.Now(), 0; ; {
			for due := int(time.Since(start).Seconds() * rate); k < due && ctx.Err() == nil; k++ {
				s.all[k%len(s.all)].emit(filler)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); gone.Wait() }
}

func (s *nodes) sent() (n uint64) {
	for _, one := range s.all {
		n += one.sent.Load()
	}
	return n
}
