package run

import (
	"strings"
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
		got, err := ParseMoment("--since", c.in, now)
		if want, _ := time.Parse(time.RFC3339Nano, c.want); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, s := range []string{"10", "x", "25:00", "-5m", "2026-13-01"} {
		if got, err := ParseMoment("--since", s, now); err == nil {
			t.Errorf("%s is %v, want an error", s, got)
		}
	}
}

func FuzzParseMoment(f *testing.F) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Add("09:30")
	f.Add("10m")
	f.Add("2026-11-23T12:00:00Z")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := ParseMoment("--since", s, now); err == nil && s != "" && got.IsZero() && !strings.HasPrefix(s, "0001") {
			t.Errorf("%q is the zero time", s)
		}
	})
}
