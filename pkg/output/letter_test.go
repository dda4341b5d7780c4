package output

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

var update = flag.Bool("update", false, "write testdata/formats.txt anew")

// cast prints one of everything that there is to print.
func cast(t *testing.T, p *Printer) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)
	at := func(node, packet string) *ami.Event {
		return &ami.Event{Node: node, Received: noon, Message: message(t, packet)}
	}
	hangup := at("pbx1", "Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/100-0001\r\nCause: 16\r\nCause-txt: Normal \"Clearing\"\r\nEmpty: \r\n\r\n")
	sameTime := at("pbx2", "Event: UserEvent\r\nActionID: theirs\r\nA: 1\r\nA: two words\r\nB\xff: \x1b[31mred\x1b[0m 漢字\r\nbare\r\n\r\n")
	plain := &ami.Event{Message: message(t, "Event: Captured\r\nX: 1\r\n\r\n")}
	gap := func(g ami.Gap) *ami.Event { return &ami.Event{Node: "pbx1", Received: noon, Gap: &g} }
	list := &ami.Reply{
		Message: message(t, "Response: Success\r\nActionID: 1\r\nEventList: start\r\nMessage: Queue status will follow\r\n\r\n"),
		Events: []ami.Event{
			*at("pbx1", "Event: QueueMember\r\nActionID: 1\r\nQueue: sales\r\nName: Ann\r\nPaused: 0\r\nEmpty: \r\n\r\n"),
			*at("pbx1", "Event: QueueEntry\r\nActionID: 1\r\nQueue: sales\r\nPosition: 1\r\n\r\n"),
			*at("pbx1", "Event: QueueMember\r\nActionID: 1\r\nQueue: help\r\nName: A longer name, with a comma\r\nPaused: 1\r\nEmpty: \r\n\r\n"),
		},
		End: message(t, "Event: QueueStatusComplete\r\nActionID: 1\r\nEventList: Complete\r\nListItems: 3\r\n\r\n"), Node: "pbx1", Received: noon, RTT: 812 * time.Microsecond,
	}
	one := &ami.Reply{
		Message: message(t, "Response: Success\r\nActionID: 2\r\nEventList: start\r\n\r\n"), Events: list.Events[:1],
		End: message(t, "Event: XComplete\r\nEventList: Complete\r\n\r\n"), Node: "pbx2", RTT: 3 * time.Second,
	}
	refused := &ami.Reply{Message: message(t, "Response: Error\r\nActionID: 3\r\nMessage: No such channel\r\nDetail: x\r\n\r\n"), Node: "pbx1", Received: noon}
	command := &ami.Reply{Message: message(t, "Response: Success\r\nMessage: Command output follows\r\nOutput: a\x1b[1mb\r\nOutput: \r\nOutput:   c\r\n\r\n"), Node: "pbx1"}
	call := &ami.Reply{
		Message: message(t, "Response: Success\r\nMessage: Originate successfully queued\r\n\r\n"), Node: "pbx1", Received: noon,
		End: message(t, "Event: OriginateResponse\r\nResponse: Failure\r\nReason: 5\r\nUniqueid: 1.2\r\n\r\n"),
	}
	for _, err := range []error{
		p.Event(hangup), p.Event(sameTime), p.Event(sameTime), p.Event(hangup), p.Event(plain),
		p.Event(gap(ami.Gap{Reason: ami.GapOverflow, Dropped: 12})),
		p.Event(gap(ami.Gap{Reason: ami.GapDisconnect, Since: noon})),
		p.Event(gap(ami.Gap{Reason: ami.GapDisconnect, Since: noon, Until: noon.Add(1500 * time.Millisecond)})),
		p.Reply(list, &Origin{Action: "QueueStatus", ID: "7", Line: 3}),
		p.Reply(one, &Origin{Action: "X"}),
		p.Item(&list.Events[0], &Origin{Action: "QueueStatus", ID: "8", Line: 4}),
		p.Reply(refused, &Origin{Action: "Hangup", ID: "9", Line: 5, Items: 2}),
		p.Reply(command, &Origin{Action: "Command"}),
		p.Reply(call, &Origin{Action: "Originate", Line: 6}),
		p.Failure(&Failure{Node: "pbx1", Time: noon, Origin: Origin{Action: "Ping", ID: "a", Line: 9}, Code: "timeout", Exit: 5, Sent: "maybe", Message: "no answer", Hint: "wait"}),
		p.Failure(&Failure{Code: "usage", Exit: 2, Message: "a \x1b mistake"}),
		p.Packet("Action: Ping\r\nSecret: \x1b]0;x\x07\r\n\r\n"),
		p.Text("pbx1  ", "\x1b[1mbold\x1b[0m and \x07"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// records prints a table of our own.
func records(t *testing.T, p *Printer) {
	for i, state := range []string{"ready", "lost", "backoff"} {
		r := Record{
			{Key: "node", Value: fmt.Sprintf("pbx%d", i), Tone: Neutral},
			{Key: "state", Value: state, Tone: Tone(1 + i)},
			{Key: "calls", Value: 10 << (8 * i), Text: fmt.Sprint(10<<(8*i), " calls")},
			{Key: "ok", Value: i == 0, Look: Minor},
			{Key: "none", Value: nil},
			{Key: "list", Value: []string{"a", "b"}, Text: "a b"},
			{Key: "since", Value: time.Date(2026, 11, 23, 12, 0, i, 0, time.UTC)},
			{Key: "why", Value: strings.Repeat("a reason in words ", i+1), Look: Prose},
		}
		if err := p.Record(r); err != nil {
			t.Fatal(err)
		}
	}
}

// What each format makes of everything is, to the letter, what is in testdata/formats.txt. `go test ./pkg/output -run Letter
// -update` writes it anew; look at the difference.
func TestFormatsToTheLetter(t *testing.T) {
	var got strings.Builder
	fields := []string{"type", "node", "event", "time", "ts", "action", "id", "line", "response", "message", "outcome", "Channel", "cause", "Queue", "A", "Nosuch"}
	for _, o := range []struct {
		name string
		Options
	}{
		{"JSON lines", Options{}},
		{"JSON lines of some fields", Options{Fields: []string{"Channel", "a", "queue"}}},
		{"a query", Options{Query: "[type,node,fields.Channel]", Terminal: true}},
		{"a document", Options{Format: JSONDocument}},
		{"a table", Options{Format: TableText}},
		{"a table of several nodes, in colour, of 60 columns", Options{Format: TableText, Nodes: true, Color: true, Width: 60, Terminal: true}},
		{"a table of some fields", Options{Format: TableText, Fields: []string{"Queue", "Channel", "Detail"}}},
		{"CSV", Options{Format: CSV, Fields: fields}},
		{"CSV on a terminal", Options{Format: CSV, Fields: []string{"A", "B\xff"}, Terminal: true}},
		{"raw", Options{Format: Raw}},
		{"raw on a terminal", Options{Format: Raw, Terminal: true}},
		{"nothing", Options{Format: None}},
	} {
		for _, part := range []struct {
			of    string
			print func(*testing.T, *Printer)
		}{{"everything", cast}, {"records", records}} {
			var p *Printer
			text := printed(t, o.Options, func(printer *Printer) { p = printer; part.print(t, p) })
			fmt.Fprintf(&got, "=== %s, %s (%s)\n%s", part.of, o.name, p.Options().Format, strings.NewReplacer("\r", `\r`, "\x1b", `\e`, "\x07", `\a`, "\xff", `\xff`).Replace(text))
			fmt.Fprintf(&got, "=== left out %q, empty %q, %d buffered\n", p.Left(), p.Empty(), p.Buffered())
		}
	}
	const path = "testdata/formats.txt"
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil { //nolint:gosec // everybody may read it
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A document of one object is that object, of more or with Many an array, of none empty.
func TestDocuments(t *testing.T) {
	ev := event(t, "Event: A\r\n\r\n")
	one := "{\n  \"type\": \"event\",\n  \"event\": \"A\",\n  \"fields\": {}\n}"
	indented := strings.ReplaceAll(one, "\n", "\n  ")
	for _, tt := range []struct {
		many bool
		n    int
		want string
	}{
		{false, 1, one + "\n"},
		{true, 1, "[\n  " + indented + "\n]\n"},
		{false, 2, "[\n  " + indented + ",\n  " + indented + "\n]\n"},
		{true, 3, "[\n  " + indented + ",\n  " + indented + ",\n  " + indented + "\n]\n"},
	} {
		got := printed(t, Options{Format: JSONDocument, Many: tt.many}, func(p *Printer) {
			for range tt.n {
				_ = p.Event(&ev)
			}
		})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d objects, many %v (-want +got):\n%s", tt.n, tt.many, diff)
		}
	}
}

func TestWrapAndCut(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		lines string // joined by |
		cut   string
	}{
		{"two words", 0, "two words", ""},
		{"two words", -1, "two words", ""},
		{"two words", 9, "two words", "two words"},
		{"two words", 8, "two|words", "two wor…"},
		{"two words", 4, "two|word|s", "two…"},
		{"two words", 3, "two|wor|ds", "tw…"},
		{"two words", 1, "t|w|o|w|o|r|d|s", "…"},
		{"a  b", 3, "a|b", "a …"},
		{"漢字漢字", 8, "漢字漢字", "漢字漢字"},
		{"漢字漢字", 7, "漢字漢|字", "漢字漢…"},
		{"漢字漢字", 6, "漢字漢|字", "漢字…"},
		{"漢字漢字", 2, "漢|字|漢|字", "…"},
		{"漢", 1, "漢", "…"},
		{"e\u0301e\u0301x", 3, "e\u0301e\u0301x", "e\u0301e\u0301x"},
		{"e\u0301e\u0301x", 2, "e\u0301e\u0301|x", "e\u0301…"},
	} {
		if tt.text != "漢" { // one character that does not fit stays alone on its line
			if got := strings.Join(Wrap(tt.text, tt.width), "|"); got != tt.lines {
				t.Errorf("Wrap(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.lines)
			}
		}
		if got := Cut(tt.text, tt.width); got != tt.cut {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.cut)
		}
	}
	if line, rest := firstLine("漢字", 1); line != "漢" || rest != "字" {
		t.Errorf("a character wider than the line: %q, %q", line, rest)
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		999: "999ns", 1000: "1µs", 1499: "1µs", 1500: "2µs", 999_499: "999µs", 1_234_567: "1.23ms", 999_994_999: "999.99ms",
		time.Second: "1s", 1_234_567_890: "1.23s", 59_994 * time.Millisecond: "59.99s", time.Minute: "1m0s", 61_500 * time.Millisecond: "1m2s", 0: "0s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d ns: %q, want %q", d, got, want)
		}
	}
}

// A table takes all of the width that it is given before it cuts, and cuts no more than it must.
func TestTableUsesItsWidth(t *testing.T) {
	table := func() *table {
		tb := newTable("NAME", "PLACE", "WHY")
		tb.addText("a name of 18 chars", "a place, which has 30 in all..", "x")
		return tb
	}
	const natural = 18 + 2 + 30 + 2 + 3
	for width, want := range map[int]string{
		natural:     "a name of 18 chars  a place, which has 30 in all..  x",
		natural - 1: "a name of 18 chars  a place, which has 30 in all…  x",
		40:          "a name of 18 ch…  a place, which h…  x", // the wider one first, then both
		25:          "a name o…  a place,…  x",
		21:          "a name o…  a place, …", // the third column has gone
		20:          "a name o…  a place,…",
	} {
		text, left := table().Append(nil, width)
		row := strings.Split(string(text), "\n")[1]
		if wantLeft := width < 2*narrowest+2+2+3; wantLeft != (len(left) == 1) {
			t.Errorf("width %d: left out %q", width, left)
		}
		if row != want {
			t.Errorf("width %d:\n%q, want\n%q", width, row, want)
		}
	}
}
