package ami_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A storm is a thousand nodes that all lose their server at once.
type storm struct {
	*fleet
	log dialLog
	sim *amitest.Cluster
}

const stormNodes = 1000

func newStorm(t *testing.T) *storm {
	t.Helper()
	s := &storm{fleet: newFleet(t, ami.ClusterConfig{})}
	s.net.SetLink("", amitest.Link{Latency: 10 * time.Millisecond})
	s.sim = amitest.NewCluster(stormNodes, amitest.WithNetwork(s.net))
	for _, srv := range s.sim.Servers() {
		s.add(srv.Name(), func(c *ami.Config) { c.Dial = s.log.through(srv.Name(), s.net.DialContext) })
	}
	s.ready(time.Minute)
	time.Sleep(time.Minute)
	return s
}

func (s *storm) close() {
	s.fleet.close()
	s.sim.Close()
}

// each calls f for every server's name.
func (s *storm) each(f func(name string)) {
	for _, srv := range s.sim.Servers() {
		f(srv.Name())
	}
}

// stormBound is when all must be back: the longest backoff, their turns, one dial and one login.
const stormBound = ami.DefaultBackoffMax + stormNodes*time.Second/ami.DefaultRedialRate + ami.DefaultDialTimeout + ami.DefaultLoginTimeout

func TestStormReturnsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(t)
		defer s.close()
		first := map[string]bool{}
		for range 6 {
			s.log.reset()
			s.each(s.net.Reset)
			synctest.Wait()
			if n := s.Stats().Ready; n != 0 {
				t.Fatalf("%d are ready: the test proves nothing", n)
			}
			start := time.Now()
			// The servers are there all the time: what it takes are the first backoff and the turns.
			s.ready(ami.DefaultBackoffMin + stormNodes*time.Second/ami.DefaultRedialRate + time.Second)
			t.Logf("all back after %v", time.Since(start))
			if got := s.log.most(time.Second); got > ami.DefaultRedialRate {
				t.Errorf("%d redials within a second", got)
			}
			if order := s.log.order(); len(order) != stormNodes {
				t.Errorf("%d redials for %d nodes", len(order), stormNodes)
			} else {
				first[order[0]] = true
			}
			time.Sleep(time.Minute)
		}
		if len(first) < 3 {
			t.Errorf("first to redial in six storms: %v", first)
		}
	})
}

// The servers stay away, in the two ways there are, and come back.
func TestStormReturnsAfterAnOutage(t *testing.T) {
	for _, tt := range []struct {
		name       string
		down, back func(s *storm, host string)
	}{
		{"hosts gone", func(s *storm, host string) { s.net.Partition(host); s.net.Reset(host) }, func(s *storm, host string) { s.net.Heal(host) }},
		{"ports closed", func(s *storm, host string) { s.sim.Server(host).Close() }, func(s *storm, host string) { s.serve(host) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStorm(t)
				defer s.close()
				s.log.reset()
				s.each(func(host string) { tt.down(s, host) })
				time.Sleep(5 * time.Minute)
				if n := s.Stats().Ready; n != 0 {
					t.Fatalf("%d are ready: the test proves nothing", n)
				}
				s.each(func(host string) { tt.back(s, host) })
				start := time.Now()
				s.ready(stormBound)
				t.Logf("all back after %v of %v", time.Since(start), stormBound)
				if got := s.log.most(time.Second); got > ami.DefaultRedialRate {
					t.Errorf("%d redials within a second", got)
				}
				// Those that hang hang for as long as they may; no more begin than the rate allows.
				if got := s.log.peak; got > ami.DefaultMaxDials+int(ami.DefaultRedialRate*ami.DefaultDialTimeout/time.Second) {
					t.Errorf("%d dials at once", got)
				}
			})
		})
	}
}

