package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// randomLoad makes a load that may be anything, with the names of its nodes.
func randomLoad(random *rand.Rand) (Config, []string) {
	c := Config{Nodes: 1 + random.IntN(12), Sessions: 1 + random.IntN(6), Target: "servers"}
	var names []string
	for i := range c.Nodes {
		names = append(names, fmt.Sprintf("pbx%d", i))
		if random.IntN(3) == 0 {
			if c.Weights == nil {
				c.Weights = Weights{}
			}
			c.Weights[names[i]] = 0.5 + 3*random.Float64()
		}
	}
	switch random.IntN(3) {
	case 0:
		c.Actions = random.Uint64N(5000)
		c.Concurrency = 1 + random.IntN(40)
	case 1:
		c.Rate, c.Duration = 1+1000*random.Float64(), Duration(time.Duration(1+random.IntN(5000))*time.Millisecond)
		c.WarmUp = Duration(time.Duration(random.IntN(900)) * time.Millisecond)
	case 2:
		c.Stages = []Stage{{For: Duration(time.Second), Rate: float64(random.IntN(500))}, {For: Duration(700 * time.Millisecond), Rate: float64(1 + random.IntN(500)), Step: true}}
	}
	if random.IntN(3) == 0 {
		c.Workload, c.MaxCalls = WorkloadCalls, 200+random.IntN(1000)
	}
	c.Defaults()
	return c, names
}

