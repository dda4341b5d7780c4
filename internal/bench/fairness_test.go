package bench

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestJain(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{
		{nil, 1},
		{[]float64{0, 0}, 1},
		{[]float64{5}, 1},
		{[]float64{7, 7, 7, 7}, 1},
		{[]float64{1, 0, 0, 0}, 0.25},
		{[]float64{1, 1, 0, 0}, 0.5},
		{[]float64{1, 2, 3}, 36.0 / 42},
		{[]float64{1e300, 1e300}, 1},
	} {
		if got := jain(tt.in); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("jain(%v) = %g, want %g", tt.in, got, tt.want)
		}
	}
}

// nodePart makes a node's part with that many replies.
func nodePart(node, condition string, weight float64, replies uint64) NodePart {
	n := NodePart{Node: node, Condition: condition, Weight: weight}
	n.Ended.Reply = replies
	return n
}

func TestShares(t *testing.T) {
	nodes := []NodePart{nodePart("a", "healthy", 3, 450), nodePart("b", "healthy", 1, 50), nodePart("c", "slow", 2, 25)}
	if d := cmp.Diff([]float64{1.2, 0.4, 0.1}, Shares(nodes), cmpopts.EquateApprox(0, 1e-9)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if got := Shares(nodes[2:]); got != nil {
		t.Errorf("without a healthy node there are shares %v", got)
	}
}

func TestJudgeLeavesDisturbedNodesOut(t *testing.T) {
	var nodes []NodePart
	for i := range 49 {
		n := nodePart(fmt.Sprintf("sim%02d", i), "healthy", 1, 200)
		n.P99, n.Starvation, n.EventStarvation = 1000, 3000, 20_000
		nodes = append(nodes, n)
	}
	nodes[7].P99, nodes[7].Starvation = 5000, 90_000
	nodes[9].EventStarvation = 70_000
	stalled := nodePart("sim49", "stalled", 1, 2)
	stalled.P99, stalled.Starvation, stalled.EventStarvation = 5_000_000, 5_000_000, 9_000_000
	f := Judge(append(nodes, stalled))
	want := Fairness{
		Healthy: 49, Nodes: 50, Jain: 1, JainAll: 0.98,
		MinShare: 1, MinShareNode: "sim00", MaxShare: 1, MaxShareNode: "sim00",
		MedianP99: 1000, WorstP99: 5000, WorstP99Node: "sim07", P99Ratio: 5,
		Starvation: 90_000, StarvationNode: "sim07", EventStarvation: 70_000, EventStarvationNode: "sim09",
	}
	opts := cmp.Options{cmpopts.EquateApprox(0, 0.001), cmpopts.IgnoreFields(Fairness{}, "Worst")}
	if d := cmp.Diff(want, f, opts); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if len(f.Worst) != 2 || f.Worst[0].Node != "sim49" || f.Worst[1].Node != "sim07" {
		t.Errorf("worst nodes: %+v, want sim49 and sim07", f.Worst)
	}
}

func TestJudgeByWeight(t *testing.T) {
	f := Judge([]NodePart{nodePart("a", "healthy", 3, 300), nodePart("b", "healthy", 1, 100)})
	if f.Jain != 1 || f.MinShare != 1 || f.MaxShare != 1 {
		t.Errorf("shares by weight are not fair: %+v", f)
	}
	f = Judge([]NodePart{nodePart("a", "healthy", 3, 200), nodePart("b", "healthy", 1, 200)})
	if f.Jain == 1 || f.MinShareNode != "a" || f.MaxShareNode != "b" {
		t.Errorf("equal counts at unequal weights are fair: %+v", f)
	}
}

func TestJudgeWithoutHealthyNodes(t *testing.T) {
	f := Judge([]NodePart{nodePart("a", "stalled", 1, 1)})
	if d := cmp.Diff(Fairness{Nodes: 1, Jain: 1, JainAll: 1}, f); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestGap(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	type step struct {
		op   string
		at   int
		more bool
	}
	for _, tt := range []struct {
		name  string
		steps []step
		want  int
	}{
		{"nothing outstanding is no gap", []step{{"start", 0, false}, {"got", 2, false}, {"start", 500, false}, {"got", 503, false}}, 3},
		{"between completions", []step{{"start", 0, false}, {"got", 2, true}, {"got", 42, true}, {"got", 43, false}}, 40},
		{"a second start does not reset", []step{{"start", 0, false}, {"start", 90, false}, {"got", 100, false}}, 100},
		{"still waiting at the end", []step{{"start", 0, false}, {"got", 1, true}, {"stop", 251, false}}, 250},
		{"stopped with nothing outstanding", []step{{"start", 0, false}, {"got", 1, false}, {"stop", 251, false}}, 1},
		{"the warm-up does not count", []step{{"start", 0, false}, {"restart", 80, false}, {"got", 90, false}}, 10},
	} {
		var g gap
		for _, s := range tt.steps {
			switch s.op {
			case "start":
				g.Start(ms(s.at))
			case "got":
				g.Got(ms(s.at), s.more)
			case "stop":
				g.Stop(ms(s.at))
			case "restart":
				g.Restart(ms(s.at))
			}
		}
		if g.Longest() != ms(tt.want) {
			t.Errorf("%s: longest %s, want %s", tt.name, g.Longest(), ms(tt.want))
		}
	}
}
