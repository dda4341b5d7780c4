package dial

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// A score is how far the list is.
type score struct {
	mu      sync.Mutex // guards the rest against the progress
	total   int
	skipped int                // by --skip
	done    [len(outcomes)]int // numbers, by outcome
	earlier int                // of these, by earlier runs
	calls   int                // attempts that were sent
	talking int
}

func (s *score) count(o ami.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[o]++
}

// up notes that so many more calls are answered and not over.
func (s *score) up(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.talking += n
}

// left returns how many numbers are not done.
func (s *score) left() int {
	n := s.total - s.skipped
	for _, d := range s.done {
		n -= d
	}
	return n
}

// line is the progress.
func (s *score) line() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d of %d left, %s up: %s", s.left(), s.total, fail.Count(s.talking, "call"), s.outcomes())
}

// outcomes lists how many numbers ended how.
func (s *score) outcomes() string {
	var parts []string
	for _, o := range append(outcomes[1:len(outcomes):len(outcomes)], ami.OutcomeUnknown) {
		if n := s.done[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word(o)))
		}
	}
	if len(parts) == 0 {
		return "none is done"
	}
	return strings.Join(parts, ", ")
}

// summary is the last line on standard error.
func (s *score) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("%s: %s; %s made", fail.Count(s.total, "number"), s.outcomes(), fail.Count(s.calls, "call"))
	for _, more := range []struct {
		n    int
		what string
	}{{s.earlier, "of them done before"}, {s.skipped, "skipped"}, {s.left(), "not done"}} {
		if more.n > 0 {
			text += fmt.Sprintf("; %d %s", more.n, more.what)
		}
	}
	return text
}

// result writes down and prints how an attempt ended; again says that another one follows.
func (d *dialer) result(a *attempt, now time.Time, again bool) {
	if a.known && a.outcome == ami.OutcomeAnswered && a.server != nil {
		d.score.up(-1)
	}
	state := stepFinal
	switch {
	case again:
		state = stepAgain
	case a.outcome == ami.OutcomeUnknown:
		state = stepUnknown
	}
	d.note(a, state, now)
	if again {
		return
	}
	d.score.count(a.outcome)
	if err := d.out.Record(d.record(a, now)); err != nil {
		d.giveUp(err)
	}
}

// record is the object of a number that is done.
func (d *dialer) record(a *attempt, now time.Time) output.Record {
	tone := output.Neutral
	switch a.outcome {
	case ami.OutcomeAnswered:
		tone = output.Good
	case ami.OutcomeUnknown:
		tone = output.Doubtful
	}
	return output.Record{
		{Key: "type", Value: "dialed"},
		{Key: "node", Value: a.nodeName},
		{Key: "time", Value: now, Text: now.Local().Format(time.TimeOnly), Look: output.Minor},
		{Key: "number", Value: d.plan.list.number(a.number)},
		{Key: "outcome", Value: word(a.outcome), Tone: tone},
		{Key: "attempts", Value: d.sched.numbers[a.number].attempts},
		{Key: "cause", Value: run.OrAbsent(a.cause)},
		{Key: "ring_us", Value: measured(a.ring), Text: run.Span(a.ring)},
		{Key: "talk_us", Value: measured(a.talk), Text: run.Span(a.talk)},
		{Key: "uniqueid", Value: a.id, Look: output.Minor},
		{Key: "message", Value: run.OrAbsent(a.message), Look: output.Prose},
	}
}

func measured(d time.Duration) any {
	if d < 0 {
		return nil
	}
	return d.Microseconds()
}

// verdict ends the run: with the summary, and the status that it deserves.
func (d *dialer) verdict(ctx context.Context) error {
	if err := d.out.Close(); err != nil {
		return err
	}
	d.cli.Note("%s", d.score.summary())
	if d.end != nil {
		d.end()
		return errors.Join(ctx.Err(), d.broken)
	}
	unknown := d.score.done[ami.OutcomeUnknown]
	switch {
	case d.fatal != nil && d.score.calls > 0:
		return fail.AfterChanges(d.fatal)
	case d.fatal != nil:
		return d.fatal
	case d.broken != nil:
		return d.broken
	case unknown > 0:
		return &fail.Error{
			Code: fail.CodeLost, Sent: ami.SentMaybe.String(), Message: "the outcome of " + fail.Count(unknown, "number") + " is unknown",
			Hint: "the calls may have been made; --retry unknown:1@1m calls them again",
		}
	}
	return nil
}
