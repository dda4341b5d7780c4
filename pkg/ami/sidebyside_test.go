//go:build linux

package ami_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

const (
	sideNodes  = 8
	sidePace   = 5 * time.Millisecond // between two actions of a node
	sideArm    = time.Second          // how long each arm lasts
	sideRounds = 15
	sideAlone  = 5    // arms in which the node's CPU time is measured
	sideRatio  = 2.0  // p99 beside the troublesome node to p99 beside the same CPU
	sideFloods = 2    // bursts in an arm
	sideFlaps  = 1000 // over all rounds, at least

	// The program around the engine holds so much itself. In a heap of 4 MiB, as a bare test has, Go's collector runs fifty
	// times a second in a flood, and what it takes from everybody is over twice what the same CPU elsewhere does
	// (docs/operations.md, tuning).
	sideHeap = 32 << 20

	// A stalled node's calls all end together this long after they were sent, and as many more are sent.
	stallTimeout = 200 * time.Millisecond
)

// A trouble is one way in which a node gives trouble, and how its CPU time is spread: in so many slices.
type trouble struct {
	kind   string
	slices int
	change func(*ami.Config)
	make   func(s *sideBySide, bad *ami.Node)
}

var troubles = []trouble{
	{kind: "flood", slices: sideFloods, make: func(s *sideBySide, _ *ami.Node) {
		for i := range sideFloods {
			time.Sleep(time.Until(s.start.Add(sideArm * time.Duration(i) / sideFloods)))
			if got := s.server.tell("flood"); got != "sent" {
				s.t.Errorf("the burst was not sent: %s", got)
			}
		}
	}},
	{
		kind: "flap", slices: int(sideArm / (10 * time.Millisecond)),
		change: func(c *ami.Config) {
			c.Redial.BackoffMin, c.Redial.BackoffMax, c.Redial.BreakerAfter = time.Millisecond, time.Millisecond, time.Hour
		},
	},
	{
		kind: "stall", slices: 1,
		change: func(c *ami.Config) { c.Timeouts.Action = stallTimeout },
		make: func(s *sideBySide, bad *ami.Node) { // fills the pending table and the write buffer, and keeps them full
			b := &ami.Batch[uint64]{}
			big := ami.NewAction("UserEvent", "UserEvent", "big", "Body", strings.Repeat("x", 900))
			for time.Since(s.start) < sideArm {
				if b.TrySubmit(bad, big, 0) != nil {
					time.Sleep(time.Millisecond)
				}
				b.Poll()
			}
		},
	},
	{kind: "trickle", slices: int(sideArm / (10 * time.Millisecond))},
}

// A node that floods, flaps, stalls or trickles costs the others what an unrelated process costs them that uses the same
// CPU, at most twice that at the 99th percentile. Both are measured in turn on real sockets, with every server in
// another process; what is judged is the median over the rounds, each of which compares with itself.
func TestTroublesomeNodeBesideItsCPU(t *testing.T) {
	if os.Getenv("AMICTL_PROVE") == "" || raceEnabled {
		skip.Loudly(t, "it compares times for minutes: scripts/prove runs it")
	}
	heap := make([]byte, sideHeap)
	defer runtime.KeepAlive(heap)
	for _, tr := range troubles {
		t.Run(tr.kind, func(t *testing.T) {
			s := newSideBySide(t, tr)
			defer s.close()
			s.rounds()
		})
	}
}

// A sideBySide is a cluster of well-behaved nodes under load, a server that gives trouble, and a process that burns.
type sideBySide struct {
	t       *testing.T
	trouble trouble
	good    *serverProcess
	server  *serverProcess
	burner  *serverProcess
	port    int
	cluster *ami.Cluster
	nodes   []*ami.Node
	start   time.Time // of the present arm
	loaded  bool      // the nodes are asked in it

	sub      *ami.Subscription
	followed sync.WaitGroup
	seen     atomic.Uint64 // events of the troublesome node
	dropped  atomic.Uint64
	served   [sideNodes]atomic.Uint64
	flaps    uint64
}

