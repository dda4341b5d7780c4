package capture

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever a text is, reading it ends, tells the same in any pieces, and holds a packet's worth of it.
func FuzzReader(f *testing.F) {
	for _, s := range shapes {
		if len(s.text) < 4<<10 {
			f.Add(s.text, uint16(len(s.text)/2), byte(3))
		}
	}
	f.Fuzz(func(t *testing.T, text string, cut uint16, piece byte) {
		at := min(int(cut), len(text))
		want := read(t, 0, text[:at], text[at:])
		if diff := cmp.Diff(want, read(t, int(piece)+1, text[:at], text[at:])); diff != "" {
			t.Errorf("in pieces of %d bytes (-at once +in pieces):\n%s", int(piece)+1, diff)
		}
		whole := read(t, 0, text)
		if diff := cmp.Diff(whole, read(t, int(piece)+1, text)); diff != "" {
			t.Errorf("in pieces of %d bytes, one file (-at once +in pieces):\n%s", int(piece)+1, diff)
		}
		for _, p := range want.Packets {
			name, _, ok := strings.Cut(p, ":")
			if !ok || !strings.EqualFold(name, "Event") && !strings.EqualFold(name, "Response") {
				t.Errorf("%q begins as no packet does", p)
			}
		}
	})
}
