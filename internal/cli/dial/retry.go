package dial

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/pkg/ami"
)

// outcomes are how an attempt may end, by the engine's words. What cannot be known is unknown.
var outcomes = [...]ami.Outcome{ami.OutcomeUnknown, ami.OutcomeAnswered, ami.OutcomeBusy, ami.OutcomeNoAnswer, ami.OutcomeCongestion, ami.OutcomeFailed}

// word is an outcome as results have it.
func word(o ami.Outcome) string {
	if o == ami.OutcomeUnknown {
		return "unknown"
	}
	return o.String()
}

// outcomeOf is the outcome that a word stands for.
func outcomeOf(text string) (ami.Outcome, bool) {
	for _, o := range outcomes {
		if word(o) == text {
			return o, true
		}
	}
	return 0, false
}

// A retries says which outcomes are followed by another attempt, as `--retry busy:2@5m`.
type retries map[ami.Outcome]retry

// A retry is how often an outcome is followed by another attempt, and when.
type retry struct {
	times int
	after time.Duration
}

// Set reads OUTCOME:N@TIME.
func (r *retries) Set(s string) error {
	name, rest, _ := strings.Cut(s, ":")
	count, after, found := strings.Cut(rest, "@")
	outcome, known := outcomeOf(name)
	n, err := strconv.Atoi(count)
	switch {
	case !known || outcome == ami.OutcomeAnswered:
		return fmt.Errorf("is for busy, no-answer, congestion, failed or unknown, and not for %q", name)
	case err != nil || n < 1 || !found:
		return errors.New("is not OUTCOME:TIMES@AFTER, such as busy:2@5m")
	}
	d, err := flags.ParseDuration(after)
	if err != nil {
		return fmt.Errorf("%q %w", after, err)
	}
	if _, twice := (*r)[outcome]; twice {
		return fmt.Errorf("says twice what follows %s", name)
	}
	if *r == nil {
		*r = make(retries)
	}
	(*r)[outcome] = retry{n, d}
	return nil
}

// follows reports whether another attempt follows one that ended so, after so many that followed each outcome.
func (r retries) follows(after [len(outcomes)]int, how ami.Outcome) bool {
	return after[how] < r[how].times
}

func (r *retries) String() string {
	var all []string
	for _, o := range outcomes {
		if t, ok := (*r)[o]; ok {
			all = append(all, fmt.Sprintf("%s:%d@%v", word(o), t.times, t.after))
		}
	}
	return strings.Join(all, " ")
}

func (r *retries) Get() any { return *r }
