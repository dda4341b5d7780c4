package tail

import (
	"strings"
	"testing"
	"time"
)

func FuzzParseMoment(f *testing.F) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Add("09:30")
	f.Add("10m")
	f.Add("2026-11-23T12:00:00Z")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := parseMoment("--since", s, now); err == nil && s != "" && got.IsZero() && !strings.HasPrefix(s, "0001") {
			t.Errorf("%q is the zero time", s)
		}
	})
}
