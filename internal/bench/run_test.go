package bench

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
	"go.uber.org/goleak"
)

// ms makes a Duration of milliseconds.
func ms(n int) Duration { return Duration(time.Duration(n) * time.Millisecond) }

// launch runs a load against simulated nodes in this process; change may alter what is launched.
func launch(t *testing.T, cfg Config, change func(*Launch)) *Result {
	t.Helper()
	cfg.Target = "simulator"
	l := Launch{
		Config: cfg, Seed: 1, ID: "test", Version: "test",
	}
	ctx := t.Context()
	if change != nil {
		change(&l)
	}
	res, err := l.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if testing.Verbose() {
		var b bytes.Buffer
		_ = res.Write(&b)
		t.Log("\n" + b.String())
	}
	return res
}

// check holds what must be true of every run that was not meant to break its ledger.
func check(t *testing.T, r *Result) {
	t.Helper()
	if len(r.Ledger.Differences) > 0 {
		t.Errorf("the ledgers differ: %s", strings.Join(r.Ledger.Differences, "\n"))
	}
	if got := r.Total.Ended.Total(); got != r.Total.Sent {
		t.Errorf("%d sent, %d ended", r.Total.Sent, got)
	}
	var nodes, actions uint64
	for i := range r.Nodes {
		nodes += r.Nodes[i].Sent
	}
	for i := range r.Actions {
		actions += r.Actions[i].Sent
	}
	if nodes != r.Total.Sent || actions != r.Total.Sent {
		t.Errorf("%d sent, by nodes %d, by actions %d", r.Total.Sent, nodes, actions)
	}
	if r.Memory == nil || r.Memory.PeakHeap == 0 {
		t.Errorf("memory: %+v", r.Memory)
	}
}

func TestClosedLoopSendsExactlyWhatWasAsked(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := launch(t, Config{Nodes: 4, Sessions: 2, Actions: 5000}, nil)
	check(t, r)
	if r.Total.Sent != 5000 || r.Total.Ended.Reply != 5000 || r.Verdict != Measured || r.Partial {
		t.Errorf("sent %d, replied %d, verdict %s %v", r.Total.Sent, r.Total.Ended.Reply, r.Verdict, r.Reasons)
	}
	if len(r.Nodes) != 4 || r.Ledger.Compared != 4 || r.Ledger.Simulator.Received < 5000 {
		t.Errorf("%d nodes, ledger %+v", len(r.Nodes), r.Ledger)
	}
	if r.Total.P99 < r.Total.P50 || r.Total.P50 == 0 || r.Total.ServiceP50 > r.Total.P50 {
		t.Errorf("percentiles %+v", r.Total)
	}
	if _, err := DecodeHistogram(r.Histograms["response"]); err != nil {
		t.Error(err)
	}
}

func TestTheSameSeedSendsTheSameActions(t *testing.T) {
	counts := func(seed uint64) (n [3]uint64) {
		r := launch(t, Config{Nodes: 3, Actions: 2000}, func(l *Launch) { l.Seed = seed })
		for i := range r.Actions {
			n[i] = r.Actions[i].Sent
		}
		return n
	}
	if a, b, c := counts(7), counts(7), counts(8); a != b || a == c {
		t.Errorf("seed 7: %v and %v, seed 8: %v", a, b, c)
	}
}

func TestWarmUpIsNotMeasured(t *testing.T) {
	r := launch(t, Config{Nodes: 2, Actions: 300, WarmUp: ms(200)}, nil)
	check(t, r)
	if r.Total.Sent != 300 || r.Ledger.Bench.Reply <= 300 {
		t.Errorf("measured %d, all %d", r.Total.Sent, r.Ledger.Bench.Reply)
	}
}

// slowed makes every node answer that late.
func slowed(d time.Duration) func(*Launch) {
	return func(l *Launch) {
		l.simulate = func(s simSpec) (simulator, error) {
			for i := range s.Conditions {
				s.Conditions[i].Faults = []amitest.Fault{{Kind: "latency", Fixed: d}}
			}
			return simulateHere(s)
		}
	}
}

