package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/pkg/ami"
)

// sample makes a result with every part filled in, different for each seed.
func sample(t *testing.T, seed uint64, open bool) *bench.Result {
	t.Helper()
	cfg := bench.Config{Profile: "one-stalled", Nodes: 8, Duration: bench.Duration(20 * time.Second), FailIf: []string{"p99>50ms", "jain<0.95"}}
	if open {
		cfg.Rate = 500
	}
	cfg.Defaults()
	r := &bench.Result{
		Schema: bench.Schema, Version: "test", Run: fmt.Sprintf("run%d", seed), Seed: seed, Elapsed: 20, Config: cfg,
		Started: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Machine: bench.Machine{OS: "linux", Arch: "amd64", CPUs: 2},
		Histograms: map[string]string{}, Ledger: bench.Ledger{Differences: []string{}, Simulator: &bench.ServerBooks{Received: 1}, Compared: 8},
		Memory: &bench.Memory{PeakRSS: 60 << 20, WarmRSS: 50 << 20, EndRSS: 51 << 20, PeakHeap: 20 << 20, PerNode: 300 << 10},
		Queues: []bench.Queue{
			{Name: "pending", Unit: "actions", High: 256, Cap: 4096, Node: "sim01"},
			{Name: "ring", Unit: "events", High: 100, Cap: 8192, Node: "sim02"},
		},
		Events: &bench.Events{Delivered: 1000, Rate: 50},
	}
	random := rand.New(rand.NewPCG(seed, 0))
	response, service := bench.NewHistogram(), bench.NewHistogram()
	for n := range 8 {
		part := bench.NodePart{Node: fmt.Sprintf("sim%02d", n), Condition: "healthy", Weight: 1, Starvation: int64(1000 * (n + 1))}
		if n == 4 {
			part.Condition = "stalled"
		}
		var rs, ss bench.Small
		for range 2000 {
			x := random.Float64()
			us := int64(200 + 300*float64(n+1)*-math.Log(1-x))
			rs.Record(us + us/3)
			ss.Record(us)
			response.Record(us + us/3)
			service.Record(us)
		}
		part.Sent, part.Ended.Reply, part.Rate = 2000, 2000, 100
		part.Latency(rs.Summary(), ss.Summary())
		part.Response, part.Service = rs.Encode(), ss.Encode()
		r.Nodes = append(r.Nodes, part)
		plus(&r.Total, &part.Tally)
	}
	r.Total.Rate = 800
	r.Total.Latency(response.Summary(), service.Summary())
	r.Ledger.Bench, r.Ledger.Engine = r.Total.Ended, bench.Books{Ledger: ami.Ledger{Submitted: 16000, Accepted: 16000, Replied: 16000}}
	var err error
	if r.Histograms["response"], err = response.Encode(); err != nil {
		t.Fatal(err)
	}
	if r.Histograms["service"], err = service.Encode(); err != nil {
		t.Fatal(err)
	}
	r.Actions = []bench.ActionPart{{Name: "ping", Tally: r.Total}}
	r.Fairness = bench.Judge(r.Nodes)
	for i := range 20 {
		v := bench.Interval{
			At: float64(i + 1), Length: 1, Sent: 800, Ended: 800, Rate: 800 + 40*math.Sin(float64(i)), P50: 500, P99: int64(3000 + 200*i), Max: 9000,
			ServiceP50: 400, ServiceP99: 2500, InFlight: 64, RSS: bench.Bytes(50+i) << 20, Heap: 20 << 20, Ready: 8, Target: 900, Backlog: uint64(i * i),
		}
		r.Intervals = append(r.Intervals, v)
	}
	if open {
		r.Lag = &bench.Lag{P50: 60, P99: 900, Max: 3000, Limit: cfg.MaxLag, Dropped: 5}
	}
	th, err := bench.ParseThresholds(cfg.FailIf, false)
	if err != nil {
		t.Fatal(err)
	}
	r.Decide(th)
	return r
}

func sound() *bench.Result {
	return &bench.Result{
		Schema: bench.Schema, Total: bench.Tally{Sent: 2000, Ended: bench.Ended{Reply: 2000}, Rate: 1000, P50: 500, P99: 4000},
		Fairness: bench.Fairness{Healthy: 2, Nodes: 2, Jain: 0.99, JainAll: 0.99}, Ledger: bench.Ledger{Differences: []string{}},
	}
}
