package proof

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A load of many nodes over four workers has an exact ledger, and the coordinator takes no more memory for a longer one.
func TestManyNodes(t *testing.T) {
	nodes, lengths := times(400, 5000), times([]string{"2s", "8s"}, []string{"10s", "60s"})
	var peaks []int
	for _, length := range lengths {
		d, err := time.ParseDuration(length)
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, "", nil, "bench", "--workers", "4", "--sim", strconv.Itoa(nodes), "--rate", strconv.Itoa(nodes), "--duration", length, "--every", "50ms", "--max-lag", "1h", "-o", "json")
		peak := p.peak()
		status, r := p.status(), p.result()
		sent := uint64(d.Seconds()) * uint64(nodes) //nolint:gosec // positive
		if status != 0 && !apart(r) || r.Total.Sent != sent || r.Total.Ended.Reply != sent || len(r.Ledger.Differences) > 0 || r.Ledger.Compared+r.Ledger.Bounded != nodes || len(r.Nodes) != nodes {
			t.Errorf("status %d, %d of %d sent, %+v, %v, %d nodes: %v: %s", status, r.Total.Sent, sent, r.Total.Ended, r.Ledger.Differences, len(r.Nodes), r.Reasons, p.errs.String())
		}
		peaks = append(peaks, peak)
		t.Logf("FIGURES %d nodes, 4 workers, %s, %d intervals: ledger exact, the coordinator took %d MiB at most", nodes, length, len(r.Intervals), peak>>10)
	}
	if peaks[1] > peaks[0]+peaks[0]/4 {
		t.Errorf("at most %d kB for %s, %d kB for %s", peaks[0], lengths[0], peaks[1], lengths[1])
	}
}

// peak waits for the process's end, and returns the most memory that it had resident, in kB.
func (p *process) peak() (kB int) {
	p.t.Helper()
	for {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
		if _, after, ok := strings.Cut(string(text), "VmHWM:"); ok {
			_, _ = fmt.Sscan(after, &kB)
		}
		select {
		case <-p.ended:
			return kB
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// commandLine is a process's, its words apart by a space.
func commandLine(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	return " " + strings.ReplaceAll(string(text), "\x00", " ")
}
