package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

// printed returns what a printer with these options makes of some objects.
func printed(t *testing.T, o Options, print func(p *Printer)) string {
	t.Helper()
	var b bytes.Buffer
	p := NewPrinter(&b, o)
	print(p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	one := event(t, "Event: A\r\nX: 1,\"2\"\r\n\r\n")
	two := event(t, "Event: B\r\nY: \x1b[1m\r\n\r\n")
	both := func(p *Printer) { _ = p.Event(&one); _ = p.Event(&two) }
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"jsonl", Options{}, "{\"type\":\"event\",\"event\":\"A\",\"fields\":{\"X\":\"1,\\\"2\\\"\"}}\n{\"type\":\"event\",\"event\":\"B\",\"fields\":{\"Y\":\"\\u001b[1m\"}}\n"},
		{"csv", Options{Format: CSV, Fields: []string{"event", "x", "Y"}}, "event,x,Y\nA,\"1,\"\"2\"\"\",\nB,,\x1b[1m\n"},
		{"csv of all headers", Options{Format: CSV}, "event,X,Y\nA,\"1,\"\"2\"\"\",\nB,,\x1b[1m\n"},
		{"raw", Options{Format: Raw}, "Event: A\r\nX: 1,\"2\"\r\n\r\nEvent: B\r\nY: \x1b[1m\r\n\r\n"},
		{"raw on a terminal", Options{Format: Raw, Terminal: true}, "Event: A\nX: 1,\"2\"\n\nEvent: B\nY: \\x1b[1m\n\n"},
		{"none", Options{Format: None}, ""},
		{"table", Options{Format: TableText}, "A  X=\"1,\\\"2\\\"\"\nB  Y=\\x1b[1m\n"},
		{"query: strings raw, no match nothing", Options{Query: "fields.X"}, "1,\"2\"\n"},
		{"query: the rest as JSON", Options{Query: "fields"}, "{\"X\":\"1,\\\"2\\\"\"}\n{\"Y\":\"\\u001b[1m\"}\n"},
		{"query on a terminal", Options{Query: "fields.Y", Terminal: true}, "\n"}, // a colour is dropped
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, printed(t, tt.o, both)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An event without fields leaves no blanks behind its name, and a reply keeps away from the tables above it.
func TestTableSpacing(t *testing.T) {
	bare, full := event(t, "Event: A\r\n\r\n"), event(t, "Event: A\r\nX: 1\r\n\r\n")
	got := printed(t, Options{Format: TableText}, func(p *Printer) { _ = p.Event(&bare); _ = p.Event(&full) })
	if want := "A\nA  X=1\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	list := ami.Reply{Message: message(t, "Response: Success\r\nEventList: start\r\n\r\n"), Events: []ami.Event{full}}
	got = printed(t, Options{Format: TableText}, func(p *Printer) {
		_ = p.Reply(&list, &Origin{Action: "L"})
		_ = p.Reply(&list, &Origin{Action: "L"})
	})
	want := "Success  L  1 item\n\nX\n1\n"
	if want += "\n" + want; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// One object is the document; several are an array, and so is one where several could have come.
func TestDocument(t *testing.T) {
	ev := event(t, "Event: A\r\nX: 1\r\n\r\n")
	for _, tt := range []struct {
		name    string
		objects int
		many    bool
		array   bool
	}{{"one", 1, false, false}, {"one of many", 1, true, true}, {"three", 3, false, true}, {"none of many", 0, true, true}} {
		got := printed(t, Options{Format: JSONDocument, Many: tt.many}, func(p *Printer) {
			for range tt.objects {
				_ = p.Event(&ev)
			}
		})
		var array []any
		if err := json.Unmarshal([]byte(got), &array); (err == nil) != tt.array || !json.Valid([]byte(got)) || tt.array && len(array) != tt.objects {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	if got := printed(t, Options{Format: JSONDocument}, func(*Printer) {}); got != "" {
		t.Errorf("nothing became %q", got)
	}
}

// newTable returns a table with columns of these names; those behind '>' are aligned to the right.
func newTable(columns ...string) *table {
	t := &table{}
	for _, c := range columns {
		name, right := strings.CutPrefix(c, ">")
		t.columns = append(t.columns, column{head: name, right: right})
	}
	return t
}

func (t *table) addText(texts ...string) {
	var cells []cell
	for _, text := range texts {
		cells = append(cells, cell{text: text})
	}
	t.Add(cells...)
}

func TestTableFits(t *testing.T) {
	table := func() *table {
		tb := newTable("name", ">n", "text", "last")
		tb.addText("a", "1", "a long text that is cut first of all", "x")
		tb.addText("漢字", "1000", "short", "y")
		return tb
	}
	wide, left := table().Append(nil, 0)
	if want := "name     n  text                                  last\na        1  a long text that is cut first of all  x\n漢字  1000  short                                 y\n"; string(wide) != want || len(left) > 0 {
		t.Errorf("got\n%swant\n%s", wide, want)
	}
	for width := 10; width < 60; width++ {
		got, left := table().Append(nil, width)
		for line := range strings.Lines(string(got)) {
			if w := Width(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("width %d: a line of %d: %q", width, w, line)
			}
		}
		if width >= 40 && len(left) > 0 {
			t.Errorf("width %d: left out %q", width, left)
		}
	}
}

func TestRecords(t *testing.T) {
	rows := func(p *Printer) {
		_ = p.Record(Record{{Key: "type", Value: "x"}, {Key: "a", Value: 1}, {Key: "b", Value: nil}, {Key: "c", Value: 2500, Text: "2.5 ms"}})
		_ = p.Record(Record{{Key: "type", Value: "x"}, {Key: "a", Value: 10}, {Key: "b", Value: nil}, {Key: "c", Value: 1, Text: "1 µs"}})
	}
	if got, want := printed(t, Options{}, rows), "{\"type\":\"x\",\"a\":1,\"c\":2500}\n{\"type\":\"x\",\"a\":10,\"c\":1}\n"; got != want {
		t.Errorf("jsonl: got %s want %s", got, want)
	}
	if got, want := printed(t, Options{Format: TableText}, rows), " a       c\n 1  2.5 ms\n10    1 µs\n"; got != want {
		t.Errorf("table: got\n%swant\n%s", got, want)
	}
	if got, want := printed(t, Options{Format: CSV, Fields: []string{"c", "a"}}, rows), "c,a\n2500,1\n1,10\n"; got != want {
		t.Errorf("csv: got\n%swant\n%s", got, want)
	}
	if got := printed(t, Options{Format: TableText, Fields: []string{"b"}}, rows); got != "" {
		t.Errorf("a table of nothing but an empty column: got\n%s", got)
	}
}

type failing struct{ n int }

func (f *failing) Write([]byte) (int, error) { f.n++; return 0, errFull }

var errFull = &json.SyntaxError{}

// The writer's error comes back from every call after it, and nothing more is written.
func TestPrinterKeepsItsError(t *testing.T) {
	ev := event(t, "Event: A\r\nX: 1\r\n\r\n")
	w := &failing{}
	p := NewPrinter(w, Options{})
	_ = p.Event(&ev)
	if err := p.Flush(); err == nil {
		t.Fatal("no error")
	}
	if err := p.Event(&ev); err == nil {
		t.Error("the error is forgotten")
	}
	if err := p.Close(); err == nil || w.n != 1 {
		t.Errorf("err %v, %d writes", err, w.n)
	}
}

func TestNeighboursDifferInColor(t *testing.T) {
	for _, names := range [][]string{{"pbx1", "pbx2", "pbx3"}, {"pbx-09.example.com", "pbx-10.example.com"}, {"a", "b", "c"}} {
		seen := map[string]string{}
		for _, n := range names {
			if other, ok := seen[nodeColor(n)]; ok {
				t.Errorf("%s looks like %s", n, other)
			}
			seen[nodeColor(n)] = n
		}
	}
}

// A column of --fields that tells things apart stays where others go.
func TestFieldsThatIdentifyStay(t *testing.T) {
	var b strings.Builder
	p := NewPrinter(&b, Options{Format: TableText, Fields: []string{"Context", "CallerIDName", "Exten", "Channel"}, Width: 50})
	for _, name := range []string{"PJSIP/trunk-of-a-provider-000000a1", "PJSIP/trunk-of-a-provider-000000a2"} {
		m := message(t, "Event: Newchannel\r\nChannel: "+name+"\r\nContext: from-a-provider\r\nCallerIDName: Somebody Who Calls\r\nExten: 4930123456789\r\n\r\n")
		if err := p.Event(&ami.Event{Message: m}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "a1\n") || !strings.Contains(got, "a2\n") {
		t.Errorf("two channels are\n%s", got)
	}
}
