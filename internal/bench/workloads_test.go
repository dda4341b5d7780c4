package bench

import (
	"context"
	"testing"

	"go.uber.org/goleak"
)

func TestCallsAreMeasuredToTheirHangup(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := launch(t, Config{Workload: WorkloadCalls, Nodes: 2, Rate: 100, Duration: ms(300), Hold: ms(50), MaxLag: ms(60_000)}, nil)
	check(t, r)
	c := r.Calls
	if c.Originated != 30 || c.Answered != 30 || c.HungUp != 30 || c.Left != 0 || c.Peak == 0 {
		t.Errorf("%+v", c)
	}
	if c.HangupP50 < 50_000 || r.Total.P50 >= c.HangupP50 {
		t.Errorf("to hangup p50 %dµs, to OriginateResponse p50 %dµs; calls last 50 ms", c.HangupP50, r.Total.P50)
	}
}

func TestCallsStayBelowTheirCeiling(t *testing.T) {
	for name, cfg := range map[string]Config{
		"open":   {Rate: 1000, Duration: ms(200), MaxLag: ms(60_000)},
		"closed": {Concurrency: 20, Actions: 60},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Workload, cfg.Nodes, cfg.Hold, cfg.MaxCalls = WorkloadCalls, 2, ms(30), 7
			r := launch(t, cfg, nil)
			check(t, r)
			if r.Calls.Peak > 7 || r.Calls.Left != 0 || r.Calls.HungUp != r.Calls.Answered {
				t.Errorf("%+v", r.Calls)
			}
		})
	}
}

func TestInterruptedCallsAreHungUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := Launch{
		Config: Config{
			Workload: WorkloadCalls, Nodes: 2, Rate: 200, Duration: ms(60_000), Hold: ms(60_000), Every: ms(200), Target: "simulator",
			MaxLag: ms(60_000),
		},
		ID:   "test",
		Live: func(*Interval) { cancel() },
	}
	r, err := l.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r)
	if !r.Partial || r.Calls.Originated == 0 || r.Calls.Left != 0 {
		t.Errorf("partial %v, %+v", r.Partial, r.Calls)
	}
}

func TestEventsComeBackOnEveryNode(t *testing.T) {
	r := launch(t, Config{Workload: WorkloadEvents, Nodes: 3, Actions: 900}, nil)
	check(t, r)
	if r.Events.Delivered != 900 || r.Events.Missing != 0 || r.Events.P50 == 0 {
		t.Errorf("%+v", r.Events)
	}
}

func TestBigListsAreComplete(t *testing.T) {
	r := launch(t, Config{Workload: WorkloadBigList, Nodes: 2, Actions: 40, List: 300}, nil)
	check(t, r)
	if r.Total.Ended.Reply != 40 {
		t.Errorf("%+v", r.Total.Ended)
	}
}

func TestLoginStorm(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := launch(t, Config{Workload: WorkloadLoginStorm, Nodes: 2, Actions: 100, Concurrency: 4}, nil)
	check(t, r)
	if r.Total.Ended.Reply != 100 || r.Ledger.Simulator.Received < 100 {
		t.Errorf("%+v, %+v", r.Total.Ended, r.Ledger.Simulator)
	}
}
