package output

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func lineOf(ev *ami.Event, o Options) string { return string(newLiner(&o).append(nil, ev)) }

func TestEventLine(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 123e6, time.Local)
	for _, tt := range []struct {
		name, packet, want string
		o                  Options
	}{
		{"a headline, and what is left", "Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/100-0a;1\r\nCallerIDNum: <unknown>\r\nCause: 17\r\nCause-txt: User busy\r\nEmpty: \r\nText: two words\x1b[0m\r\n\r\n", "12:00:00.123  pbx1  Hangup  PJSIP/100-0a;1  17 User busy  Text=\"two words\\x1b[0m\"\n", Options{Nodes: true}},
		{"how long a call was", fmt.Sprintf("Event: Hangup\r\nChannel: a\r\nUniqueid: pbx-1-%d.7\r\nCause: 16\r\nTimestamp: %d.123\r\n\r\n", at.Unix()-3672, at.Unix()), "12:00:00.123  Hangup  a  16 Normal Clearing  01:01:12\n", Options{}},
		{"not how long", "Event: Hangup\r\nChannel: a\r\nUniqueid: amictl-0123456789abcdef\r\nCause: 16\r\n\r\n", "12:00:00.123  Hangup  a  16 Normal Clearing\n", Options{}},
		{"no meaning known", "Event: Hangup\r\nChannel: a\r\nCause: 200\r\n\r\n", "12:00:00.123  Hangup  a  200\n", Options{}},
		{"text and headers", "Event: Newexten\r\nChannel: PJSIP/100-0a\r\nContext: default\r\nExten: 200\r\nPriority: 3\r\nApplication: Dial\r\nAppData: PJSIP/200\r\n\r\n", "12:00:00.123  Newexten  PJSIP/100-0a  200@default:3 Dial(PJSIP/200)\n", Options{}},
		{"words without values go", "Event: QueueCallerJoin\r\nQueue: support\r\nPosition: 2\r\nCallerIDNum: <unknown>\r\n\r\n", "12:00:00.123  QueueCallerJoin  support  #2\n", Options{}},
		{"another event", "Event: Captured\r\nTimestamp: 1.2\r\nX: 1\r\nLanguage: en\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n\r\n", "12:00:00.123  Captured  X=1 ChannelState=6 Up\n", Options{}},
		{"nothing to see", "Event: A\r\n\r\n", "12:00:00.123  A\n", Options{}},
		{"names are cut in the middle", "Event: DialBegin\r\nChannel: Local/0171123456@from-internal-00000074;1\r\nDestChannel: PJSIP/provider-trunk-00000123\r\nDialString: provider-trunk/0171123456\r\n\r\n", "12:00:00  DialBegin  Local/017112…000074;1 -> PJSIP/provid…00000123 …\n", Options{Width: 74}},
		{"all of it in as many lines as it takes", "Event: Hangup\r\nChannel: a\r\nCause: 16\r\nLanguage: en\r\nX: one\r\nY: two\r\n\r\n", "12:00:00.123  Hangup  a  16 Normal Clearing\n                      X=one Y=two Language=en\n", Options{Width: 45, Wide: true}},
	} {
		ev := ami.Event{Message: message(t, tt.packet), Node: "pbx1", Received: at}
		if got := lineOf(&ev, tt.o); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.name, got, tt.want)
		}
	}
}

