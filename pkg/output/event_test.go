package output

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

func TestAppendEvent(t *testing.T) {
	tests := []struct {
		name string
		ev   ami.Event
		want string
	}{
		{
			"as in the design",
			ami.Event{Message: message(t, "Event: Hangup\r\nChannel: PJSIP/100-0001\r\nCause: 16\r\n\r\n"), Node: "pbx1", Received: noon},
			`{"type":"event","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,"event":"Hangup","fields":{"Channel":"PJSIP/100-0001","Cause":"16"}}`,
		},
		{
			"from a capture: neither node nor time",
			ami.Event{Message: message(t, "Event: A\r\nB: \r\n\r\n")},
			`{"type":"event","event":"A","fields":{"B":""}}`,
		},
		{
			"repeats: the first in fields, all in multi, in order of appearance",
			ami.Event{Message: message(t, "Event: A\r\nX: 1\r\nY: 2\r\nX: \r\nZ: 3\r\nY: 4\r\nX: 5\r\n\r\n")},
			`{"type":"event","event":"A","fields":{"X":"1","Y":"2","Z":"3"},"multi":{"X":["1","","5"],"Y":["2","4"]}}`,
		},
		{
			"a second Event header is a field like any other",
			ami.Event{Message: message(t, "Event: A\r\nEvent: B\r\nevent: C\r\n\r\n")},
			`{"type":"event","event":"A","fields":{"Event":"B","event":"C"}}`,
		},
		{
			"lines without a name are text",
			ami.Event{Message: message(t, "Event: A\r\nX: one\r\ntwo\r\n: three\r\nY: 4\r\n\r\n")},
			`{"type":"event","event":"A","fields":{"X":"one","Y":"4"},"text":["two",": three"]}`,
		},
		{
			"bytes that are not UTF-8, in names too: no key comes twice",
			ami.Event{Message: message(t, "Event: A\xff\r\nB\xfe: 1\r\nB\xff: \xc3\x28\r\n\r\n")},
			"{\"type\":\"event\",\"event\":\"A\ufffd\",\"fields\":{\"B\ufffd\":\"1\"},\"multi\":{\"B\ufffd\":[\"1\",\"\ufffd(\"]},\"lossy\":true}",
		},
		{
			"what could command a terminal is escaped, other text is not",
			ami.Event{Message: message(t, "Event: A\r\nX: \x1b[31m\x07\r\x7f\u0085\u202e\u2028\"\\\tü漢\r\n\r\n")},
			`{"type":"event","event":"A","fields":{"X":"\u001b[31m\u0007\r\u007f\u0085\u202e\u2028\"\\\tü漢"}}`,
		},
		{
			"dropped events",
			ami.Event{Node: "pbx1", Received: noon, Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 12}},
			`{"type":"gap","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,"reason":"overflow","dropped":12}`,
		},
		{
			"a lost connection",
			ami.Event{Node: "pbx1", Received: noon, Gap: &ami.Gap{Reason: ami.GapDisconnect, Since: noon.Add(-time.Second), Until: noon}},
			`{"type":"gap","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,"reason":"disconnect","since":"2026-11-23T11:59:59.123456Z","until":"2026-11-23T12:00:00.123456Z"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(AppendEvent(nil, &tt.ev))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !json.Valid([]byte(got)) {
				t.Error("not JSON")
			}
		})
	}
}

// Only the fields asked for are kept, whatever the case in which they were asked for.
func TestAppendEventFields(t *testing.T) {
	ev := ami.Event{Message: message(t, "Event: A\r\nX: 1\r\nCause-txt: y\r\nX: 2\r\nZ: 3\r\n\r\n")}
	got := string(JSON{Fields: []string{"cause-TXT", "x"}}.AppendEvent(nil, &ev))
	want := `{"type":"event","event":"A","fields":{"X":"1","Cause-txt":"y"},"multi":{"X":["1","2"]}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A packet of any number of lines says all that it holds: the table of names grows with it.
func TestManyLines(t *testing.T) {
	var b strings.Builder
	b.WriteString("Response: Success\r\n")
	for i := range 30_000 {
		fmt.Fprintf(&b, "Line-%06d: %d\r\n", i%20_000, i)
	}
	b.WriteString("\r\n")
	p := JSON{names: new(names), stamp: new(stamp)}
	for range 2 {
		r := ami.Reply{Message: message(t, b.String())}
		var got replyObject
		if err := json.Unmarshal(p.AppendReply(nil, &r, &Origin{}), &got); err != nil {
			t.Fatal(err)
		}
		checkReply(t, &r, &got, false)
	}
	if n := cap(p.names.slots) + cap(p.names.links); n > 2*mostSlots {
		t.Errorf("room for %d lines is kept", n)
	}
}

// object is the JSON form of an event.
type object struct {
	Event  string
	Fields map[string]string
	Multi  map[string][]string
	Text   []string
	Lossy  bool
}

// checkNothingLost compares a message with its JSON, but for bytes that are not UTF-8.
func checkNothingLost(t *testing.T, m *wire.Message, encoded []byte) {
	t.Helper()
	checkEncoding(t, encoded)
	var got object
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	checkHeaders(t, m, 1, nil, &got)
	if want := !utf8.ValidString(m.Text()); got.Lossy != want {
		t.Errorf("lossy is %v, want %v", got.Lossy, want)
	}
	if keys := strings.Count(string(encoded), `"fields":{`); keys < 1 {
		t.Error("no fields")
	}
}

// checkEncoding wants one line of JSON that a terminal may see.
func checkEncoding(t *testing.T, encoded []byte) {
	t.Helper()
	if !json.Valid(encoded) || !utf8.Valid(encoded) {
		t.Fatalf("not JSON: %q", encoded)
	}
	for i, c := range encoded {
		if c < ' ' || c == 0x7f {
			t.Fatalf("a control character at %d: %q", i, encoded)
		}
	}
	for _, r := range string(encoded) {
		if unsafeRune(r) {
			t.Fatalf("%q is not escaped: %q", r, encoded)
		}
	}
}

func clean(s string) string { return string([]rune(s)) }

// checkHeaders holds the lines of a message against an object, but for names with a key of their own.
func checkHeaders(t *testing.T, m *wire.Message, from int, lifted func(string) bool, got *object) {
	t.Helper()
	all := make(map[string][]string)
	var text []string
	for i := from; i < m.Len(); i++ {
		name, value := m.Line(i)
		if name == "" {
			text = append(text, clean(value))
		} else if lifted == nil || !lifted(name) {
			all[clean(name)] = append(all[clean(name)], clean(value))
		}
	}
	if diff := cmp.Diff(text, got.Text); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if len(got.Fields) != len(all) {
		t.Errorf("%d fields, want %d", len(got.Fields), len(all))
	}
	for name, values := range all {
		if first, ok := got.Fields[name]; !ok || first != values[0] {
			t.Errorf("field %q = %q, want %q", name, first, values[0])
		}
		if multi := got.Multi[name]; len(values) > 1 && !cmp.Equal(values, multi) || len(values) == 1 && multi != nil {
			t.Errorf("multi %q = %q, want %q", name, multi, values)
		}
	}
}

func FuzzAppendEvent(f *testing.F) {
	f.Add("X: 1\r\nX: 2\r\ntext\r\nB\xff: \xfe\r\nB\xfe: \x1b[0m\u202e\r\n")
	f.Add("A\"\\: \"\\\r\n: x\r\n: \r\n")
	f.Fuzz(func(t *testing.T, headers string) {
		d := wire.NewDecoder(wire.Limits{})
		d.Feed([]byte("Event: A\r\n" + headers + "\r\n\r\n"))
		m, err := d.Next()
		if err != nil || m.Kind() != wire.Event {
			return // what was made up is no event
		}
		ev := ami.Event{Message: m}
		checkNothingLost(t, &m, AppendEvent(nil, &ev))
	})
}
