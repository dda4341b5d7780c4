package tail

import (
	"testing"
	"time"
)

func TestReplayDelay(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	now := at.Add(time.Hour)
	s := replaySpan{speed: 10}
	for _, c := range []struct{ happened, passed, want time.Duration }{
		{0, 0, 0},
		{10 * time.Second, 0, time.Second},
		{20 * time.Second, time.Second, time.Second},
		{20 * time.Second, 5 * time.Second, -3 * time.Second},
	} {
		if got := s.delay(at.Add(c.happened), now.Add(c.passed)); got != c.want {
			t.Errorf("the event of %v, %v later: wait %v, want %v", c.happened, c.passed, got, c.want)
		}
	}
	if got := (&replaySpan{speed: 1e-10, first: at, begun: now}).delay(at.Add(time.Minute), now); got < 24*365*time.Hour {
		t.Errorf("at a ten thousand millionth of the speed a minute takes %v", got)
	}
	if got := (&replaySpan{}).delay(at, now); got != 0 {
		t.Errorf("without --speed it waits %v", got)
	}
}