// TestOverloadShowsInResponseTimeAlone sends twice what the servers can take: each answers 4 actions in 20 ms.
func TestOverloadShowsInResponseTimeAlone(t *testing.T) {
	r := launch(t, Config{Nodes: 2, Rate: 800, Duration: ms(1000), Window: 4, MaxLag: ms(60_000)}, slowed(20*time.Millisecond))
	check(t, r)
	if r.Total.Sent != 800 || r.Lag == nil || r.Lag.Dropped != 0 {
		t.Errorf("sent %d, lag %+v", r.Total.Sent, r.Lag)
	}
	if r.Total.P90 < 3*r.Total.ServiceP90 {
		t.Errorf("response p90 %dµs does not show the backlog; service p90 %dµs", r.Total.P90, r.Total.ServiceP90)
	}
}

func TestOverloadDropsWhatHasNoRoom(t *testing.T) {
	r := launch(t, Config{Nodes: 2, Rate: 2000, Duration: ms(500), Window: 1, Backlog: 5, MaxLag: ms(60_000)}, slowed(20*time.Millisecond))
	check(t, r)
	if r.Lag.Dropped == 0 || r.Total.Sent+r.Lag.Dropped != 1000 {
		t.Errorf("sent %d, dropped %d of 1000", r.Total.Sent, r.Lag.Dropped)
	}
}

func TestOpenLoopFollowsStagesAndWeights(t *testing.T) {
	r := launch(t, Config{
		Nodes: 2, Weights: Weights{"sim1": 3}, MaxLag: ms(60_000),
		Stages: []Stage{{For: ms(200), Rate: 1000}, {For: ms(100), Rate: 500, Step: true}},
	}, nil)
	check(t, r)
	if r.Total.Sent != 150 || r.Nodes[0].Sent < 112 || r.Nodes[0].Sent > 113 {
		t.Errorf("sent %d, of them %d to the node of weight 3", r.Total.Sent, r.Nodes[0].Sent)
	}
}

func TestALateGeneratorIsInvalid(t *testing.T) {
	r := launch(t, Config{Nodes: 1, Rate: 500, Duration: ms(200), MaxLag: 1}, nil)
	if r.Verdict != Invalid || !r.Lag.Invalid {
		t.Errorf("verdict %s with lag %+v", r.Verdict, r.Lag)
	}
}

func TestAStalledNodeCostsItsOwnActionsOnly(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := launch(t, Config{Nodes: 10, Actions: 3000, Profile: profileOneStalled, Timeout: ms(300), Watch: ms(1)}, nil)
	check(t, r)
	stalled := 0
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.Healthy() {
			if n.Ended.Timeout > 0 || n.Ended.Reply == 0 {
				t.Errorf("%s: %+v", n.Node, n.Ended)
			}
			continue
		}
		stalled++
		if n.Condition != "stalled" || n.Ended.Timeout == 0 || n.Ended.Reply > 0 {
			t.Errorf("%s, %s: %+v", n.Node, n.Condition, n.Ended)
		}
	}
	if stalled != 1 || r.Fairness.Healthy != 9 {
		t.Errorf("%d stalled, %d healthy", stalled, r.Fairness.Healthy)
	}
}

func TestAFloodCostsTheOthersNoEvent(t *testing.T) {
	for watch := 1500; ; watch *= 4 { // a server that gets little CPU time floods nobody at once
		r := launch(t, Config{Nodes: 5, Actions: 2000, Profile: profileOneFlooding, Watch: ms(watch)}, nil)
		check(t, r)
		if r.Metrics["drops"] != 0 || r.Events.Missing != 0 || r.Events.Delivered == 0 {
			t.Errorf("drops of healthy nodes %v, events %+v", r.Metrics["drops"], r.Events)
		}
		if r.Metrics["drops_all"] > 0 || t.Failed() {
			return
		}
		if watch > 60_000 {
			t.Fatal("the flood was no more than the consumer takes: nothing was put to the test")
		}
	}
}

func TestLostSessionsKeepTheLedger(t *testing.T) {
	for _, profile := range []string{profileFlapping, profileStorm, profileMixed} {
		t.Run(profile, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			r := launch(t, Config{Nodes: 6, Duration: ms(1200), Profile: profile, Timeout: ms(300), Watch: ms(1)}, nil)
			check(t, r)
			if r.Metrics["reconnects"] == 0 || r.Metrics["gaps"] == 0 {
				t.Errorf("reconnects %v, gaps %v", r.Metrics["reconnects"], r.Metrics["gaps"])
			}
		})
	}
}

