package bus

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// Times of heartbeats, which are on core NATS: a lease alone would find a dead bridge after 15 s.
const (
	beatEvery = 500 * time.Millisecond
	silence   = 2 * time.Second // a bridge that was not heard for so long is taken for dead
)

// members are the bridges of a cluster that are alive, ourselves included.
type members struct {
	conn    *nats.Conn
	subject string
	self    string
	sub     *nats.Subscription
	begun   time.Time
	done    chan struct{}
	gone    sync.WaitGroup

	mu      sync.Mutex           // guards what follows
	heard   map[string]time.Time // by bridge
	leaving map[string]bool      // they are alive, and take no more nodes
	hears0  time.Time            // since when we hear ourselves without a pause
}

// leavingHeader is in the beats of a bridge that is about to end.
const leavingHeader = "Ami-Leaving"

// join begins to beat and to listen.
func join(conn *nats.Conn, cluster, self string) (*members, error) {
	m := &members{conn: conn, subject: subject.Beats(cluster), self: self, begun: time.Now(), done: make(chan struct{}), heard: make(map[string]time.Time), leaving: make(map[string]bool)}
	var err error
	if m.sub, err = conn.Subscribe(m.subject, func(msg *nats.Msg) { m.hear(string(msg.Data), msg.Header.Get(leavingHeader) != "", time.Now()) }); err != nil {
		return nil, err
	}
	m.gone.Go(m.beat)
	return m, nil
}

func (m *members) beat() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		m.beatOnce()
		select {
		case <-tick.C:
		case <-m.done:
			return
		}
	}
}

func (m *members) beatOnce() {
	m.mu.Lock()
	leaving := m.leaving[m.self]
	m.mu.Unlock()
	msg := &nats.Msg{Subject: m.subject, Data: []byte(m.self)}
	if leaving {
		msg.Header = nats.Header{leavingHeader: []string{"yes"}}
	}
	_ = m.conn.PublishMsg(msg) // cut off: nobody hears it, ourselves included
}

// sayGoodbye has the others know that we take no more nodes: none waits for us to take one that is first ours.
func (m *members) sayGoodbye() {
	m.mu.Lock()
	m.leaving[m.self] = true
	m.mu.Unlock()
	m.beatOnce()
}

func (m *members) leave() {
	close(m.done)
	m.gone.Wait()
	_ = m.sub.Unsubscribe()
}

func (m *members) hear(bridge string, leaving bool, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bridge == m.self && now.Sub(m.heard[bridge]) > silence {
		m.hears0 = now
	}
	m.heard[bridge] = now
	if leaving {
		m.leaving[bridge] = true
	}
	for other, at := range m.heard { // those that have gone for good
		if now.Sub(at) > 10*silence {
			delete(m.heard, other)
			delete(m.leaving, other)
		}
	}
}

// hears reports whether our own beats have come back for as long as others' silence would be judged: then silence means that
// they are silent.
func (m *members) hears() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	return now.Sub(m.heard[m.self]) < silence && now.Sub(m.hears0) > silence+beatEvery
}

func (m *members) alive(bridge string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lives(m.heard[bridge])
}

// lives reports whether who was heard then may be alive. When the bus stands still all are silent, and our own beats do not come back: one
// whose last beat was just before ours is not dead for that. Called under mu.
func (m *members) lives(at time.Time) bool {
	return time.Since(at) < silence || m.heard[m.self].Sub(at) < silence-beatEvery
}

// last is when a bridge was heard last.
func (m *members) last(bridge string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard[bridge]
}

// list are the bridges that are alive, and take nodes.
func (m *members) list() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for bridge, at := range m.heard {
		if m.lives(at) && !m.leaving[bridge] {
			all = append(all, bridge)
		}
	}
	slices.Sort(all)
	return all
}

// bridgeOf is the name of a bridge's process.
func bridgeOf(process string) string { return process[:max(0, strings.LastIndexByte(process, '/'))] }

// find is named, but waits for one that may not have been heard yet, because we have just begun to listen.
func (m *members) find(ctx context.Context, name string) (process string, why *MoveError) {
	for {
		process, why = m.named(name)
		if why == nil || why.Reason != MoveNoBridge || time.Since(m.begun) > silence {
			return process, why
		}
		select {
		case <-time.After(beatEvery / 10):
		case <-ctx.Done():
			return "", why
		}
	}
}

// named returns the process of the bridge of that name, or why there is none that takes a node.
func (m *members) named(name string) (process string, why *MoveError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	var last time.Time // of two processes one has just been replaced by the other
	why = &MoveError{Reason: MoveNoBridge, What: fmt.Sprintf("no bridge %q is alive", name)}
	for other, at := range m.heard {
		switch silent := time.Since(at); {
		case bridgeOf(other) != name:
			if silent < silence && !m.leaving[other] {
				names = append(names, bridgeOf(other))
			}
		case silent >= silence:
			why = &MoveError{Reason: MoveAway, What: fmt.Sprintf("bridge %s has not been heard for %s", name, silent.Round(time.Second))}
		case m.leaving[other]:
			why = &MoveError{Reason: MoveAway, What: fmt.Sprintf("bridge %s is about to end", name)}
		case at.After(last):
			process, last = other, at
		}
	}
	if process != "" {
		return process, nil
	}
	slices.Sort(names)
	why.Names = slices.Compact(names)
	return "", why
}

// rank returns which of some bridges comes first for a node (rendezvous hashing): each node has an order of its own, so that
// the nodes of one that dies are spread over all others.
func rank(node string, bridges []string) (first string) {
	var most uint64
	for _, bridge := range bridges {
		h := fnv.New64a()
		_, _ = h.Write([]byte(bridge + "\x00" + node))
		if score := mix(h.Sum64()); first == "" || score > most {
			first, most = bridge, score
		}
	}
	return first
}

// mix spreads a hash over all bits (the finalizer of SplitMix64): FNV's high bits hardly depend on the last bytes.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
