package dial

import (
	"errors"
	"strings"
	"time"
)

// A window is a time of day in which calls may begin, as `--between 09:00-18:00`. It may cross midnight. The zero window is
// always open.
type window struct {
	from, to int // minutes of the day
	given    bool
	text     string
}

// Set reads FROM-TO.
func (w *window) Set(s string) error {
	from, to, found := strings.Cut(s, "-")
	f, err := minutes(from)
	t, err2 := minutes(to)
	switch {
	case !found || err != nil || err2 != nil:
		return errors.New("not a time of day such as 09:00-18:00")
	case f == t:
		return errors.New("begins and ends at the same time")
	}
	*w = window{f, t, true, s}
	return nil
}

func (w *window) String() string { return w.text }
func (w *window) Get() any       { return w.text }

func minutes(s string) (int, error) {
	if strings.TrimSpace(s) == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", strings.TrimSpace(s))
	return t.Hour()*60 + t.Minute(), err
}

// opens returns when calls may begin: now, or the next time that the window opens, by the clock on the wall of now's zone.
func (w *window) opens(now time.Time) time.Time {
	if !w.given || w.holds(now) {
		return now
	}
	year, month, day := now.Date()
	for ahead := range 3 { // a clock that is put forward may skip a window's beginning
		at := time.Date(year, month, day+ahead, 0, w.from, 0, 0, now.Location())
		if at.After(now) {
			return at
		}
	}
	return now.Add(24 * time.Hour)
}

// holds reports whether calls may begin at t.
func (w *window) holds(t time.Time) bool {
	m := t.Hour()*60 + t.Minute()
	if w.from < w.to {
		return m >= w.from && m < w.to
	}
	return m >= w.from || m < w.to
}
