package proof

import (
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// A moved is what `bus move` says.
type moved struct {
	status int
	From   string
	Whole  bool
	MoveUS int64 `json:"move_us"`
	said   string
}

// move moves a node as a user does.
func (l *lab) move(node, to string) (m moved) {
	c := exec.Command(amictld, "bus", "move", node, to, "--nats", l.servers.urls(), "--cluster", l.cluster, "-o", "jsonl", "--timeout", "10s") //nolint:gosec // our own
	c.Env = append(c.Environ(), "HOME="+l.dir)
	out, err := c.CombinedOutput()
	m.said = string(out)
	if err == nil {
		err = json.Unmarshal(out, &m)
	}
	if m.status = c.ProcessState.ExitCode(); err != nil && m.status == 0 {
		l.t.Errorf("bus move: %v in %s", err, out)
	}
	return m
}

// ownerOf is the bridge that owns a node, as the stream says, and another one.
func (l *lab) ownerOf(node string) (owner, other string) {
	l.reader.has(func(b *book) bool { owner = b.of(node).bridge; return true })
	for name := range l.bridges {
		if name != owner {
			other = name
		}
	}
	return owner, other
}

// Nodes go from one bridge to another and back, under load: no event is lost, none comes twice, and there is no gap.
func TestMoves(t *testing.T) {
	l, stop := oneBridge(t, "b")
	stop()
	stop = l.nodes.emitting(2000, "of the usual size, which is some hundred bytes; "+t.Name())
	t.Cleanup(stop)
	l.arrived("events come")
	const each = 10 // moves of a node at least, so that it goes back and forth
	moves := times(each*len(l.nodes.all), 500)
	before := l.reader.sumOwners()
	var took []time.Duration
	for k := range moves {
		n := l.nodes.all[k%len(l.nodes.all)].Name()
		var m moved
		_, to := l.ownerOf(n)
		if m = l.move(n, to); m.status != 0 || !m.Whole {
			t.Fatalf("%s was not moved to %s: %d, %s", n, to, m.status, m.said)
		}
		took = append(took, time.Duration(m.MoveUS)*time.Microsecond)
		eventually(t, "the stream says so", func() bool { owner, _ := l.ownerOf(n); return owner == to })
	}
	l.arrived("events go on")
	stop()
	b := l.judge()
	for _, n := range l.nodes.all {
		if a := b.of(n.Name()); a.gaps["disconnect"] > 1 || len(a.gaps) > 1 || a.lost > a.first {
			t.Errorf("%s: %d events are lost, and gaps: %v", n.Name(), a.lost-a.first, a.gaps)
		}
	}
	if owners := b.sum(func(a *account) uint64 { return a.owners }) - before; owners != uint64(moves) { //nolint:gosec // not negative
		t.Errorf("%d moves made %d owners", moves, owners)
	}
	slices.Sort(took)
	t.Logf("FIGURES %d moves of a node under %d events a second: p50 %d ms, longest %d ms; 0 events twice, %s", moves, 2000, took[len(took)/2].Milliseconds(), took[len(took)-1].Milliseconds(), b)
}

// sumOwners is how many owners there were, over all nodes.
func (r *reader) sumOwners() (n uint64) {
	r.has(func(b *book) bool { n = b.sum(func(a *account) uint64 { return a.owners }); return true })
	return n
}

// In the midst of a move the owner is killed, or the bridge that is to have the node, or both are told to move it: whoever has it in
// the end, no event comes twice, and each loss is within a gap.
func TestMovesCutShort(t *testing.T) {
	l, ear, stop := threeBridges(t)
	rounds := times(8, 50)
	done := 0
	for k := range rounds {
		n := l.nodes.all[k%len(l.nodes.all)].Name()
		owner, to := l.ownerOf(n)
		victim := l.bridges[owner]
		if k%2 == 0 {
			victim = l.bridges[to]
		}
		var all sync.WaitGroup
		var results [2]moved
		for i := range results {
			all.Go(func() { results[i] = l.move(n, to) })
		}
		time.Sleep(rand.N(120 * time.Millisecond)) // amictl has to start
		struck := time.Now()
		victim.kill()
		all.Wait()
		for _, m := range results {
			if m.status == 0 {
				done++
			} else if m.status != 2 && m.status != 3 && m.status != 5 && m.status != 7 {
				t.Errorf("a move that was cut short ended with %d: %s", m.status, m.said)
			}
		}
		eventually(t, "somebody who is alive owns "+n, func() bool {
			return l.reader.has(func(b *book) bool { return b.of(n).bridge != victim.name && !b.of(n).fresh })
		})
		l.startBridge(victim)
		eventually(t, "it beats again", func() bool { return ear.heard(victim.name, struck) })
		l.arrived("events go on")
	}
	stop()
	b := l.judge()
	t.Logf("FIGURES %d times two asked for a move, and the owner or the other bridge was killed in its midst: %d moves were done, 0 events twice, %s", rounds, done, b)
}
