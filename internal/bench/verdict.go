package bench

import (
	"fmt"
	"strings"
)

// A Verdict is a run's outcome.
type Verdict string

// Verdicts. Without a threshold a run that held is MEASURED, never PASS: nobody said what would be good.
const (
	Pass     Verdict = "PASS"
	Fail     Verdict = "FAIL"
	Measured Verdict = "MEASURED"
	Invalid  Verdict = "INVALID"
)

// Exit statuses of a verdict.
const (
	exitInvalid = 98
	exitFailed  = 99
)

// ExitStatus returns the process's exit status for the verdict.
func (v Verdict) ExitStatus() int {
	switch v {
	case Fail:
		return exitFailed
	case Invalid:
		return exitInvalid
	default:
		return 0
	}
}

// Decide judges a result by thresholds and fills in Metrics, Thresholds, Verdict and Reasons. INVALID wins over FAIL:
// figures that cannot be trusted prove no failure either. It is INVALID when the generator could not keep up, the
// ledgers differ, nothing succeeded, or a threshold is on a figure that could not be measured.
func (r *Result) Decide(thresholds []Threshold) {
	r.Metrics = r.metrics()
	r.Thresholds, r.Reasons = nil, nil
	r.Verdict = Measured
	if len(thresholds) > 0 {
		r.Verdict = Pass
	}
	for i := range thresholds {
		j := thresholds[i].Judge(r.Metrics)
		r.Thresholds = append(r.Thresholds, j)
		switch {
		case j.Failed:
			r.Because(Fail, j.Threshold+": "+j.Value)
		case j.Absent:
			r.Because(Invalid, j.Threshold+": was not measured, or has too few samples")
		}
	}
	if r.Config.MaxMemory > 0 && r.Memory != nil && r.Memory.PeakRSS > r.Config.MaxMemory {
		r.Because(Fail, "resident memory reached "+r.Memory.PeakRSS.String()+", --max-memory is "+r.Config.MaxMemory.String())
	}
	if why := r.Lag.Why(); why != "" {
		r.Because(Invalid, why)
	}
	if len(r.Ledger.Differences) > 0 {
		r.Because(Invalid, "the ledgers differ: "+strings.Join(r.Ledger.Differences, "; "))
	}
	if c := r.Calls; c != nil && c.Left > 0 {
		r.Because(Fail, fmt.Sprintf("channels of ours that were left: %d", c.Left))
	}
	if why := r.nothing(); why != "" {
		r.Because(Invalid, why)
	}
}

// nothing says why a run measured nothing of what it is for, or "". How fast a server refuses is no figure of its work.
func (r *Result) nothing() string {
	switch c := r.Calls; {
	case r.Total.Answered() == 0:
		return "no action was answered"
	case c != nil && c.Answered == 0:
		return fmt.Sprintf("no call was answered: %d of %d failed", c.Failed, c.Originated)
	case r.Total.Ended.Reply == 0:
		return fmt.Sprintf("no action succeeded: %d were refused", r.Total.Ended.Error)
	case r.Config.Workload == WorkloadEvents && r.Events != nil && r.Events.Delivered == 0:
		return "no event came back: the servers' user must be allowed to read the class user"
	}
	return ""
}

// Because makes the verdict at least as bad as v, and says why.
func (r *Result) Because(v Verdict, why string) {
	if r.Verdict != Invalid {
		r.Verdict = v
	}
	r.Reasons = append(r.Reasons, why)
}
