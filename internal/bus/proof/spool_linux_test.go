package proof

import (
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A bus is away, or a bridge is cut off from it, for longer than the bridge's memory of 256 MiB lasts. With --spool nothing is lost until
// that is full, and what is lost then is counted to the last.
func TestSpool(t *testing.T) {
	for name, tt := range map[string]struct {
		size  string
		cut   bool
		loses bool
	}{
		"the bus is away":     {"2G", false, false},
		"a bridge is cut off": {"2G", true, false},
		"a spool is full":     {"16M", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, startServers(t, 1, "").start(), 1, "--spool", tt.size)
			way := newProxy(t, strings.TrimPrefix(l.servers.urls(), "nats://"))
			a := l.bridge("a", "nats://"+way.addr(), nil)
			l.read()
			l.owned()
			l.settle()
			if tt.cut {
				way.setCut(true)
			} else {
				l.servers.kill("s1")
			}
			away := time.Now()
			n := l.nodes.all[0]
			filler := strings.Repeat("of a size that fills memory; ", 70)
			const events = 160_000 // 330 MB
			for range times(events, 2*events) {
				n.emit(filler)
				if n.sent.Load()%100 == 0 {
					time.Sleep(5 * time.Millisecond) // 20,000 a second: the session is to keep up
				}
			}
			if tt.cut {
				way.setCut(false)
			} else {
				l.servers.start()
			}
			gone := time.Since(away)
			b := l.judge()
			account := b.of(n.Name())
			if dropped := account.gaps[ami.GapOverflow]; (dropped > 0) != tt.loses || (account.lost > account.first) != tt.loses || account.owners != 1 {
				t.Errorf("%d owners, and gaps: %v", account.owners, account.gaps)
			}
			if told := len(a.told("the spool is full: only memory is left, and events that it has no room for are dropped, and counted")); told > 1 || (told == 1) != tt.loses {
				t.Errorf("the log told %d times that the spool is full", told)
			}
			t.Logf("FIGURES %s for %.0f s and %d events of 2 KB, with --spool %s: %s", name, gone.Seconds(), n.sent.Load(), tt.size, b)
		})
	}
}
