package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample makes a result with every part filled in, different for each seed.
func sample(t *testing.T, seed uint64, open bool) *Result {
	t.Helper()
	cfg := Config{Profile: ProfileOneStalled, Nodes: 8, Duration: Duration(20 * time.Second), FailIf: []string{"p99>50ms", "jain<0.95"}}
	if open {
		cfg.Rate = 500
	}
	cfg.Defaults()
	r := &Result{
		Schema: Schema, Version: "test", Run: fmt.Sprintf("run%d", seed), Seed: seed, Elapsed: 20, Config: cfg,
		Started: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Machine: Machine{OS: "linux", Arch: "amd64", CPUs: 2},
		Histograms: map[string]string{}, Ledger: Ledger{Differences: []string{}, Simulator: &ServerBooks{Received: 1}, Compared: 8},
		Memory: &Memory{PeakRSS: 60 << 20, WarmRSS: 50 << 20, EndRSS: 51 << 20, PeakHeap: 20 << 20, PerNode: 300 << 10},
		Queues: []Queue{{"pending", "actions", 256, 4096, "sim01"}, {"ring", "events", 100, 8192, "sim02"}},
		Events: &Events{Delivered: 1000, Rate: 50},
	}
	response, service := NewHistogram(), NewHistogram()
	var shares []Share
	for n := range 8 {
		part := NodePart{Node: fmt.Sprintf("sim%02d", n), Condition: "healthy", Weight: 1, Starvation: int64(1000 * (n + 1))}
		if n == 4 {
			part.Condition = "stalled"
		}
		var rs, ss Small
		for i := range uint64(2000) {
			x := float64(splitmix(seed*1e6+uint64(n)*1e4+i)%1e6) / 1e6
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
		shares = append(shares, part.share())
		r.Total.plus(&part.Tally)
	}
	r.Total.Latency(response.Summary(), service.Summary())
	r.Ledger.Bench, r.Ledger.Engine = r.Total.Ended, Books{Submitted: 16000, Accepted: 16000, Replied: 16000}
	var err error
	if r.Histograms["response"], err = response.Encode(); err != nil {
		t.Fatal(err)
	}
	if r.Histograms["service"], err = service.Encode(); err != nil {
		t.Fatal(err)
	}
	r.Actions = []ActionPart{{"ping", r.Total}}
	r.Fairness = Judge(shares)
	for i := range 20 {
		v := Interval{
			At: float64(i + 1), Length: 1, Sent: 800, Ended: 800, Rate: 800 + 40*math.Sin(float64(i)), P50: 500, P99: int64(3000 + 200*i), Max: 9000,
			ServiceP50: 400, ServiceP99: 2500, InFlight: 64, RSS: Bytes(50+i) << 20, Heap: 20 << 20, Ready: 8, Target: 900, Backlog: uint64(i * i),
		}
		r.Intervals = append(r.Intervals, v)
	}
	if open {
		r.Lag = &Lag{P50: 60, P99: 900, Max: 3000, Limit: cfg.MaxLag, Dropped: 5}
	}
	th, err := ParseThresholds(cfg.FailIf, false)
	if err != nil {
		t.Fatal(err)
	}
	r.Decide(th)
	return r
}

func TestResultSurvivesItsFile(t *testing.T) {
	want := sample(t, 1, true)
	name := filepath.Join(t.TempDir(), "r.json")
	if err := want.WriteFile(name); err != nil {
		t.Fatal(err)
	}
	got, err := ReadResultFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for _, key := range []string{
		`"version"`, `"seed"`, `"machine"`, `"config"`, `"verdict"`, `"total"`, `"nodes"`, `"p50_us"`, `"service_p99_us"`,
		`"fairness"`, `"memory"`, `"ledger"`, `"intervals"`, `"histograms"`, `"ended"`, `"rate"`,
	} {
		b, _ := os.ReadFile(name)
		if !bytes.Contains(b, []byte(key)) {
			t.Errorf("the file has no %s", key)
		}
	}
}

func TestFileIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "r.json")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := sample(t, 1, false)
	bad.Elapsed = math.NaN() // JSON has no such number
	if err := bad.WriteFile(name); err == nil {
		t.Fatal("a result that cannot be written was")
	}
	b, err := os.ReadFile(name)
	if err != nil || string(b) != "old" {
		t.Errorf("after a failed write the file holds %q, %v", b, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left in the directory", len(files))
	}
	if err := sample(t, 1, false).WriteFile(filepath.Join(dir, "none", "r.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into a directory that is not there: %v", err)
	}
}

func TestReadResultRefuses(t *testing.T) {
	for _, in := range []string{``, `{}`, `[]`, `{"schema":99}`, `{"schema":1,"nodes":[{"node":"a"}]}`, `{"schema":1,"elapsed_s":"x"}`} {
		if _, err := ReadResult(strings.NewReader(in)); err == nil {
			t.Errorf("%s was read", in)
		}
	}
}

func TestMergeAddsMachinesUp(t *testing.T) {
	a, b := sample(t, 1, false), sample(t, 2, false)
	a.Config.FailIf, b.Config.FailIf = []string{"p99>50ms"}, []string{"p99>50ms"} // nodes in common do twice as much
	for i := range b.Nodes[:4] {
		b.Nodes[i].Node = fmt.Sprintf("other%02d", i) // four nodes of its own, four in common
	}
	m, err := Merge([]*Result{a, b})
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
	if m.Total.P99 < lo || m.Total.P99 > hi || m.Verdict != Pass {
		t.Errorf("p99 %d is not within %d..%d; verdict %s", m.Total.P99, lo, hi, m.Verdict)
	}
	if a.Total.Sent != 16_000 || a.Nodes[5].Sent != 2000 {
		t.Error("merging changed what it merged")
	}
	b.Config.Mix = "ping"
	var dc *DifferentConfigsError
	if _, err := Merge([]*Result{a, b}); !errors.As(err, &dc) {
		t.Errorf("different mixes were merged: %v", err)
	}
}

func TestRepeatsKeepTheMedianAndTheWorstVerdict(t *testing.T) {
	var runs []*Result
	for i, p99 := range []int64{300, 100, 200} {
		r := sound()
		r.Total.P99, r.Run = p99, fmt.Sprint(i)
		r.Decide(nil)
		runs = append(runs, r)
	}
	runs[1].Verdict = Fail
	got, err := Repeats(runs)
	if err != nil {
		t.Fatal(err)
	}
	if got.Run != "2" || got.Verdict != Fail || len(got.Repeats) != 3 || got.Repeats[0]["p99"] != 300 {
		t.Errorf("run %s, verdict %s, repeats %v", got.Run, got.Verdict, got.Repeats)
	}
	if _, err := Repeats(nil); err == nil {
		t.Error("no runs made a result")
	}
}