// Close, or Remove, at any instant against actions, reconnects and events: every call ends once, every book balances,
// nothing is left. It runs its rounds or half a minute, whichever is less, but at least a tenth of them; in
// the proof all.
func TestCloseAtAnyInstant(t *testing.T) {
	rounds, least := 10_000, 1000
	switch {
	case os.Getenv("AMICTL_PROVE") != "":
		least = rounds
	case testing.Short() && !raceEnabled:
		rounds, least = 500, 50
	}
	net := amitest.NewNetwork()
	const lanes = 4
	var done atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(30 * time.Second)
	for lane := range lanes {
		all.Go(func() {
			var names []string
			var servers []*amitest.Server
			for i := range 2 {
				names = append(names, fmt.Sprintf("lane%d-%d", lane, i))
				servers = append(servers, amitest.NewServer(amitest.WithNetwork(net), amitest.WithName(names[i])))
			}
			rng := rand.New(rand.NewPCG(uint64(lane), 3))
			for i := range rounds / lanes {
				if i >= least/lanes && time.Now().After(end) || t.Failed() {
					break
				}
				runCloseRound(t, net, names, servers, rng)
				done.Add(1)
			}
			for _, s := range servers {
				s.Close()
			}
		})
	}
	all.Wait()
	t.Logf("FIGURES %d rounds of Close against Do, reconnect and dispatch, race detector: %t", done.Load(), raceEnabled)
	for range 100 { // a goroutine that has nothing left to do may not be gone yet
		if goroutines() == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines of the engine are left", goroutines())
}

// A closeRound is one Close, of a cluster that is used in every way at once, until it has been asked for so many times.
type closeRound struct {
	t       *testing.T
	c       *ami.Cluster
	sub     *ami.Subscription
	net     *amitest.Network
	names   []string
	servers []*amitest.Server
	nodes   []*ami.Node
	batch   ami.Batch[uint64]
	work    sync.WaitGroup

	left                    atomic.Int64 // until the end
	stop                    chan struct{}
	accepted, calls, routed atomic.Int64
}

func runCloseRound(t *testing.T, net *amitest.Network, names []string, servers []*amitest.Server, rng *rand.Rand) {
	c := ami.NewCluster(ami.ClusterConfig{RedialRate: 100_000})
	s, err := c.Subscribe(ami.SubscribeOptions{RingEvents: 1 + rng.IntN(64)})
	if err != nil {
		t.Error(err)
		return
	}
	for _, name := range names {
		if _, err := c.Add(ami.Config{
			Name: name, Addr: name + ":5038", Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
			Events: "on", Dial: net.DialContext, Redial: ami.Redial{BackoffMin: 100 * time.Microsecond, BackoffMax: time.Millisecond, BreakerAfter: time.Hour},
		}); err != nil {
			t.Error(err)
			return
		}
	}
	r := &closeRound{t: t, c: c, sub: s, net: net, names: names, servers: servers, nodes: c.Nodes(), stop: make(chan struct{})}
	r.left.Store(1 + rng.Int64N(80))
	r.call()
	r.submit()
	r.disturb()
	<-r.stop
	if rng.IntN(3) == 0 {
		if err := c.Remove(names[1]); err != nil {
			t.Error(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	r.work.Wait()
	r.judge()
}

// going says whether the round goes on, which each call brings nearer to its end.
func (r *closeRound) going() bool {
	if r.left.Add(-1) == 0 {
		close(r.stop)
	}
	select {
	case <-r.stop:
		return false
	default:
		return true
	}
}

// call has three callers route their actions, one of them to the first node always.
func (r *closeRound) call() {
	wait := ami.Action{Name: "Ping", WaitReady: true, Timeout: 10 * time.Second}
	for i := range 3 {
		r.work.Go(func() {
			for r.going() {
				to := ami.Route{Kind: ami.RouteRoundRobin}
				if i == 0 {
					to = ami.Route{Node: r.names[0]}
				}
				reply, err := r.c.Via(to).Do(context.Background(), wait)
				r.routed.Add(1)
				if (reply == nil) == (err == nil) || errors.Is(err, ami.ErrTimeout) {
					r.t.Errorf("%v, %v", reply, err)
				}
				if errors.Is(err, ami.ErrClosed) {
					return
				}
			}
		})
	}
}

// submit has a caller for each node submit to the batch.
func (r *closeRound) submit() {
	for _, n := range r.nodes {
		r.work.Go(func() {
			a := ami.NewAction("QueueStatus")
			for i := uint64(0); r.going(); i++ {
				a.WaitReady = n == r.nodes[0] || i > 20
				r.calls.Add(1)
				if err := r.batch.Submit(context.Background(), n, a, i); err == nil {
					r.accepted.Add(1)
				} else if errors.Is(err, ami.ErrClosed) {
					return
				}
			}
		})
	}
}

// disturb has events sent and read, and connections reset.
func (r *closeRound) disturb() {
	r.work.Go(func() {
		for {
			if _, err := r.sub.Next(context.Background()); err != nil {
				return
			}
		}
	})
	r.work.Go(func() {
		for i := 0; r.going(); i++ {
			r.servers[i%2].EmitEvent("Tick", "Body", "x")
			if i%8 == 7 {
				r.net.Reset(r.names[i/8%2])
			}
			_ = r.nodes[i%2].WaitReady(context.Background())
		}
	})
}

// judge wants every end that is owed and no more, and balanced books.
func (r *closeRound) judge() {
	for range r.accepted.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_, err := r.batch.Next(ctx)
		cancel()
		if err != nil {
			r.t.Errorf("%d ends of %d are owed", r.batch.Outstanding(), r.accepted.Load())
			break
		}
	}
	if end, ok := r.batch.Poll(); ok {
		r.t.Errorf("an end too many: %+v", end)
	}
	var sum ami.Ledger
	for _, n := range r.nodes {
		l := n.Stats().Ledger
		if !l.Exact() || l.InFlight != 0 {
			r.t.Errorf("%s: %+v", n.Name(), l)
		}
		sum.Add(l)
	}
	if want := uint64(r.calls.Load()); sum.Submitted < want || sum.Submitted > want+uint64(r.routed.Load()) {
		r.t.Errorf("%d submitted; %d calls and %d routed", sum.Submitted, want, r.routed.Load())
	}
	wantSubscription(r.t, r.sub)
	if used := r.c.Stats().BudgetUsed; used != 0 {
		r.t.Errorf("%d bytes of budget are taken", used)
	}
}
