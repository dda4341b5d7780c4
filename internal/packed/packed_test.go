package packed

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// told is all that an event says.
type told struct {
	Node         string
	Session, Seq uint64
	Received     int64
	Zero         bool
	Kind         wire.Kind
	Text         string
	Lines        [][2]string
	Gap          *ami.Gap
}

func tell(ev *ami.Event) told {
	t := told{Node: ev.Node, Session: ev.Session, Seq: ev.Seq, Received: ev.Received.UnixNano(), Zero: ev.Received.IsZero(), Gap: ev.Gap}
	if ev.Gap == nil {
		t.Kind, t.Text = ev.Kind(), ev.Text()
		for i := range ev.Len() {
			name, value := ev.Line(i)
			t.Lines = append(t.Lines, [2]string{name, value})
		}
	}
	return t
}

// decoded returns the messages of a server's bytes.
func decoded(t *testing.T, text string) (all []wire.Message) {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text))
	for {
		m, err := d.Next()
		if errors.Is(err, wire.ErrMore) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Clone())
	}
}

// An event of any shape, a packet that is none, and a gap are the same behind it, one after the other with one reader.
func TestEventsComeBack(t *testing.T) {
	now := time.Unix(1795435200, 123456789)
	var events []ami.Event
	add := func(text string) {
		for _, m := range decoded(t, text) {
			n := uint64(len(events))
			events = append(events, ami.Event{Node: []string{"pbx1", "пбх2", ""}[n%3], Session: n / 3, Seq: n, Received: now.Add(time.Duration(n)), Message: m})
		}
	}
	for _, s := range shapes.All() {
		add(s.Packets()[0])
	}
	add("Event: Big\r\nValue: " + strings.Repeat("x", 100<<10) + "\r\nNext: 1\r\n\r\n") // its index is wide
	add("Response: Follows\r\nPrivilege: Command\r\nsome text\r\n--END COMMAND--\r\n\r\n")
	add("neither event\r\nnor answer\r\n\r\n")
	if len(events) < len(shapes.All())+3 {
		t.Fatalf("only %d events", len(events))
	}
	events = append(events,
		ami.Event{Node: "a", Received: now, Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 1 << 40}},
		ami.Event{Node: "a", Gap: &ami.Gap{Reason: ami.GapDisconnect, Since: now, Until: now.Add(time.Second)}},
		ami.Event{Node: "a", Received: now, Gap: &ami.Gap{Reason: ami.GapDisconnect, Since: now}},
	)
	var r Reader
	var record []byte
	var names []string
	for i := range events {
		record = Append(record[:0], &events[i])
		got := r.Event(record)
		if diff := cmp.Diff(tell(&events[i]), tell(got)); diff != "" {
			t.Errorf("event %d (-want +got):\n%s", i, diff)
		}
		names = append(names, got.Node)
	}
	clear(record[:cap(record)])
	for i := range events {
		if names[i] != events[i].Node {
			t.Fatalf("the node's name of event %d went with the record", i)
		}
	}
}

func TestAllocations(t *testing.T) {
	ev := ami.Event{Node: "pbx1", Received: time.Unix(1, 2), Message: decoded(t, shapes.All()[0].Packets()[0])[0]}
	var r Reader
	record := Append(nil, &ev)
	r.Event(record)
	if n := testing.AllocsPerRun(100, func() { record = Append(record[:0], &ev); r.Event(record) }); n > 0 {
		t.Errorf("%v allocations an event", n)
	}
}