func TestInterruptLeavesAPartialResult(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := Launch{
		Config: Config{Nodes: 2, Duration: ms(60_000), Every: ms(20), Target: "simulator"}, ID: "test",
		Live: func(v *Interval) { cancel() },
	}
	r, err := l.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r)
	if !r.Partial || r.Ended != "interrupted" || r.Total.Answered() == 0 || len(r.Intervals) == 0 {
		t.Errorf("partial %v, ended %q, %d answered", r.Partial, r.Ended, r.Total.Answered())
	}
}

func TestAbort(t *testing.T) {
	for name, set := range map[string]func(*Config){
		"by a condition of its own":    func(c *Config) { c.AbortIf = []string{"replies>100"} },
		"by a figure that only grows":  func(c *Config) { c.FailIf, c.AbortOnFail = []string{"max>1ns"}, true },
		"by a figure in three windows": func(c *Config) { c.FailIf, c.AbortOnFail = []string{"p50>1ns"}, true },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Nodes: 2, Duration: ms(60_000), Every: ms(20)}
			set(&cfg)
			r := launch(t, cfg, nil)
			check(t, r)
			if !r.Partial || r.Ended == "" || (len(cfg.FailIf) > 0) != (r.Verdict == Fail) {
				t.Errorf("partial %v, ended %q, verdict %s", r.Partial, r.Ended, r.Verdict)
			}
		})
	}
}

func TestThresholdsDecide(t *testing.T) {
	for fail, want := range map[string]Verdict{
		"errors>0": Pass, "replies>1": Fail, "calls>0": Invalid,
	} {
		r := launch(t, Config{Nodes: 2, Actions: 200, FailIf: []string{fail}}, nil)
		if r.Verdict != want {
			t.Errorf("%s: %s, want %s", fail, r.Verdict, want)
		}
	}
}

func TestLaunchRefusesBeforeAnythingStarts(t *testing.T) {
	started := func(simSpec) (simulator, error) {
		t.Error("the simulator was started")
		return nil, errors.New("no")
	}
	var memory *MemoryError
	var config *ConfigError
	var threshold *ThresholdError
	var mix *MixError
	for _, tt := range []struct {
		cfg  Config
		want any
	}{
		{Config{MaxMemory: 1 << 20}, &memory},
		{Config{Workload: "x"}, &config},
		{Config{FailIf: []string{"p99>50"}}, &threshold},
		{Config{FailIf: []string{"p99>+5%"}}, &threshold},
		{Config{Mix: "pign"}, &mix},
	} {
		l := Launch{Config: tt.cfg, simulate: started}
		if _, err := l.Run(t.Context()); err == nil || !errors.As(err, tt.want) {
			t.Errorf("%+v: %v, want a %T", tt.cfg, err, tt.want)
		}
	}
}

// liar is a simulator that read one action more than it did.
type liar struct{ simulator }

func (l liar) Books() ([]simBooks, error) {
	b, err := l.simulator.Books()
	b[0].Received++
	return b, err
}

func TestALedgerThatDiffersIsInvalid(t *testing.T) {
	r := launch(t, Config{Nodes: 2, Actions: 200, FailIf: []string{"errors>0"}}, func(l *Launch) {
		l.simulate = func(s simSpec) (simulator, error) {
			sim, err := simulateHere(s)
			return liar{sim}, err
		}
	})
	if r.Verdict != Invalid || len(r.Ledger.Differences) != 1 {
		t.Errorf("verdict %s, differences %v", r.Verdict, r.Ledger.Differences)
	}
}

func TestSimulatorInAProcessOfItsOwn(t *testing.T) {
	r := launch(t, Config{Nodes: 3, Actions: 500}, func(l *Launch) { l.Simulator = simulatorCommand })
	check(t, r)
	if r.Ledger.Compared != 3 {
		t.Errorf("ledger %+v", r.Ledger)
	}
}

// TestAStalledNodeInAnOpenLoopEnds: its backlog outlives the load, and what is sent of it last must end too.
func TestAStalledNodeInAnOpenLoopEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := launch(t, Config{
		Nodes: 3, Rate: 300, Duration: ms(300), Profile: profileOneStalled, Window: 3, Timeout: ms(400), Grace: ms(600), Watch: ms(1),
		MaxLag: ms(60_000),
	}, nil)
	check(t, r)
	if r.Lag.Dropped == 0 || r.Total.Ended.Timeout < 4 || r.Total.Sent+r.Lag.Dropped != 90 {
		t.Errorf("sent %d, timed out %d, dropped %d of 90", r.Total.Sent, r.Total.Ended.Timeout, r.Lag.Dropped)
	}
}
