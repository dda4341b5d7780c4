package report

import (
	"errors"
	"fmt"
	"testing"

	"github.com/apntalk/amictl/internal/bench"
)

func TestMergeAddsMachinesUp(t *testing.T) {
	a, b := sample(t, 1, false), sample(t, 2, false)
	a.Config.FailIf, b.Config.FailIf = []string{"p99>50ms"}, []string{"p99>50ms"} // nodes in common do twice as much
	for i := range b.Nodes[:4] {
		b.Nodes[i].Node = fmt.Sprintf("other%02d", i) // four nodes of its own, four in common
	}
	m, err := Merge([]*bench.Result{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if m.Total.Sent != 32_000 || m.Total.Ended.Reply != 32_000 || m.Total.Rate != 1600 {
		t.Errorf("total %+v", m.Total)
	}
	if len(m.Nodes) != 12 || m.Nodes[5].Sent != 4000 || m.Nodes[0].Sent != 2000 {
		t.Errorf("%d nodes, %d and %d sent", len(m.Nodes), m.Nodes[5].Sent, m.Nodes[0].Sent)
	}
	if m.Ledger.Engine.Accepted != 32_000 || m.Intervals[3].Ended != 1600 || len(m.Intervals) != 20 {
		t.Errorf("ledger %+v, %d intervals", m.Ledger.Engine, len(m.Intervals))
	}
	lo, hi := min(a.Total.P99, b.Total.P99), max(a.Total.P99, b.Total.P99)
	if m.Total.P99 < lo || m.Total.P99 > hi || m.Verdict != bench.Pass {
		t.Errorf("p99 %d is not within %d..%d; verdict %s", m.Total.P99, lo, hi, m.Verdict)
	}
	if a.Total.Sent != 16_000 || a.Nodes[5].Sent != 2000 {
		t.Error("merging changed what it merged")
	}
	b.Config.Mix = "ping"
	var dc *DifferentConfigsError
	if _, err := Merge([]*bench.Result{a, b}); !errors.As(err, &dc) {
		t.Errorf("different mixes were merged: %v", err)
	}
}

func TestRepeatsKeepTheMedianAndTheWorstVerdict(t *testing.T) {
	var runs []*bench.Result
	for i, p99 := range []int64{300, 100, 200} {
		r := sound()
		r.Total.P99, r.Run = p99, fmt.Sprint(i)
		r.Decide(nil)
		runs = append(runs, r)
	}
	runs[1].Verdict = bench.Fail
	got, err := Repeats(runs)
	if err != nil {
		t.Fatal(err)
	}
	if got.Run != "2" || got.Verdict != bench.Fail || len(got.Repeats) != 3 || got.Repeats[0]["p99"] != 300 {
		t.Errorf("run %s, verdict %s, repeats %v", got.Run, got.Verdict, got.Repeats)
	}
	if _, err := Repeats(nil); err == nil {
		t.Error("no runs made a result")
	}
}

// Merge judged by the first result's thresholds alone, and forgot calls that were left.
func TestMergeKeepsWhatFailed(t *testing.T) {
	part := func(failIf string, left uint64) *bench.Result {
		r := &bench.Result{Schema: 1, Config: bench.Config{Workload: bench.WorkloadActions, FailIf: []string{failIf}}}
		r.Total.Sent, r.Total.Ended.Reply, r.Total.Ended.Error = 10, 5, 5
		if left > 0 {
			r.Calls = &bench.Calls{Originated: 10, Answered: 9, Left: left}
		}
		return r
	}
	res, err := Merge([]*bench.Result{part("timeouts>0", 0), part("errors>1", 0)})
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != bench.Fail {
		t.Errorf("%s, judged by %v; the second result's errors>1 fails", res.Verdict, res.Thresholds)
	}
	res, err = Merge([]*bench.Result{part("timeouts>0", 3), part("timeouts>0", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != bench.Fail {
		t.Errorf("%s with %d calls left: %v", res.Verdict, res.Calls.Left, res.Reasons)
	}
}

// The headline of merged results named one machine's rate as that of all.
func TestMergeIsGivenTheSameResultOnce(t *testing.T) {
	r := &bench.Result{Schema: 1, Run: "abcd", Config: bench.Config{Workload: bench.WorkloadActions}}
	if _, err := Merge([]*bench.Result{r, r}); err == nil {
		t.Error("the same run twice was added up")
	}
}
