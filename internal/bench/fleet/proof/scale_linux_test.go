package proof

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A load of many nodes over four workers is the plan exactly, however its actions end on a busy machine, its ledger is exact, and the
// coordinator takes no more memory for a longer one.
func TestManyNodes(t *testing.T) {
	nodes, lengths := times(400, 5000), times([]string{"2s", "8s"}, []string{"10s", "60s"})
	var most []int
	for _, length := range lengths {
		d, err := time.ParseDuration(length)
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, "", nil, "bench", "--workers", "4", "--sim", strconv.Itoa(nodes), "--rate", strconv.Itoa(nodes), "--duration", length, "--every", "50ms", "--max-lag", "1h", "-o", "json")
		before, peak := p.memory(fmt.Sprintf("  %.1fs of", d.Seconds()))
		status, r := p.status(), p.result()
		sent := uint64(d.Seconds()) * uint64(nodes) //nolint:gosec // positive
		if status != 0 && !apart(r) || r.Total.Sent != sent || r.Total.Ended.Total() != sent || len(r.Ledger.Differences) > 0 || r.Ledger.Compared+r.Ledger.Bounded != nodes || len(r.Nodes) != nodes {
			t.Errorf("status %d, %d of %d sent, %+v, %v, %d nodes: %v: %s", status, r.Total.Sent, sent, r.Total.Ended, r.Ledger.Differences, len(r.Nodes), r.Reasons, p.errs.String())
		}
		most = append(most, before)
		t.Logf("FIGURES %d nodes, 4 workers, %s, %d intervals: ledger exact, the coordinator took %d MiB at most while the load ran, %d with its end", nodes, length, len(r.Intervals), before>>10, peak>>10)
	}
	const slack = 16 << 10 // of a collector that has not come round yet
	if most[1] > most[0]+most[0]/4+slack {
		t.Errorf("at most %d kB while the load ran for %s, %d kB for %s", most[0], lengths[0], most[1], lengths[1])
	}
}

// memory waits for the process's end, and returns the most memory that it had resident until it wrote something, and at all, in kB.
func (p *process) memory(until string) (before, peak int) {
	p.t.Helper()
	for {
		over := strings.Contains(p.errs.String(), until)
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
		if _, after, ok := strings.Cut(string(text), "VmHWM:"); ok {
			_, _ = fmt.Sscan(after, &peak)
		}
		if !over {
			before = peak
		}
		select {
		case <-p.ended:
			return before, peak
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
