package health

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A server that hangs is shown before its answer times out, with what the others do; the last word is its answer's.
func TestScreenShowsWhoHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, before := range map[string][]checkup{"the first look": nil, "a later one": fleet()[:2]} {
			p := newProgress([]string{"pbx1", "pbx2"}, before)
			var all sync.WaitGroup
			all.Go(func() { p.answer(0, fleet()[0]) })
			all.Go(func() {
				time.Sleep(4500 * time.Millisecond)
				p.answer(1, fleet()[1])
			})
			var screens []string
			found := p.await(&all, func(found []checkup) {
				screens = append(screens, strings.Join(drawn(t, 120, 24, found), "\n"))
			})
			if len(screens) != 3 {
				t.Fatalf("%s: %d screens", name, len(screens))
			}
			for i, want := range []string{"no answer for 2s", "no answer for 3s", "no answer for 4s"} {
				if !strings.Contains(screens[i], want) || !strings.Contains(screens[i], "1 of 2 nodes ready, 1 degraded") {
					t.Errorf("%s: no %q in\n%s", name, want, screens[i])
				}
			}
			if found[0].degraded+found[1].degraded != "" || found[1].node != "pbx2" {
				t.Errorf("%s: in the end it found %+v", name, found)
			}
		}
	})
}
