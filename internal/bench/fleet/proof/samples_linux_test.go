package proof

import (
	"encoding/csv"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/bench"
)

// sampling makes a directory with an amictl that writes down each time that it measures, and returns it.
func sampling(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-tags", "samples", "-o", filepath.Join(dir, "amictl"), "../../../../cmd/amictld").CombinedOutput(); err != nil { //nolint:gosec // our own
		t.Fatalf("go build: %v: %s", err, out)
	}
	return dir
}

// sampled are the times that the processes of a load wrote down: of what, of which action.
func sampled(t *testing.T, dir string, processes int) map[[2]string][]int64 {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != processes {
		t.Fatalf("%d processes measured, want %d: %v", len(files), processes, err)
	}
	all := map[[2]string][]int64{}
	for _, file := range files {
		f, err := os.Open(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(f).ReadAll()
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			us, err := strconv.ParseInt(line[2], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			key := [2]string{line[0], line[1]}
			all[key] = append(all[key], us)
		}
	}
	return all
}

// What the result of several workers says of times is what all the times that they measured say, written down one by one: the
// histograms are equal, and each percentile is that of the sorted list, as exact as a histogram is.
func TestResultIsOfAllSamples(t *testing.T) {
	const workers, sent = 3, 9000
	dir := t.TempDir()
	p := startProgram(t, filepath.Join(sampling(t), "amictl"), []string{"AMICTL_SAMPLES=" + dir},
		"bench", "--workers", strconv.Itoa(workers), "--sim", "7", "--rate", "4500", "--duration", "2s", "--profile", "one-slow", "--mix", "ping=5,corestatus=2,command=1", "--max-lag", "1h", "-o", "json")
	p.status()
	r := p.result()
	if r.Total.Sent != sent || len(r.Ledger.Differences) > 0 {
		t.Errorf("%d sent, %v: %s", r.Total.Sent, r.Ledger.Differences, p.errs.String())
	}
	all := sampled(t, dir, workers)
	for _, what := range []string{"response", "service"} {
		var total []int64
		for key, times := range all {
			if key[0] == what {
				total = append(total, times...)
			}
		}
		if len(total) != sent {
			t.Errorf("%d %s times were written down, want %d", len(total), what, sent)
		}
		own := bench.NewHistogram()
		for _, us := range total {
			own.Record(us)
		}
		merged, err := bench.DecodeHistogram(r.Histograms[what])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(own.Curve(), merged.Curve()); diff != "" {
			t.Errorf("%s times (-written down +merged):\n%s", what, diff)
		}
	}
	near := func(what string, got int64, times []int64, percent float64) {
		t.Helper()
		slices.Sort(times)
		want := times[int(percent/100*float64(len(times))+0.5)-1] // the rank is rounded, as HdrHistogram does
		if off := math.Abs(float64(got - want)); off > max(1, float64(want)/500) {
			t.Errorf("%s: p%g is %d µs, the times written down have %d µs", what, percent, got, want)
		}
	}
	if len(r.Actions) != 3 {
		t.Errorf("%d actions", len(r.Actions))
	}
	for i := range r.Actions {
		a := &r.Actions[i]
		response, service := all[[2]string{"response", a.Name}], all[[2]string{"service", a.Name}]
		if uint64(len(response)) != a.Sent {
			t.Errorf("%s: %d times, %d sent", a.Name, len(response), a.Sent)
			continue
		}
		near(a.Name+", response", a.P50, response, 50)
		near(a.Name+", response", a.P99, response, 99)
		near(a.Name+", response", a.Max, response, 100)
		near(a.Name+", service", a.ServiceP50, service, 50)
		near(a.Name+", service", a.ServiceP99, service, 99)
	}
}
