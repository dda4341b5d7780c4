package tail

import (
	"testing"
	"time"
)

func TestParseMoment(t *testing.T) {
	zone := time.FixedZone("x", 3600)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, zone)
	for _, c := range []struct{ in, want string }{
		{"2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"},
		{"2026-11-23T10:00:00.5+01:00", "2026-11-23T10:00:00.5+01:00"},
		{"2026-11-22 08:30", "2026-11-22T08:30:00+01:00"},
		{"2026-11-22", "2026-11-22T00:00:00+01:00"},
		{"09:30", "2026-11-23T09:30:00+01:00"},
		{"09:30:15", "2026-11-23T09:30:15+01:00"},
		{"10m", "2026-11-23T11:50:00+01:00"},
	} {
		got, err := parseMoment("--since", c.in, now)
		if want, _ := time.Parse(time.RFC3339Nano, c.want); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, s := range []string{"10", "x", "25:00", "-5m", "2026-13-01"} {
		if got, err := parseMoment("--since", s, now); err == nil {
			t.Errorf("%s is %v, want an error", s, got)
		}
	}
}

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
