package output

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// message decodes one packet, owned.
func message(t testing.TB, packet string) wire.Message {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(packet))
	m, err := d.Next()
	if err != nil {
		t.Fatalf("%q: %v", packet, err)
	}
	return m.Clone()
}

// busyEvent is an event of 24 headers and about 590 bytes, as a busy dialplan sends it.
func busyEvent(t testing.TB) ami.Event {
	packet := "Event: Newexten\r\nPrivilege: dialplan,all\r\nSequenceNumber: 1234\r\nChannel: PJSIP/agent0001-0000abcd\r\nChannelState: 6\r\n" +
		"ChannelStateDesc: Up\r\nCallerIDNum: 15550001234\r\nCallerIDName: Caller Number 7\r\nConnectedLineNum: <unknown>\r\n" +
		"ConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: acct-7\r\nContext: from-internal-queue\r\nExten: s\r\nPriority: 17\r\n" +
		"Uniqueid: 1795435200.1234\r\nLinkedid: 1795435200.1234\r\nExtension: s\r\nApplication: Set\r\n" +
		"AppData: CDR(userfield)=campaign-17,stage-3,attempt-3\r\nNode: pbx-3.example.com\r\nDomain: sip.example.com\r\n" +
		"Transport: transport-udp\r\nExtra: 0123456789\r\n\r\n"
	if n := strings.Count(packet, ": "); n != 24 {
		t.Fatal(n)
	}
	return ami.Event{Message: message(t, packet), Node: "pbx1", Received: time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)}
}

func BenchmarkAppendEvent(b *testing.B) {
	ev := busyEvent(b)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(ev.Text())))
	for b.Loop() {
		buf = AppendEvent(buf[:0], &ev)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// What a straightforward encoder costs: the strings alone, quoted by fmt.
func BenchmarkReferenceQuote(b *testing.B) {
	ev := busyEvent(b)
	buf := make([]byte, 0, 4096)
	for b.Loop() {
		buf = buf[:0]
		for name, value := range ev.All() {
			buf = fmt.Appendf(buf, "%q:%q,", name, value)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFormat is what each format costs of events in turn.
func BenchmarkFormat(b *testing.B) {
	for _, f := range []struct {
		name string
		o    Options
	}{
		{"jsonl", Options{}},
		{"json", Options{Format: JSONDocument, Many: true}},
		{"table", Options{Format: TableText, Nodes: true}},
		{"table-screen", Options{Format: TableText, Nodes: true, Terminal: true, Color: true, Width: 160}},
	} {
		b.Run(f.name, func(b *testing.B) {
			var events []ami.Event
			for _, name := range []string{shapes.Plain, "ChanVariable x 2", "list of members", "CEL", "JSON in a value"} {
				s, _ := shapes.Named(name)
				events = append(events, shapeEvents(b, s)...)
			}
			p := NewPrinter(io.Discard, f.o)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := p.Event(&events[n%len(events)]); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
