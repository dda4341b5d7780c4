package tail

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// decodeOne returns the one packet in text, owned.
func decodeOne(text string) (wire.Message, bool) {
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text))
	m, err := d.Next()
	if err != nil {
		return wire.Message{}, false
	}
	return m.Clone(), true
}

// What is drawn, in what is left of a small terminal, and over what was there before.
func TestStatScreen(t *testing.T) {
	begin := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	s := newEventStats(false)
	s.since = begin
	s.screen = &statScreen{
		sheet: run.NewSheet(&b), o: output.Options{Format: output.TableText, Terminal: true}, drawn: begin,
		size: func() (int, int) { return 60, 7 },
	}
	count := func(node, event string, n int) {
		m, ok := decodeOne("Event: " + event + "\r\n\r\n")
		if !ok {
			t.Fatal("it does not decode")
		}
		for range n {
			s.add(&ami.Event{Node: node, Message: m})
		}
	}
	count("a", "Hangup", 10)
	count("b", "Hangup", 30)
	s.gap(&ami.Event{Node: "b", Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 5}})
	s.drawAt(begin.Add(2 * time.Second))
	want := `2s  40 events  20.0/s  now 20.0/s  5 dropped
node  event      count    rate     now
b     Hangup        30  15.0/s  15.0/s
a     Hangup        10  5.00/s  5.00/s
b     (dropped)      5  2.50/s  2.50/s
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("the first drawing (-want +got):\n%s", diff)
	}

	b.Reset()
	count("a", "Newchannel", 1)
	count("a", "Hangup", 60)
	s.drawAt(begin.Add(3 * time.Second))
	want = "\x1b[5A\r\x1b[J" + `3s  101 events  33.7/s  now 61.0/s  5 dropped
node  event      count    rate     now
a     Hangup        70  23.3/s  60.0/s
b     Hangup        30  10.0/s     0/s
b     (dropped)      5  1.67/s     0/s
… 1 more
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("the second drawing (-want +got):\n%s", diff)
	}

	b.Reset()
	s.clear()
	s.draw()
	if diff := cmp.Diff("\x1b[6A\r\x1b[J", b.String()); diff != "" {
		t.Errorf("the end (-want +got):\n%s", diff)
	}
	if !strings.Contains(s.summary(begin.Add(time.Second), 0), "101 events") {
		t.Error("the counts are gone")
	}
}
