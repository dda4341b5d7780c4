package tail

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// A replaySpan is which part of a record is replayed, and how fast.
type replaySpan struct {
	since, until time.Time // zero: no bound
	speed        float64   // times the original; 0: no waiting

	timeless int // events that have no time, where there is a bound

	begun time.Time // when the first event was replayed
	first time.Time // and when it happened
}

// newReplaySpan reads --since, --until and --speed.
func newReplaySpan(o *options, now time.Time) (s replaySpan, err error) {
	if len(o.from) == 0 && o.follow {
		return s, fail.Usage("without --from events come as they happen", "--follow is for the file of --from")
	}
	if len(o.from) == 0 && (o.since != "" && !o.onBus || o.speed != "") {
		return s, fail.Usage("a server sends what happens from now on", "--since and --speed are for --from")
	}
	if s.since, err = run.ParseMoment("--since", o.since, now); err != nil {
		return s, err
	}
	if s.until, err = run.ParseMoment("--until", o.until, now); err != nil {
		return s, err
	}
	if !s.until.IsZero() && !s.since.Before(s.until) {
		return s, fail.Usage("--since is the earlier of the two", "--since %s is not before --until %s", o.since, o.until)
	}
	if len(o.from) == 0 && !s.until.IsZero() && !s.until.After(now) {
		return s, fail.Usage("--for ends a tail after a while", "--until %s has passed already", o.until)
	}
	if o.speed == "" {
		return s, nil
	}
	s.speed, err = strconv.ParseFloat(strings.TrimSuffix(o.speed, "x"), 64)
	if err != nil || !(s.speed > 0) || math.IsInf(s.speed, 0) {
		return s, fail.Usage("such as 1, 10 or 0.5", "--speed %q is not a number over 0", o.speed)
	}
	return s, nil
}

// holds reports whether an event is in the span. What has no time is only when there is no bound.
func (s *replaySpan) holds(at time.Time) bool {
	if at.IsZero() {
		if bound := !s.since.IsZero() || !s.until.IsZero(); bound {
			s.timeless++
			return false
		}
		return true
	}
	return !at.Before(s.since) && (s.until.IsZero() || at.Before(s.until))
}

// delay returns how long to wait before an event that happened at a time. An event without one comes at once.
func (s *replaySpan) delay(at, now time.Time) time.Duration {
	if s.speed == 0 || at.IsZero() {
		return 0
	}
	if s.first.IsZero() {
		s.first, s.begun = at, now
	}
	const most = float64(math.MaxInt64 / 4) // 73 years: the sum must fit
	due := s.begun.Add(time.Duration(min(max(float64(at.Sub(s.first))/s.speed, -most), most)))
	return due.Sub(now)
}

// play takes an event of a replay when its time has come.
func (t *tailer) play(ctx context.Context, ev *ami.Event) error {
	span := &t.options.span
	if !span.holds(ev.Received) {
		return nil
	}
	if d := span.delay(ev.Received, time.Now()); d > 0 {
		if err := t.flush(); err != nil {
			return err
		}
		run.Pause(ctx, d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return t.take(ev)
}
