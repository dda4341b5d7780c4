package tail

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
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

// What is recorded of an event is the same event when it is read again.
func FuzzRecordedEvent(f *testing.F) {
	f.Add("Hangup", "Channel", "PJSIP/1", "Cause", "16", "pbx1")
	f.Add("A", "X", "1", "X", "", "")
	f.Add("A b", "X.y|z", "\"\\ \x1b\u202e", "x.Y", " lead", "n")
	f.Add("A\xff", "B\xfe", "\xc3(", "", "text only", "n")
	f.Fuzz(func(t *testing.T, event, n1, v1, n2, v2, node string) {
		m, ok := decodeOne("Event: " + event + "\r\n" + n1 + ": " + v1 + "\r\n" + n2 + ": " + v2 + "\r\n\r\n")
		if !ok || m.Kind() != wire.Event {
			return
		}
		ev := ami.Event{Message: m, Node: node, Received: time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)}
		line := string(output.AppendEvent(nil, &ev))
		if strings.Contains(line, `"lossy":true`) || strings.Contains(line, `"text":`) {
			return // what is no UTF-8 does not come back, and text has lost its place
		}
		again, ok := recordedEvent(line)
		if !ok {
			t.Fatalf("%s is no event any more", line)
		}
		if diff := cmp.Diff(line, string(output.AppendEvent(nil, &again))); diff != "" {
			t.Errorf("(-recorded +read again):\n%s", diff)
		}
	})
}