// Segments have each session of each node once, and what is theirs of every total adds up to it.
func TestCutSharesOutEverythingOnce(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		c, names := randomLoad(random)
		workers := 1 + random.IntN(c.Nodes*c.Sessions)
		segments, err := c.Cut(names, workers)
		if c.Sessions < SessionsFor(c.Nodes, workers) {
			if !errors.As(err, new(*ConfigError)) {
				t.Fatalf("seed %d: %d nodes with %d sessions for %d workers: %v", seed, c.Nodes, c.Sessions, workers, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		owners := map[[2]int]int{}
		var quota, calls, arrivals uint64
		var fraction float64
		most := uint64(1 << 60)
		var large uint64
		for i := range segments {
			s := &segments[i]
			if s.Nodes*s.Sessions < 1 {
				t.Errorf("seed %d: worker %d has nothing: %+v", seed, i, s)
			}
			for node := range c.Nodes {
				for session := range c.Sessions {
					if s.owns(node, session) {
						owners[[2]int{node, session}]++
					}
				}
			}
			quota += s.Quota(&c)
			calls += s.part(uint64(c.MaxCalls))
			large += s.part(most)
			fraction += s.fraction(&c)
			if c.Open() {
				n, err := s.Arrivals(&c)
				if err != nil {
					t.Fatal(err)
				}
				arrivals += n
			}
		}
		if len(owners) != c.Nodes*c.Sessions {
			t.Errorf("seed %d: %d of %d sessions have a worker", seed, len(owners), c.Nodes*c.Sessions)
		}
		for lane, n := range owners {
			if n != 1 {
				t.Errorf("seed %d: session %v has %d workers", seed, lane, n)
			}
		}
		if quota != c.Actions || calls != uint64(c.MaxCalls) || large != most || math.Abs(fraction-1) > 1e-9 {
			t.Errorf("seed %d: %d of %d actions, %d of %d calls, %d of %d, %g of the rate", seed, quota, c.Actions, calls, c.MaxCalls, large, most, fraction)
		}
		if c.Open() {
			r := run{Config: c}
			if err := r.plan(); err != nil {
				t.Fatal(err)
			}
			if arrivals != r.schedule.Total() {
				t.Errorf("seed %d: %d of %d arrivals", seed, arrivals, r.schedule.Total())
			}
		}
	}
}

// A worker's arrivals are spread over the time as the load's are: at no moment has one of them got more than its share, and the
// greatest rate that each has to reach is its share of the rate of all.
func TestPartsArriveInTurn(t *testing.T) {
	for _, tt := range []struct{ nodes, sessions, workers int }{{1000, 1, 4}, {7, 1, 3}, {8, 3, 4}, {2, 6, 2}} {
		c := Config{Nodes: tt.nodes, Sessions: tt.sessions, Target: "servers", Rate: 100, Duration: ms(1000)}
		c.Defaults()
		segments, err := c.Cut(make([]string, tt.nodes), tt.workers)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := segments[0].turns(&c, nil)
		order := arrivals(all)
		for i := range segments {
			s := &segments[i]
			var own int
			for n, lane := range order {
				if s.owns(lane/c.Sessions, lane%c.Sessions) {
					own++
				}
				fair := s.Share(&c) * float64(n+1)
				if apart := math.Abs(float64(own) - fair); apart > float64(c.Sessions)+1 {
					t.Errorf("%+v: of the first %d arrivals worker %d has %d, its share is %.1f", tt, n+1, i, own, fair)
					break
				}
			}
		}
	}
}

// Numbers of actions are disjoint between workers, and those of one process where there is one.
func TestPartsNumberApart(t *testing.T) {
	seen := map[uint64]int{}
	for i := range 5 {
		p := &Part{Segment: Segment{Worker: i, Workers: 5}}
		for n := range uint64(100) {
			seen[p.number(n+1)]++
		}
	}
	for n := range uint64(500) {
		if seen[n+1] != 1 {
			t.Errorf("number %d was given %d times", n+1, seen[n+1])
		}
	}
	if got := (*Part)(nil).number(7); got != 7 {
		t.Errorf("without parts number 7 is %d", got)
	}
}

func TestCutRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		config  Config
		workers int
	}{
		"fewer simulated nodes than workers": {Config{Nodes: 3, Target: targetSimulator, Sessions: 9}, 4},
		"fewer sessions than workers":        {Config{Nodes: 1, Target: "servers", Sessions: 3}, 4},
		"fewer calls than workers":           {Config{Nodes: 4, Target: "servers", Workload: WorkloadCalls, MaxCalls: 3, Rate: 1}, 4},
		"nobody":                             {Config{Nodes: 4, Target: "servers"}, 0},
	} {
		tt.config.Defaults()
		names := make([]string, tt.config.Nodes)
		if s, err := tt.config.Cut(names, tt.workers); !errors.As(err, new(*ConfigError)) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// Each part of a load in one process sends its own arrivals alone, and together they send all.
func TestPartsSendTheLoad(t *testing.T) {
	for name, c := range map[string]Config{
		"open":    {Nodes: 3, Rate: 1001, Duration: ms(500), MaxLag: ms(60_000), Weights: Weights{"sim2": 2.5}},
		"counted": {Nodes: 3, Actions: 701},
	} {
		t.Run(name, func(t *testing.T) {
			c.Target = targetSimulator
			c.Defaults()
			segments, err := c.Cut(c.NodeNames(nil), 2)
			if err != nil {
				t.Fatal(err)
			}
			var sent, seen uint64
			nodes := map[string]bool{}
			for i := range segments {
				r := launch(t, c, func(l *Launch) {
					l.Part = &Part{
						Segment: segments[i], Started: func(time.Time) {},
						Start: alreadyStarted,
						Stretch: func(s *Stretch) {
							for _, a := range s.Actions {
								seen += a.Ended.Total()
							}
						},
					}
				})
				check(t, r)
				sent += r.Total.Sent
				for _, n := range r.Nodes {
					nodes[n.Node] = true
				}
			}
			want := c.Actions
			if c.Open() {
				want = 501
			}
			if sent != want || seen != want || len(nodes) != 3 {
				t.Errorf("%d sent, stretches tell of %d, want %d; nodes %v", sent, seen, want, nodes)
			}
		})
	}
}

func alreadyStarted(context.Context) (time.Time, error) { return time.Now(), nil }
