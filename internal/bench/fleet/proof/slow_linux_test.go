package proof

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A worker that gets the processor half of the time is named, whether its callers wait for answers or actions are due at their time.
func TestTheSlowWorkerIsNamed(t *testing.T) {
	t.Parallel()
	for name, load := range map[string][]string{
		"closed loop": {"--concurrency", "2"},
		"open loop":   {"--rate", "600"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "", nil, append([]string{"bench", "--workers", "3", "--sim", "6", "--duration", "4s", "--max-lag", "1h", "-o", "table"}, load...)...)
			soon(t, "the load is under way", func() bool { return strings.Contains(p.errs.String(), "  p50 ") })
			slow := ""
			for _, pid := range p.children() {
				if args := commandLine(t, pid); strings.Contains(args, " --name w2") {
					slow = "w2"
					go halve(p, pid)
				}
			}
			p.status()
			if out := p.out.String(); slow == "" || !strings.Contains(out, "look at   worker w2: slow") {
				t.Errorf("nobody, or not w2, was named: %s\n%s", p.errs.String(), out)
			}
		})
	}
}

// halve lets a process run half of the time, until another one has ended.
func halve(until *process, pid int) {
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	for stands := false; ; stands = !stands {
		select {
		case <-until.ended:
			return
		case <-tick.C:
		}
		signal := syscall.SIGSTOP
		if stands {
			signal = syscall.SIGCONT
		}
		_ = syscall.Kill(pid, signal) // it ends before the other, which is its parent
	}
}