func newSideBySide(t *testing.T, tr trouble) *sideBySide {
	t.Helper()
	port := freePorts(t, sideNodes+1)
	s := &sideBySide{t: t, trouble: tr, port: port + sideNodes, cluster: ami.NewCluster(ami.ClusterConfig{RedialRate: 1000})}
	s.good = startServers(t, "", sideNodes, "127.0.0.1", port)
	s.server = startTroublemaker(t, tr.kind, s.port)
	s.burner = startTroublemaker(t, "burner", 0)
	sub, err := s.cluster.Subscribe(ami.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.sub = sub
	for i := range sideNodes {
		s.nodes = append(s.nodes, s.add(fmt.Sprint(i), port+i, nil))
	}
	for _, n := range s.nodes {
		if err := n.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.followed.Go(s.follow)
	return s
}

func (s *sideBySide) add(name string, port int, change func(*ami.Config)) *ami.Node {
	s.t.Helper()
	cfg := ami.Config{
		Name: name, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Username: amitest.DefaultUser,
		Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "user",
	}
	if change != nil {
		change(&cfg)
	}
	n, err := s.cluster.Add(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *sideBySide) close() {
	s.sub.Close()
	s.followed.Wait()
	if err := s.cluster.Close(); err != nil {
		s.t.Error(err)
	}
	for _, p := range []*serverProcess{s.good, s.server, s.burner} {
		p.kill()
	}
}

// follow checks that the other nodes' events are all there, and counts the troublesome one's.
func (s *sideBySide) follow() {
	var last [sideNodes]int
	for n := 1; ; n++ {
		ev, err := s.sub.Next(context.Background())
		if err != nil {
			return
		}
		if n%256 == 0 {
			time.Sleep(time.Millisecond) // slower than a flood
		}
		i, err := strconv.Atoi(ev.Node)
		switch {
		case err != nil && ev.Gap != nil:
			s.dropped.Add(ev.Gap.Dropped)
		case err != nil:
			s.seen.Add(1)
		case ev.Gap != nil:
			s.t.Errorf("a gap at another node, %s: %+v", ev.Node, ev.Gap)
		default:
			num, _ := strconv.Atoi(ev.Get("Tick"))
			if last[i] != 0 && num != last[i]+1 {
				s.t.Errorf("node %s: event %d behind %d", ev.Node, num, last[i])
			}
			last[i] = num
			s.served[i].Add(1)
		}
	}
}

// An arm is what was measured of the other nodes' actions in one arm.
type arm struct {
	service, intended time.Duration    // p99, from when it was sent and from when it should have been
	cpu               [2]time.Duration // of the engine, and of the servers
	lasted            time.Duration
}

// run measures an arm. It lasts until beside returns, at least sideArm.
func (s *sideBySide) run(beside func()) arm {
	s.t.Helper()
	before := [2]time.Duration{ownCPU(), s.good.cpu() + s.server.cpu()}
	var service, intended [sideNodes][]time.Duration
	var served [sideNodes]uint64
	for i := range served {
		served[i] = s.served[i].Load()
	}
	s.start = time.Now()
	var over atomic.Bool
	var all sync.WaitGroup
	for i, n := range s.nodes {
		if !s.loaded {
			break
		}
		all.Go(func() {
			for at := s.start.Add(sidePace * time.Duration(i) / sideNodes); !over.Load(); at = at.Add(sidePace) {
				time.Sleep(time.Until(at))
				sent := time.Now()
				if r, err := n.Do(context.Background(), ami.NewAction("Ping")); err != nil || !r.Success() {
					s.t.Errorf("node %s: %v", n.Name(), err)
				}
				end := time.Now()
				service[i], intended[i] = append(service[i], end.Sub(sent)), append(intended[i], end.Sub(at))
			}
		})
	}
	beside()
	time.Sleep(time.Until(s.start.Add(sideArm)))
	over.Store(true)
	all.Wait()
	a := arm{lasted: time.Since(s.start), cpu: [2]time.Duration{ownCPU() - before[0], s.good.cpu() + s.server.cpu() - before[1]}}
	a.service, a.intended = p99(service[:]), p99(intended[:])
	for i := range served {
		if s.served[i].Load() == served[i] {
			s.t.Errorf("node %d: no event was delivered in %v", i, a.lasted)
		}
	}
	return a
}

func p99(nodes [][]time.Duration) time.Duration {
	all := slices.Concat(nodes...)
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}

// cost returns the CPU time that the node costs in a second, to the engine and to the servers. It is measured with nobody else to serve: under
// load the engine's is twice as much in one second as in another, for the runtime looks for work between any two answers, and less of that is
// left beside a flood.
func (s *sideBySide) cost() (burn [2]time.Duration) {
	var quiet, with [2][]float64
	for range sideAlone {
		nothing := s.run(func() {})
		troubled := s.withTrouble()
		for i := range burn {
			quiet[i] = append(quiet[i], float64(nothing.cpu[i])/nothing.lasted.Seconds())
			with[i] = append(with[i], float64(troubled.cpu[i])/troubled.lasted.Seconds())
		}
	}
	for i := range burn {
		burn[i] = time.Duration(max(0, median(with[i])-median(quiet[i])))
	}
	s.t.Logf("in a second it costs the engine %v and the servers %v: %.1f ns beside nothing, %.1f beside it", burn[0], burn[1], quiet, with)
	return burn
}

// rounds measures in turn: nothing, the troublesome node, the CPU that it costs.
func (s *sideBySide) rounds() {
	cost := s.cost()
	s.loaded = true
	var quiet, with, beside, service, intended, burnt []float64
	for range sideRounds {
		nothing := s.run(func() {})
		troubled := s.withTrouble()
		burn := cost
		for i := range burn {
			burn[i] = time.Duration(float64(cost[i]) * troubled.lasted.Seconds())
		}
		var told time.Duration
		burning := s.run(func() {
			ns, _ := strconv.Atoi(s.burner.tell("burn %d %d %d %d", s.trouble.slices, troubled.lasted/time.Duration(s.trouble.slices), burn[0], burn[1]))
			told = time.Duration(ns)
		})
		s.t.Logf("quiet %v, troubled %v, burning %v; burnt %v of %v", nothing, troubled, burning, told, burn)
		quiet, with, beside = append(quiet, ms(nothing.service)), append(with, ms(troubled.service)), append(beside, ms(burning.service))
		service = append(service, float64(troubled.service)/float64(burning.service))
		intended = append(intended, float64(troubled.intended)/float64(burning.intended))
		burnt = append(burnt, ms(told))
		if s.t.Failed() {
			return
		}
	}
	if s.trouble.kind == "flap" && s.flaps < sideFlaps {
		s.t.Errorf("it flapped only %d times", s.flaps)
	}
	for what, ratio := range map[string][]float64{"from when they were sent": service, "from when they were due": intended} {
		if median(ratio) > sideRatio {
			s.t.Errorf("the other nodes' p99, %s, is %.1f times that beside the same CPU; the bound is %v; by round: %.1f", what, median(ratio), sideRatio, ratio)
		}
	}
	s.t.Logf("FIGURES %s: others' p99 %.2f ms quiet, %.2f ms beside the node, %.2f ms beside %.0f ms of CPU burnt in %v; ratio %.2f sent, %.2f due (bound %v), medians of %d rounds",
		s.trouble.kind, median(quiet), median(with), median(beside), median(burnt), sideArm, median(service), median(intended), sideRatio, sideRounds)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// withTrouble measures the arm with the troublesome node in it, and checks what became of that.
func (s *sideBySide) withTrouble() arm {
	s.t.Helper()
	bad := s.add("bad", s.port, s.trouble.change)
	if s.trouble.kind != "flap" {
		if err := bad.WaitReady(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
	if s.trouble.kind == "flood" {
		if err := ping(bad); err != nil { // the server too is done with the login
			s.t.Fatal(err)
		}
	}
	seen, dropped := s.seen.Load(), s.dropped.Load()
	a := s.run(func() {
		if s.trouble.make != nil {
			s.trouble.make(s, bad)
		}
	})
	switch s.trouble.kind {
	case "flood":
		for end := time.Now().Add(10 * time.Second); s.seen.Load()-seen+s.dropped.Load()-dropped < sideFloods*floodEvents && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		seen, dropped = s.seen.Load()-seen, s.dropped.Load()-dropped
		if seen+dropped != sideFloods*floodEvents || dropped == 0 {
			s.t.Errorf("%d delivered and %d dropped of %d", seen, dropped, sideFloods*floodEvents)
		}
	case "flap":
		s.flaps += bad.Stats().Lost
	case "stall":
		if st := bad.Stats(); st.Ledger.TimedOut == 0 || st.WritePeak < st.WriteCap*9/10 && st.PendingPeak < st.PendingCap {
			s.t.Errorf("nothing was full: %+v", st)
		}
	}
	if err := s.cluster.Remove("bad"); err != nil {
		s.t.Error(err)
	}
	if l := bad.Stats().Ledger; !l.Exact() || l.InFlight != 0 {
		s.t.Errorf("the ledger is not exact: %+v", l)
	}
	for _, n := range s.nodes {
		if st := n.Stats(); st.Lost != 0 || !st.Ledger.Exact() {
			s.t.Errorf("node %s: lost %d, %+v", n.Name(), st.Lost, st.Ledger)
		}
	}
	return a
}
