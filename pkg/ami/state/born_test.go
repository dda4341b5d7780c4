package state

import (
	"testing"
	"time"
)

// A list that is asked for at another moment says the same.
func TestBornOf(t *testing.T) {
	about := time.Unix(1795880951, 865_000_000)
	for uniqueid, want := range map[string]time.Time{
		"1795880951.17":      time.Unix(1795880951, 0),
		"pbx-1-1795880950.1": time.Unix(1795880950, 0),
		"1795880961.17":      about, // the clocks do not agree
		"":                   about,
		"asterisk":           about,
		"a-.1":               about,
	} {
		if got := bornOf(uniqueid, about); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", uniqueid, got, want)
		}
	}
}
