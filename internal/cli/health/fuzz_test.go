package health

import (
	"testing"
)

func FuzzHealthRule(f *testing.F) {
	f.Add("ping>50ms")
	f.Add("calls!=0")
	f.Add("uptime<=1h")
	f.Add("x=")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRule(s)
		if err != nil {
			return
		}
		h := newCheckup("x")
		if text, met := r.met(&h); met {
			t.Errorf("%q is met by a node of which nothing is known: %s", s, text)
		}
	})
}
