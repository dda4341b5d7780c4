package bench

import (
	"fmt"
	"slices"
)

// Aborting judges the figures of a run so far, stretch by stretch: whether it should end before its time.
type Aborting struct {
	abortIf, failIf []Threshold
	onFail          bool
	failures        map[string]int // in how many stretches one after another a threshold has failed
}

func newAborting(abortIf, failIf []Threshold, onFail bool) *Aborting {
	return &Aborting{abortIf: abortIf, failIf: failIf, onFail: onFail, failures: map[string]int{}}
}

// NewAborting judges by a configuration's conditions. Errors are *ThresholdError.
func NewAborting(c *Config) (*Aborting, error) {
	abortIf, err := ParseThresholds(c.AbortIf, false)
	if err != nil {
		return nil, err
	}
	failIf, err := ParseThresholds(c.FailIf, false)
	if err != nil {
		return nil, err
	}
	return newAborting(abortIf, failIf, c.AbortOnFail), nil
}

// Any reports whether anything can end the run.
func (a *Aborting) Any() bool { return len(a.abortIf) > 0 || a.onFail && len(a.failIf) > 0 }

// Judge says why the run should end now, or "". A condition to abort on counts at once. A threshold does if its figure cannot
// recover, or when it has failed in three stretches one after another.
func (a *Aborting) Judge(res *Result) string {
	res.Metrics = res.metrics()
	for i := range a.abortIf {
		if j := a.abortIf[i].Judge(res.Metrics); j.Failed {
			return fmt.Sprintf("%s: %s", j.Threshold, j.Value)
		}
	}
	if !a.onFail {
		return ""
	}
	for i := range a.failIf {
		t := &a.failIf[i]
		j := t.Judge(res.Metrics)
		if !j.Failed {
			a.failures[t.Text] = 0
			continue
		}
		a.failures[t.Text]++
		if (t.cannotRecover() || a.failures[t.Text] >= abortAfter) && res.Total.Answered() > 0 {
			return fmt.Sprintf("%s: %s", j.Threshold, j.Value)
		}
	}
	return ""
}

// abortAfter is how many stretches a figure that may recover must fail in.
const abortAfter = 3

// cannotRecover reports whether a threshold that failed once stays failed: its figure only grows.
func (t *Threshold) cannotRecover() bool {
	if t.Op != ">" && t.Op != ">=" || t.Share {
		return false
	}
	growing := []string{
		"max", "service.max", "errors", "timeouts", "disconnects", "rejected", "cancelled", "dropped", "drops",
		"drops_all", "gaps", "reconnects", "starvation", "event_starvation", "rss", "heap", "goroutines", "queue", "channels",
	}
	return slices.Contains(growing, t.Metric)
}