// The columns of nodes and events are as wide as what was seen, and names that are longer than most do not widen them.
func TestColumnsAsWideAsSeen(t *testing.T) {
	l := newLiner(&Options{Nodes: true})
	var got []byte
	for _, e := range [][2]string{{"a", "X"}, {"pbx10", "Hangup"}, {"b", "X"}, {strings.Repeat("n", 40), "X"}, {"c", strings.Repeat("e", 40)}, {"d", "Y"}} {
		got = l.append(got, &ami.Event{Message: message(t, "Event: "+e[1]+"\r\nA: 1\r\n\r\n"), Node: e[0]})
	}
	want := "a  X  A=1\npbx10  Hangup  A=1\nb      X       A=1\n" + strings.Repeat("n", 40) + "  X       A=1\n" +
		"c                         " + strings.Repeat("e", 40) + "  A=1\nd                         Y                         A=1\n"
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Whatever an event holds: its line is no wider than it may be, says the same in colour, and does not depend on the events
// before, but for the width of columns. Where something is left out and there is room to say so, it says so.
func TestLinesOfAllShapes(t *testing.T) {
	for _, s := range shapes.All() {
		seen := newLiner(&Options{})
		for _, ev := range shapeEvents(t, s)[:2] {
			ev.Node, ev.Received = "pbx1", time.Time{}
			whole := lineOf(&ev, Options{Nodes: true})
			for width := 1; width < 250; width += 1 + width/20 {
				plain := lineOf(&ev, Options{Nodes: true, Width: width})
				if color := lineOf(&ev, Options{Nodes: true, Width: width, Color: true, Palette: width%2 == 0}); stripColor(color) != plain || strings.Count(color, "\x1b[0m")*2 != strings.Count(color, "\x1b[") {
					t.Fatalf("width %d: %q in colour is %q", width, plain, color)
				}
				if n := Width(strings.TrimSuffix(plain, "\n")); n > width || strings.Count(plain, "\n") != 1 {
					t.Fatalf("width %d: %d wide: %q", width, n, plain)
				}
				if width > 60 && plain != whole && !strings.Contains(plain, cutMark) && Width(plain) < width-columnGap {
					t.Fatalf("width %d: %q is cut and does not say so; whole it is %q", width, plain, whole)
				}
			}
			if a, b := string(seen.append(nil, &ev)), lineOf(&ev, Options{}); a != b {
				t.Errorf("%s: %q behind others, alone %q", s.Name, a, b)
			}
		}
	}
}

// The events of a call have one colour, and those of others mostly another.
func TestColorOfACall(t *testing.T) {
	color := func(name, linkedid string) string {
		ev := ami.Event{Message: message(t, "Event: "+name+"\r\nChannel: C\r\nLinkedid: "+linkedid+"\r\n\r\n")}
		line := lineOf(&ev, Options{Color: true, Palette: true})
		before, _, found := strings.Cut(line, "C\x1b[0m")
		if !found {
			t.Fatalf("%q", line)
		}
		return before[strings.LastIndex(before, "\x1b["):]
	}
	colors := map[string]bool{}
	for i := range 100 {
		id := fmt.Sprintf("1795460303.%d", i)
		if a, b := color("Newchannel", id), color("Hold", id); a != b {
			t.Errorf("%s is %q and %q", id, a, b)
		}
		colors[color("Hold", id)] = true
	}
	if len(colors) < 12 {
		t.Errorf("100 calls have %d colours", len(colors))
	}
}

// What failed is red, in the event's name, too.
func TestColorOfOutcomes(t *testing.T) {
	for packet, want := range map[string]string{
		"Event: Hangup\r\nCause: 16\r\n\r\n":                          "\x1b[1mHangup\x1b[0m  16 Normal Clearing\n",
		"Event: Hangup\r\nCause: 17\r\n\r\n":                          "\x1b[1;35mHangup\x1b[0m  \x1b[35m17\x1b[0m \x1b[35mUser busy\x1b[0m\n",
		"Event: Hangup\r\nCause: 38\r\n\r\n":                          "\x1b[1;31mHangup\x1b[0m  \x1b[31m38\x1b[0m \x1b[31mNetwork out of order\x1b[0m\n",
		"Event: DialEnd\r\nDialStatus: ANSWER\r\n\r\n":                "\x1b[1mDialEnd\x1b[0m  \x1b[32mANSWER\x1b[0m\n",
		"Event: InvalidPassword\r\nAccountID: admin\r\n\r\n":          "\x1b[1;31mInvalidPassword\x1b[0m  admin\n",
		"Event: OriginateResponse\r\nReason: 5\r\n\r\n":               "\x1b[1;35mOriginateResponse\x1b[0m  \x1b[35m5\x1b[0m \x1b[35mBusy\x1b[0m\n",
		"Event: Other\r\nChannelState: 7\r\nDialStatus: BUSY\r\n\r\n": "\x1b[1mOther\x1b[0m  \x1b[2mChannelState=\x1b[0m\x1b[35m7 Busy\x1b[0m \x1b[2mDialStatus=\x1b[0m\x1b[35mBUSY\x1b[0m\n",
	} {
		ev := ami.Event{Message: message(t, packet)}
		if got := lineOf(&ev, Options{Color: true}); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// The first event of each name in the captures of real Asterisks, as people see it, is in testdata/events.txt. -update writes
// it anew; look at the difference.
func TestEventsOfCapturesOnScreens(t *testing.T) {
	files, err := filepath.Glob("../../testdata/captures/*.raw")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	first := make(map[string]*ami.Event)
	for _, file := range files {
		for _, m := range packets(t, file) {
			if m.Kind() == wire.Event && first[m.Name()] == nil {
				first[m.Name()] = &ami.Event{Message: m, Node: "pbx1", Received: time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)}
			}
		}
	}
	var got strings.Builder
	for _, o := range []Options{{Width: 80}, {Width: 120}, {Width: 200}, {Width: 80, Nodes: true}, {Width: 80, Wide: true}} {
		o.Format = TableText
		fmt.Fprintf(&got, "=== %d columns, nodes %v, wide %v\n", o.Width, o.Nodes, o.Wide)
		p := NewPrinter(&got, o)
		for _, name := range slices.Sorted(maps.Keys(first)) {
			if h := catalog.HeadlineOf(name); h == nil && o.Width == 80 && !strings.HasSuffix(name, "Complete") && len(catalog.EventNames()) > 0 {
				if _, known := catalog.LookupEvent(name); known {
					t.Errorf("%s has no headline", name)
				}
			}
			if err := p.Event(first[name]); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "events.txt", got.String())
}

// With --fields events are a table: its header, and the columns as asked for.
func TestColumnsOfFields(t *testing.T) {
	o := Options{Format: TableText, Fields: []string{"Cause", "Channel", "event"}}
	got := printed(t, o, func(p *Printer) {
		for i, packet := range []string{
			"Event: Hangup\r\nChannel: PJSIP/100-0000000a\r\nCause: 16\r\n\r\n",
			"Event: Newchannel\r\nChannel: PJSIP/1\r\n\r\n",
			"Event: Hangup\r\nChannel: Local/a-longer-name@default-0000000b;2\r\nCause: 17\r\n\r\n",
			"Event: Hangup\r\nChannel: c\r\nCause: 0\r\n\r\n",
		} {
			ev := event(t, packet)
			_ = p.Event(&ev)
			if i == 1 {
				_ = p.Flush()
			}
		}
	})
	want := `Cause               Channel            event
16 Normal Clearing  PJSIP/100-0000000a  Hangup
                    PJSIP/1             Newchannel
17 User busy        Local/a-longer-name@default-0000000b;2  Hangup
0 Unknown           c                                       Hangup
`
	if want = strings.Replace(want, "Channel            event", "Channel             event", 1); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
